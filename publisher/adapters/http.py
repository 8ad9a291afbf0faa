"""Reading what an edge serves, as any reader would: over HTTP, trusting nothing."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlsplit

import urllib3

from artifact.errors import Code, ConfigurationError, ContentError, TransientError
from publisher.ports import ObjectData

LOOPBACK = ("127.0.0.1", "localhost", "::1")
TIMEOUT = urllib3.Timeout(connect=10, read=30)
RETRIES = urllib3.Retry(total=3, redirect=0, backoff_factor=0.3, status_forcelist=(429, 500, 502, 503, 504))


class HttpReader:
    """A Reader of the tree below a base URL. Redirects are refused; plain http is for loopback."""

    def __init__(self, base_url: str) -> None:
        url = urlsplit(base_url)
        if url.scheme != "https" and not (url.scheme == "http" and url.hostname in LOOPBACK):
            raise ConfigurationError("not an https URL", where=base_url.partition("?")[0], expected="https://HOST/PATH")
        self._base = base_url if base_url.endswith("/") else base_url + "/"
        self._pool = urllib3.PoolManager(maxsize=16, retries=RETRIES, timeout=TIMEOUT)

    def read(self, name: str, *, limit: int) -> ObjectData | None:
        """The body of a 200; None for a 404. Raises TransientError, or ContentError `limit_exceeded`."""
        found = self.get(name, limit=limit)
        return None if found is None else ObjectData(found[0], found[1].get("etag", "").strip('"'))

    def get(self, name: str, *, limit: int) -> tuple[bytes, Mapping[str, str]] | None:
        """The same with the headers, by lower-case names."""
        url = self._base + quote(name)
        try:
            with self._pool.request(
                "GET", url, preload_content=False, headers={"Accept-Encoding": "gzip"}, redirect=False
            ) as response:
                data = response.read(limit + 1, decode_content=True)
        except urllib3.exceptions.HTTPError as error:
            raise TransientError(Code.TRANSPORT_FAILED, "L9", type(error).__name__, where=url) from error
        if response.status in (404, 410):
            return None
        if response.status != 200:
            code = Code.UNAUTHORIZED if response.status in (401, 403) else Code.TRANSPORT_FAILED
            raise TransientError(code, "L9", "unexpected status", where=url, expected=200, seen=response.status)
        if len(data) > limit:
            raise ContentError(Code.LIMIT_EXCEEDED, "F1", "too long", where=url, expected=f"at most {limit} bytes")
        return data, {name.lower(): value for name, value in response.headers.items()}
