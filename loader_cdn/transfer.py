"""The loader's HTTP: many small documents, many files, in bounded time, bytes and memory (L9).

HTTP/1.1 over up to 64 kept connections (16 to a server that is near), one exchange at a time on each. Over a wide-area
link this is as fast as HTTP/2 over several connections, and many times faster where packets are lost, since a lost
packet holds up one file and not all of them; so HTTP/2 would be a second way of doing the same. gzip is asked for and
decoded by libcurl: it is decoded bytes that are counted and hashed. libcurl takes a gzip stream that stops early, in a
body that is whole, for all there is: then length, hash or signature refuse it.

A wrong hash is not asked for again, with `Cache-Control: no-cache` or without: the large edges ignore that field, so it
would fetch the same poisoned object twice (T16); the next pass asks anyway.

Proxies are libcurl's reading of `https_proxy`, `http_proxy` (lower case), `all_proxy` and `no_proxy`; certificate
authorities see `authorities`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from artifact.errors import Code, ConfigurationError, ContentError, DeliveryError
from loader_cdn.authorities import Authorities, find
from loader_cdn.engine import Engine, TransferSettings, TransferStats
from loader_cdn.exchange import Fetch
from loader_cdn.origin import checked, shown
from loader_cdn.receivers import DocumentReceiver, FileReceiver

__all__ = [
    "DocumentRequest",
    "FileDownload",
    "NotModified",
    "Response",
    "Transfer",
    "TransferSettings",
    "TransferStats",
]


@dataclass(frozen=True, slots=True)
class DocumentRequest:
    """One small document to bring into memory: at most `limit` decoded bytes, and only if it is not `etag` any more."""

    url: str
    limit: int
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """A document's bytes and, where the server gave one, its ETag as it stands in the header.

    `url` is the one that was asked, whatever redirects there were: the base does not move (L9).
    """

    data: bytes
    etag: str | None
    url: str


@dataclass(frozen=True, slots=True)
class NotModified:
    """The document is still the one with the ETag that was sent."""

    url: str


@dataclass(frozen=True, slots=True)
class FileDownload:
    """One file to bring to `target`, whose folder is made where there is none.

    `sha256` is the digest of its bytes (M2), `size` their number where it is known (M3), `limit` the most there may be.
    """

    url: str
    target: Path
    sha256: bytes
    size: int | None
    limit: int


Answer: TypeAlias = Response | NotModified | DeliveryError


class Transfer:
    """A context manager; one an invocation, used by one thread. Its connections are kept from call to call.

    `deadline`, in seconds of `time.monotonic`, may be set again for every pass: what is in flight or asked for after it
    ends as `transport_slow`. When `stop` answers True, everything ends as `transport_failed` (L11), within half a
    second. Raises ConfigurationError where a variable names certificate authorities that are not there.
    """

    def __init__(
        self, settings: TransferSettings, *, deadline: float | None = None, stop: Callable[[], bool] | None = None
    ) -> None:
        self._settings = settings
        self._authorities = find(os.environ)
        self._engine = Engine(settings, self._authorities, deadline, stop)
        self._kept: dict[DocumentRequest, Answer] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End everything in flight, leaving no temporary file."""
        self._engine.close()

    @property
    def stats(self) -> TransferStats:
        """Requests and bytes so far."""
        return self._engine.stats

    @property
    def deadline(self) -> float | None:
        """When the whole pass has to be over, in seconds of `time.monotonic`."""
        return self._engine.deadline

    @deadline.setter
    def deadline(self, value: float | None) -> None:
        self._engine.deadline = value

    def get(self, url: str, *, limit: int, etag: str | None = None) -> Response | NotModified:
        """One document. NotModified only where an `etag` was given.

        Raises TransientError `not_found`, `unauthorized`, `transport_failed`, `transport_slow`; ContentError
        `limit_exceeded`; ConfigurationError for a URL that may not be asked.
        """
        for _, answer in self.get_all([DocumentRequest(url, limit, etag)]):
            if isinstance(answer, DeliveryError):
                raise answer
            return answer
        raise AssertionError("a request has one answer")

    def keep(self, answers: Iterable[tuple[DocumentRequest, Answer]]) -> None:
        """Answers that are there already: the same request is answered so, once, without being sent."""
        self._kept = dict(answers)

    def get_all(self, requests: Iterable[DocumentRequest]) -> Iterator[tuple[DocumentRequest, Answer]]:
        """Many documents at once: each request with its answer or its error, as they come, in any order.

        The requests are taken as there is room; closing the iterator ends what is in flight.
        """
        answered: list[DocumentRequest] = []
        for fetch in self._engine.run(self._documents(self._unanswered(requests, answered))):
            request, receiver = fetch.subject
            if fetch.error is not None:
                yield request, fetch.error
            elif fetch.unchanged:
                yield request, NotModified(request.url)
            else:
                yield request, Response(receiver.data, fetch.answer_etag, request.url)
        for request in answered:
            yield request, self._kept.pop(request)

    def fetch_files(self, downloads: Iterable[FileDownload]) -> Iterator[tuple[FileDownload, DeliveryError | None]]:
        """Many files at once: each download with None when it is in its place, or with its error, in any order.

        Beside `get`'s errors: ContentError `integrity_mismatch` for another length or hash, with the URL and the hash
        that was seen (T16); TransientError `storage_full` where the disk refuses. Nothing is synced to disk here.
        """
        for fetch in self._engine.run(self._files(downloads)):
            yield fetch.subject, fetch.error

    def _unanswered(
        self, requests: Iterable[DocumentRequest], answered: list[DocumentRequest]
    ) -> Iterator[DocumentRequest]:
        for request in requests:
            if request in self._kept:
                answered.append(request)
            else:
                yield request

    def _documents(
        self, requests: Iterable[DocumentRequest]
    ) -> Iterator[Fetch[tuple[DocumentRequest, DocumentReceiver]]]:
        for request in requests:
            receiver = DocumentReceiver(request.url, request.limit)
            refusal = self._refusal(request.url)
            yield Fetch((request, receiver), request.url, receiver, etag=request.etag, error=refusal)

    def _files(self, downloads: Iterable[FileDownload]) -> Iterator[Fetch[FileDownload]]:
        for download in downloads:
            receiver = FileReceiver(download.url, download.target, download.sha256, download.size, download.limit)
            refusal = self._refusal(download.url) or _too_large(download)
            yield Fetch(download, download.url, receiver, error=refusal)

    def _refusal(self, url: str) -> DeliveryError | None:
        try:
            origin = checked(url, allow_http=self._settings.allow_http)
        except ConfigurationError as error:
            return error
        if origin.scheme == "https" and self._authorities == Authorities():
            what = "this machine has no certificate authorities: install them, or name them in SSL_CERT_FILE"
            return ConfigurationError(what, where=shown(url))
        return None


def _too_large(download: FileDownload) -> DeliveryError | None:
    if download.size is None or download.size <= download.limit:
        return None
    return ContentError(
        Code.LIMIT_EXCEEDED,
        "P4",
        "the file is too large",
        where=shown(download.url),
        expected=f"at most {download.limit} bytes",
        seen=download.size,
    )
