"""Answering readers: from the cache, by revalidation, or from the storage."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from .cache import Cache, Entry, lifetime
from .compression import accepts_gzip, compress, compressible
from .origin import KEPT_HEADERS, Origin

BUFFERED = 8 * 1024 * 1024
"""Above this many bytes an object is passed on while it arrives, and never compressed."""

CACHED = 32 * 1024 * 1024
"""Above this many bytes an object is not kept."""

CHUNK = 256 * 1024


class Proxy:
    """The public side of the edge. Every answer says `X-Cache`: HIT where the storage was not asked, else MISS."""

    def __init__(self, origin: Origin, cache: Cache) -> None:
        self._origin = origin
        self._cache = cache

    def application(self) -> web.Application:
        """The web application; everything but GET and HEAD is 405."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        return application

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, headers={"Allow": "GET, HEAD"})
        path = request.path  # decoded, without the query string
        if path.endswith("/"):  # no object is named so, and the storage would take it for the container itself
            return web.Response(status=404, headers={"X-Cache": "HIT"})
        entry = self._cache.get(path)
        if entry is not None and entry.fresh:
            return await self._respond(request, path, entry, "HIT")
        try:
            return await self._fetch(request, path, entry)
        except (aiohttp.ClientError, TimeoutError) as error:
            return web.Response(status=502, text=f"the storage did not answer: {error}\n", headers={"X-Cache": "MISS"})

    async def _fetch(self, request: web.Request, path: str, stale: Entry | None) -> web.StreamResponse:
        generation = self._cache.generation
        etag = stale.headers.get("ETag") if stale else None
        async with self._origin.ask("GET", path, etag) as answer:
            if answer.status == 304 and stale is not None:
                if generation == self._cache.generation:
                    label = answer.headers.get("Cache-Control", stale.headers.get("Cache-Control"))
                    stale.renew(lifetime(stale.status, label))
                return await self._respond(request, path, stale, "MISS")
            life = lifetime(answer.status, answer.headers.get("Cache-Control"))
            headers = {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers}
            size = answer.content_length or 0
            if answer.status == 200 and size > BUFFERED:
                response, body = await _stream(request, answer, headers, size)
            else:
                body = await answer.read()
                response = None
        entry = Entry(answer.status, headers if answer.status == 200 else {}, body, time.monotonic(), life)
        if life and generation == self._cache.generation and (response is None or len(body) == size):
            self._cache.put(path, entry)
        return response or await self._respond(request, path, entry, "MISS")

    async def _respond(self, request: web.Request, path: str, entry: Entry, cache: str) -> web.Response:
        headers = _headers(entry.headers, cache)
        if entry.status != 200:
            text = "there is no such object\n" if entry.status == 404 else "the storage refused\n"
            return web.Response(status=404 if entry.status == 404 else 502, text=text, headers=headers)
        headers["Age"] = str(int(entry.age))
        body = entry.body
        if compressible(entry.headers, len(body)):
            headers["Vary"] = "Accept-Encoding"
            if accepts_gzip(request.headers.get("Accept-Encoding", "")):
                body = await self._gzipped(path, entry)
                headers["Content-Encoding"] = "gzip"
                headers["ETag"] = "W/" + headers.get("ETag", '""').removeprefix("W/")
        if _matches(request.headers.get("If-None-Match"), headers.get("ETag")):
            return web.Response(status=304, headers=headers)
        return web.Response(status=200, headers=headers, body=body)

    async def _gzipped(self, path: str, entry: Entry) -> bytes:
        if entry.gzipped is None:
            gzipped = await asyncio.to_thread(compress, entry.body)
            if entry.gzipped is None:
                self._cache.keep_gzipped(path, entry, gzipped)
        return entry.gzipped or b""


async def _stream(
    request: web.Request, answer: aiohttp.ClientResponse, headers: Mapping[str, str], size: int
) -> tuple[web.StreamResponse, bytes]:
    """Pass the body on while it arrives; the bytes too, where they are few enough to keep."""
    response = web.StreamResponse(headers=_headers(headers, "MISS"))
    response.content_length = size
    await response.prepare(request)
    if request.method == "HEAD":
        return response, b""
    body = bytearray()
    try:
        async for chunk in answer.content.iter_chunked(CHUNK):
            await response.write(chunk)
            if size <= CACHED:
                body += chunk
        await response.write_eof()
    except (aiohttp.ClientError, TimeoutError):
        if request.transport is not None:  # the status is long gone: a body cut short is the only way to say it
            request.transport.abort()
    return response, bytes(body)


def _headers(kept: Mapping[str, str], cache: str) -> CIMultiDict[str]:
    return CIMultiDict({**kept, "X-Cache": cache, "X-Content-Type-Options": "nosniff"})


def _matches(if_none_match: str | None, etag: str | None) -> bool:
    """Weak comparison (RFC 9110, 13.1.2)."""
    if if_none_match is None or etag is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in tags or etag.removeprefix("W/") in tags
