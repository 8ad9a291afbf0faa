"""Reading what an edge serves, as any reader would: over HTTP, trusting nothing."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlsplit

import urllib3

from artifact.errors import Code, ConfigurationError, ContentError, TransientError
from publisher.adapters.connections import open_pool, reason_of
from publisher.loopback import is_loopback
from publisher.ports import ObjectData

TIMEOUT = urllib3.Timeout(connect=10, read=30)
RETRIES = urllib3.Retry(
    total=3, redirect=0, backoff_factor=0.3, status_forcelist=(429, 500, 502, 503, 504), raise_on_status=False
)


class HttpReader:
    """A Reader of the tree below a base URL. Redirects are refused; plain http is for loopback."""

    def __init__(self, base_url: str) -> None:
        try:
            url = urlsplit(base_url)
        except ValueError:
            raise ConfigurationError("not a URL", where=base_url.partition("?")[0]) from None
        if url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.hostname or "")):
            raise ConfigurationError("not an https URL", where=base_url.partition("?")[0], expected="https://HOST/PATH")
        self._base = base_url if base_url.endswith("/") else base_url + "/"
        self._pool = open_pool(base_url, maxsize=16, retries=RETRIES, timeout=TIMEOUT)

    def read(self, name: str, *, limit: int) -> ObjectData | None:
        """The body of a 200; None for a 404. Raises TransientError, or ContentError `limit_exceeded`."""
        found = self.get(name, limit=limit)
        return None if found is None else ObjectData(found[0], found[1].get("etag", "").strip('"'))

    def get(
        self, name: str, *, limit: int, headers: Mapping[str, str] | None = None
    ) -> tuple[bytes, Mapping[str, str]] | None:
        """The same with the headers, by lower-case names."""
        status, data, answered = self.ask(name, limit=limit, headers=headers)
        if status in (404, 410):
            return None
        if status != 200:
            code = Code.UNAUTHORIZED if status in (401, 403) else Code.TRANSPORT_FAILED
            raise TransientError(
                code, "L9", "unexpected status", where=self._base + quote(name), expected=200, seen=status
            )
        return data, answered

    def ask(
        self, name: str, *, limit: int, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """Status, body and headers of whatever is answered. Raises as `read` does, where nothing is or too much."""
        url = self._base + quote(name)
        try:
            with self._pool.request(
                "GET",
                url,
                preload_content=False,
                headers={"Accept-Encoding": "gzip", **(headers or {})},
                redirect=False,
            ) as response:
                data = response.read(limit + 1, decode_content=True)
        except urllib3.exceptions.HTTPError as error:
            raise TransientError(Code.TRANSPORT_FAILED, "L9", "no answer", where=url, seen=reason_of(error)) from error
        if len(data) > limit:
            raise ContentError(Code.LIMIT_EXCEEDED, "F1", "too long", where=url, expected=f"at most {limit} bytes")
        return response.status, data, {name.lower(): value for name, value in response.headers.items()}
