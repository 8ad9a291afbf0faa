"""Objects' bytes, to and fro, by requests of our own: the library takes three to six times as long (docs/adr/0003)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

from artifact.errors import Code, ContentError, DeliveryError, TransientError
from publisher.adapters.backoff import Backoff
from publisher.adapters.blob_account import BlobAccount
from publisher.adapters.blob_errors import CONDITION_FAILED, EXISTS, NO_OBJECT, from_answer, no_answer
from publisher.adapters.bodies import CHUNK
from publisher.ports import ContentSettings, ObjectData

API_VERSION = "2023-11-03"
CONNECTIONS = 32

Body = Callable[[], bytes | Generator[bytes, None, None]]
"""Gives the bytes, anew for each try."""

Condition = Mapping[str, str]
ANYTHING: Condition = {}
ABSENT: Condition = {"If-None-Match": "*"}


def unchanged(etag: str) -> Condition:
    """The object is at `etag`."""
    return {"If-Match": f'"{etag}"'}


@dataclass(frozen=True, slots=True)
class Put:
    """What a write found: the new ETag (no quotes), or None where its condition failed.

    `is_doubtful`: an earlier try got no answer, so that it may be this very write which stands in its way.
    """

    etag: str | None
    is_doubtful: bool


@dataclass(frozen=True, slots=True)
class Properties:
    """`etag` has no quotes; `md5` is None where the storage does not know it."""

    size: int
    etag: str
    md5: bytes | None
    last_modified: datetime


class BlobRequests:
    """Requests to one container, tried again as `backoff` says. Thread-safe."""

    def __init__(self, account: BlobAccount, container: str, backoff: Backoff) -> None:
        self._account = account
        self._container = container
        self._backoff = backoff

    def put(self, name: str, body: Body, size: int, settings: ContentSettings, condition: Condition) -> Put:
        """Write the object by one Put Blob: it is there with all of its bytes, or not at all."""
        headers = {
            "Content-Length": str(size),
            "Content-Type": settings.content_type,
            "x-ms-blob-type": "BlockBlob",
            "x-ms-blob-cache-control": settings.cache_control,
            **condition,
        }
        in_the_way = CONDITION_FAILED | (EXISTS if condition is ABSENT else NO_OBJECT)

        def once(tried: int) -> Put:
            data = body()
            with nullcontext() if isinstance(data, bytes) else closing(data):
                answer = self._send("PUT", name, headers, data)
            if answer.status == 201:
                return Put(_etag(answer), is_doubtful=False)
            if _code(answer) in in_the_way:
                return Put(None, is_doubtful=tried > 0)
            raise self._error(answer, name)

        return self._backoff.run(once)

    def properties(self, name: str) -> Properties | None:
        """What the storage knows of the object, or None where there is none."""

        def once(_tried: int) -> Properties | None:
            answer = self._send("HEAD", name, {})
            if answer.status == 200:
                md5 = answer.headers.get("Content-MD5")
                known_md5 = None if md5 is None else base64.b64decode(md5)
                return Properties(_length(answer), _etag(answer), known_md5, _last_modified(answer))
            if _code(answer) in NO_OBJECT:
                return None
            raise self._error(answer, name)

        return self._backoff.run(once)

    def read(self, name: str, limit: int) -> ObjectData | None:
        """The object, or None where there is none. ContentError `limit_exceeded` above `limit` bytes."""

        def once(_tried: int) -> ObjectData | None:
            answer = self._get(name, {})
            if answer is None:
                return None
            with closing(answer):
                if _length(answer) > limit:
                    raise self._too_large(name, limit, _length(answer))
                try:
                    return ObjectData(answer.read(decode_content=False), _etag(answer))
                except HTTPError as error:
                    raise no_answer(error, self.where(name)) from None

        return self._backoff.run(once)

    def chunks(self, name: str, size: int, etag: str) -> Iterator[bytes]:
        """The bytes of an object at `etag`. Where the connection breaks they are taken up again.

        TransientError `transport_failed` where the object changed or went.
        """
        position = breaks = 0
        while position < size:
            answer = self._backoff.run(partial(self._pinned, name, position, etag))
            with closing(answer):
                try:
                    for chunk in answer.stream(CHUNK, decode_content=False):
                        position += len(chunk)
                        yield chunk
                except HTTPError as error:
                    breaks += 1
                    if breaks == self._backoff.tries:
                        raise no_answer(error, self.where(name)) from None

    def where(self, name: str) -> str:
        """The object's place, as errors name it."""
        return f"{self._container}/{name}"

    def _pinned(self, name: str, position: int, etag: str, _tried: int) -> BaseHTTPResponse:
        part = {"Range": f"bytes={position}-"} if position else {}
        answer = self._get(name, {**unchanged(etag), **part})
        if answer is None:
            raise TransientError(Code.TRANSPORT_FAILED, "B2", "changed while it was read", where=self.where(name))
        return answer

    def _get(self, name: str, headers: Mapping[str, str]) -> BaseHTTPResponse | None:
        """An answer whose body is still to be read; None where there is no object, or not the one that is meant."""
        answer = self._send("GET", name, headers, preload_content=False)
        if answer.status in {200, 206}:
            return answer
        with closing(answer):
            if _code(answer) in NO_OBJECT | CONDITION_FAILED:
                answer.drain_conn()
                return None
            raise self._error(answer, name)

    def _send(
        self,
        method: str,
        name: str,
        headers: Mapping[str, str],
        body: bytes | Iterator[bytes] | None = None,
        *,
        preload_content: bool = True,
    ) -> BaseHTTPResponse:
        """UnansweredError where no answer comes."""
        granted = self._account.grant(self._container).headers
        try:
            return self._account.pool(CONNECTIONS).urlopen(
                method,
                self._account.signed_url_of(self._container, name),
                body=body,
                headers={"x-ms-version": API_VERSION, **headers, **granted},
                redirect=False,
                preload_content=preload_content,
            )
        except HTTPError as error:
            raise no_answer(error, self.where(name)) from None

    def _error(self, answer: BaseHTTPResponse, name: str) -> DeliveryError:
        return from_answer(
            answer.status, _code(answer), self.where(name), retry_after=answer.headers.get("Retry-After")
        )

    def _too_large(self, name: str, limit: int, seen: int) -> ContentError:
        where = self.where(name)
        return ContentError(Code.LIMIT_EXCEEDED, "F1", "too large", where=where, expected=f"at most {limit}", seen=seen)


def _code(answer: BaseHTTPResponse) -> str:
    return answer.headers.get("x-ms-error-code", "")


def _etag(answer: BaseHTTPResponse) -> str:
    return answer.headers["ETag"].strip('"')


def _last_modified(answer: BaseHTTPResponse) -> datetime:
    return parsedate_to_datetime(answer.headers["Last-Modified"])


def _length(answer: BaseHTTPResponse) -> int:
    return int(answer.headers["Content-Length"])
