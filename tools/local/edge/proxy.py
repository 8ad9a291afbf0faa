"""Answering readers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

import aiohttp
from aiohttp import web
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wrappers import Response

from .cache import Cache, Found
from .compression import accepts_gzip, compress, compressible
from .memory import Kept, Memory

RULES = {
    "X-Content-Type-Options": "nosniff",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Age, ETag, X-Cache",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Timing-Allow-Origin": "*",
}
"""What the rule set of Front Door adds."""

_NO_OBJECT = re.compile(
    r"^(?!/)|/(\.|/|\Z)|[^]A-Za-z0-9._~!$&'()+,;=@^`{}[%/-]|%(?!2[146-9BC]|3[BD]|40|5[BDE]|60|7[BDE])", re.IGNORECASE
)
"""No object is named so (P3), and the storage would take some of it for something else. A letter, digit, `-`, `.`, `_`
or `/` has one spelling, so that a purge misses no other one."""

_ONE_RANGE = re.compile(r"bytes=([0-9]+-[0-9]*|-[0-9]+)")
"""Anything else is answered by the whole object."""

SERVED = ("content-type", "content-encoding", "cache-control", "etag", "last-modified", "date")


class Proxy:
    """The public side of the edge. Every answer says `X-Cache`: HIT where the storage was not asked, else MISS."""

    def __init__(self, cache: Cache, memory: Memory) -> None:
        self._cache, self._memory = cache, memory

    def application(self) -> web.Application:
        """The web application; everything but GET and HEAD is 405."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        return application

    async def _answer(self, request: web.Request) -> web.Response:
        if request.method not in ("GET", "HEAD"):
            return _plain(405, "HIT", {"Allow": "GET, HEAD"})
        path = request.rel_url.raw_path  # as it was sent, also where that was with a host before it
        if _NO_OBJECT.search(path):
            return _plain(404, "HIT")
        try:
            found = await self._cache.get(path)
        except (aiohttp.ClientError, TimeoutError):
            return _plain(503, "MISS")
        if found.status != 200 or found.kept is None:
            return _plain(404 if found.status == 404 else 502, "HIT" if found.is_hit else "MISS")
        return await self._object(request, path, found, found.kept)

    async def _object(self, request: web.Request, path: str, found: Found, kept: Kept) -> web.Response:
        headers = {name: found.headers[name] for name in SERVED if name in found.headers}
        headers |= {"age": found.headers.get("age", "0"), "x-cache": "HIT" if found.is_hit else "MISS"}
        body, is_packed = kept.body, False
        if compressible(headers, len(body)):
            headers["vary"] = "Accept-Encoding"
            is_packed = accepts_gzip(request.headers.get("Accept-Encoding", ""))
        if is_packed:
            body = await self._gzipped(path, kept)
            headers["content-encoding"] = "gzip"
            headers["etag"] = "W/" + headers.get("etag", '""').removeprefix("W/")
        return _conditional(request, Response(body, headers=headers), len(body))

    async def _gzipped(self, path: str, kept: Kept) -> bytes:
        if kept.gzipped is None:
            gzipped = await asyncio.to_thread(compress, kept.body)
            if kept.gzipped is None:
                self._memory.keep_gzipped(path, kept, gzipped)
        return kept.gzipped or b""


def _conditional(request: web.Request, response: Response, length: int) -> web.Response:
    """304, 206 and 416, where the client asks for them."""
    names = {"If-None-Match": "HTTP_IF_NONE_MATCH", "If-Modified-Since": "HTTP_IF_MODIFIED_SINCE"}
    if _wants_part(request, response):
        names |= {"Range": "HTTP_RANGE", "If-Range": "HTTP_IF_RANGE"}
    environ = {"REQUEST_METHOD": request.method}
    environ |= {key: request.headers[name] for name, key in names.items() if name in request.headers}
    try:
        response.make_conditional(environ, accept_ranges=True, complete_length=length)
    except RequestedRangeNotSatisfiable:
        return _plain(416, response.headers["x-cache"], {"Content-Range": f"bytes */{length}"})
    headers = {name: value for name, value in response.headers.items() if name.lower() != "content-length"}
    return web.Response(status=response.status_code, headers={**headers, **RULES}, body=response.get_data())


def _wants_part(request: web.Request, response: Response) -> bool:
    """Whether a part will do. By a weak validator one cannot tell (RFC 9110, 13.1.5)."""
    condition, etag = request.headers.get("If-Range", ""), response.headers.get("etag", "")
    is_weak = '"' in condition and (condition.startswith("W/") or etag.startswith("W/"))
    return not is_weak and _ONE_RANGE.fullmatch(request.headers.get("Range", "")) is not None


def _plain(status: int, cache: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=f"{status}\n", headers={**RULES, "X-Cache": cache, **(headers or {})})
