"""A few requests to the Kubernetes API, one after the other, in bounded time and bytes. For one thread."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pycurl

from artifact.errors import Code, TransientError
from loader_cdn.cluster.access import Access
from loader_cdn.origin import shown

CONNECT_SECONDS = 10
TOTAL_SECONDS = 20
"""Of a request that is no watch."""
SILENT_SECONDS = 75.0
"""A watch in which no byte came for so long is dead: bookmarks come every minute. Bytes are the only proof of life; TCP
keep-alive is answered by middle boxes, and the server's own limit never arrives where the connection is half open."""
LIMIT = 32 * 1024 * 1024
"""Bytes of an answer, or of one event."""

_OK = range(200, 300)
_STATUS = re.compile(rb"HTTP/\S+ +([0-9]{3})")
_TOLD = 200
"""Characters of a refusal that are shown."""


class RefusedError(Exception):
    """The API server answered, and not with success."""

    def __init__(self, status: int, error: TransientError) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error


class Api:
    """Asks as the owner of the access's token or certificate. `stop` ends a request within about a second.

    Methods raise RefusedError, and TransientError `transport_failed` where there is no answer.
    """

    def __init__(self, access: Access, stop: Callable[[], bool]) -> None:
        self._access = access
        self._token = access.token()
        self._stop = stop
        self._curl = pycurl.Curl()

    def close(self) -> None:
        self._curl.close()

    def get(self, path: str) -> Any:
        """The JSON value at `path`, which begins with `/`."""
        body = bytearray()
        self._ask(path, body.extend, total=TOTAL_SECONDS)
        return self._parsed(path, bytes(body))

    def post(self, path: str, document: Any) -> None:
        """Create an object."""
        self._ask(path, lambda data: None, total=TOTAL_SECONDS, body=json.dumps(document).encode())

    def watch(self, path: str, take: Callable[[Any], None]) -> None:
        """Hand every event of a watch to `take`; return when the server ends it. What `take` raises ends it too."""
        lines = _Lines(lambda line: take(self._parsed(path, line)))
        self._ask(path, lines.extend, silent=SILENT_SECONDS)

    def _ask(
        self,
        path: str,
        write: Callable[[bytes], object],
        *,
        total: float | None = None,
        silent: float | None = None,
        body: bytes | None = None,
    ) -> None:
        exchange = _Exchange(self._curl, self._access, self._token.value(), write, self._stop, silent)
        try:
            exchange.perform(path, total, body)
        except RefusedError as refused:
            if refused.status == 401:
                self._token.read_again()
            raise

    def _parsed(self, path: str, data: bytes) -> Any:
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise _failed(self._access.url + path, "the answer is no JSON") from error


class _Exchange:
    """One request, and what came of it so far."""

    def __init__(
        self,
        curl: pycurl.Curl,
        access: Access,
        token: str,
        write: Callable[[bytes], object],
        stop: Callable[[], bool],
        silent: float | None,
    ) -> None:
        self._curl, self._access, self._token = curl, access, token
        self._write, self._stop, self._silent = write, stop, silent
        self._failure: Exception | None = None
        self._status = 0
        self._refusal = bytearray()
        self._size = 0
        self._heard = time.monotonic()

    def perform(self, path: str, total: float | None, body: bytes | None) -> None:
        url, curl = self._access.url + path, self._curl
        curl.reset()
        self._prepare(url, total, body)
        try:
            curl.perform()
        except pycurl.error as error:
            if self._failure is not None:
                raise self._failure from error
            raise _failed(url, str(error.args[-1])) from error
        if self._status not in _OK:
            raise RefusedError(self._status, _refused(url, self._status, bytes(self._refusal)))

    def _prepare(self, url: str, total: float | None, body: bytes | None) -> None:
        curl = self._curl
        headers = ["Accept: application/json"]
        if self._token:
            headers.append(f"Authorization: Bearer {self._token}")
        if body is not None:
            headers.append("Content-Type: application/json")
            curl.setopt(pycurl.POSTFIELDS, body)
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.HTTPHEADER, headers)
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        curl.setopt(pycurl.USERAGENT, "feature-loader")
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.CONNECTTIMEOUT, CONNECT_SECONDS)
        curl.setopt(pycurl.TIMEOUT_MS, 0 if total is None else int(total * 1000))
        curl.setopt(pycurl.HEADERFUNCTION, self._head)
        curl.setopt(pycurl.WRITEFUNCTION, self._take)
        curl.setopt(pycurl.NOPROGRESS, 0)
        curl.setopt(pycurl.XFERINFOFUNCTION, self._look)
        if self._access.authority is not None:
            curl.setopt(pycurl.CAINFO_BLOB, self._access.authority)
        if self._access.certificate is not None and self._access.key is not None:
            curl.setopt(pycurl.SSLCERT_BLOB, self._access.certificate)
            curl.setopt(pycurl.SSLKEY_BLOB, self._access.key)

    # Called by libcurl; -1 ends the exchange. Nothing may be raised here.

    def _head(self, line: bytes) -> None:
        self._heard = time.monotonic()
        if match := _STATUS.match(line):
            self._status = int(match[1])

    def _take(self, data: bytes) -> int | None:
        self._heard = time.monotonic()
        if self._status not in _OK:
            self._refusal += data[: LIMIT - len(self._refusal)]
            return None
        try:
            self._size += len(data)
            if self._silent is None and self._size > LIMIT:
                raise _failed(self._access.url, "the answer is too long")
            self._write(data)
        except Exception as error:  # noqa: BLE001  (it is raised again behind libcurl)
            self._failure = error
            return -1
        return None

    def _look(self, *_: int) -> int:
        if self._stop():
            self._failure = _failed(self._access.url, "stopped")
        elif self._silent is not None and time.monotonic() - self._heard > self._silent:
            self._failure = _failed(self._access.url, f"nothing was heard for {self._silent:g} s")
        return 0 if self._failure is None else 1


class _Lines:
    """Bytes as they come, line by line."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take, self._begun = take, bytearray()

    def extend(self, data: bytes) -> None:
        self._begun += data
        *whole, rest = self._begun.split(b"\n")
        self._begun = bytearray(rest)
        if len(rest) > LIMIT:
            raise _failed("the API server", "an event is too long")
        for line in whole:
            if line.strip():
                self._take(bytes(line))


def _failed(url: str, seen: str) -> TransientError:
    what = "the API server cannot be asked"
    return TransientError(Code.TRANSPORT_FAILED, "L1", what, where=shown(url), seen=seen)


def _refused(url: str, status: int, body: bytes) -> TransientError:
    code = {401: Code.UNAUTHORIZED, 403: Code.UNAUTHORIZED, 404: Code.NOT_FOUND}.get(status, Code.TRANSPORT_FAILED)
    try:
        said = str(json.loads(body)["message"])[:_TOLD]
    except (ValueError, KeyError, TypeError):
        said = ""
    what = "the API server refuses" + (": the service account may not" if status == 403 else "")
    return TransientError(code, "L1", what, where=shown(url), seen=f"{status} {said}".strip())
