"""The loader's HTTP: many small documents, many files, in bounded time, bytes and memory (L9).

HTTP/1.1 over up to 64 kept connections to a server (16 to one that is near), one exchange at a time on each. Over a
wide-area link this is as fast as HTTP/2 over several connections, and many times faster where packets are lost, since a
lost packet holds up one file and not all of them; so HTTP/2 would be a second way of doing the same. gzip is asked for
and decoded by libcurl: it is decoded bytes that are counted and hashed. libcurl takes a gzip stream that stops early,
in a body that is whole, for all there is: then length, hash or signature refuse it.

A wrong hash is not asked for again, with `Cache-Control: no-cache` or without: the large edges ignore that field, so it
would fetch the same poisoned object twice (T16); the next pass asks anyway.

Proxies are libcurl's reading of `https_proxy`, `http_proxy` (lower case), `all_proxy` and `no_proxy`; certificate
authorities see `authorities`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias, TypeVar

from artifact.errors import Code, ConfigurationError, ContentError, DeliveryError
from loader_cdn.authorities import Authorities, find
from loader_cdn.bounds import TransferSettings, TransferStats
from loader_cdn.engine import Engine
from loader_cdn.exchange import Fetch
from loader_cdn.origin import checked, shown
from loader_cdn.receivers import DocumentReceiver, FileReceiver
from loader_cdn.tasks import Event, Tasks

__all__ = [
    "FileDownload",
    "Network",
    "NotModified",
    "Response",
    "Transfer",
    "TransferSettings",
    "TransferStats",
]

T = TypeVar("T")


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


Arrived: TypeAlias = Callable[[FileDownload, DeliveryError | None], None]


class Network:
    """A context manager; one an invocation, used by one thread. Its connections are kept from pass to pass.

    When `stop` answers True, everything ends as `transport_failed` (L11), within half a second. Raises
    ConfigurationError where a variable names certificate authorities that are not there.
    """

    def __init__(self, settings: TransferSettings, *, stop: Callable[[], bool] | None = None) -> None:
        self.settings = settings
        self.authorities = find(os.environ)
        self.tasks = Tasks()
        self.engine = Engine(settings, self.authorities, self.tasks, stop)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.engine.close()

    @property
    def stats(self) -> TransferStats:
        """Requests and bytes so far."""
        return self.engine.stats

    def run(self, coroutine: Coroutine[Event, None, T]) -> T:
        """Turn the loop until this one, and with it all that it waits for, has ended."""
        task = self.tasks.start(coroutine)
        while not task.is_over:
            self.turn()
        return task.result

    def turn(self) -> None:
        """One turn of the loop; a quarter of a second at most where nothing happens."""
        self.tasks.run_ready()
        if self.tasks.alive:  # else there is nothing to wait for
            self.engine.turn(self.tasks.seconds_left())
            self.tasks.run_ready()


class Transfer:
    """What one pass fetches. What is in flight at `deadline`, a moment of `time.monotonic`, or asked for after it, ends
    as `transport_slow`.
    """

    def __init__(self, network: Network, *, deadline: float | None = None) -> None:
        self._network = network
        self._deadline = deadline

    @property
    def tasks(self) -> Tasks:
        """What runs beside."""
        return self._network.tasks

    async def get(self, url: str, *, limit: int, etag: str | None = None) -> Response | NotModified:
        """One document, of at most `limit` decoded bytes. NotModified only where an `etag` was given.

        Raises TransientError `not_found`, `unauthorized`, `transport_failed`, `transport_slow`; ContentError
        `limit_exceeded`; ConfigurationError for a URL that may not be asked.
        """
        receiver = DocumentReceiver(url, limit)
        origin = self._origin(url)
        fetch = Fetch(None, url, receiver, etag=etag)
        batch = self._network.engine.submit(iter((fetch,)), origin, urgent=True, deadline=self._deadline)
        try:
            await batch.__anext__()
        finally:
            batch.close()
        if fetch.error is not None:
            raise fetch.error
        return NotModified(url) if fetch.unchanged else Response(receiver.data, fetch.answer_etag, url)

    async def fetch_files(
        self, downloads: Iterable[FileDownload], base_url: str, arrived: Arrived, *, urgent: bool = False
    ) -> None:
        """Files with the origin of `base_url`, taken as there is room. `arrived` is called with each, in any order, and
        with None when it is in its place, or with its error. `urgent` ones go before others with the same origin.

        Beside `get`'s errors: ContentError `integrity_mismatch` for another length or hash, with the URL and the hash
        that was seen (T16); TransientError `storage_full` where the disk refuses. Nothing is synced to disk here.
        """
        origin = self._origin(base_url)
        batch = self._network.engine.submit(_files(downloads), origin, urgent=urgent, deadline=self._deadline)
        try:
            async for fetch in batch:
                arrived(fetch.subject, fetch.error)
        finally:
            batch.close()

    def _origin(self, url: str) -> str:
        """Who is asked: lanes are counted by it. Raises ConfigurationError for a URL that may not be asked."""
        origin = checked(url, allow_http=self._network.settings.allow_http)
        if origin.scheme == "https" and self._network.authorities == Authorities():
            what = "this machine has no certificate authorities: install them, or name them in SSL_CERT_FILE"
            raise ConfigurationError(what, where=shown(url))
        return f"{origin.scheme}://{origin.host}:{origin.port}"


def _files(downloads: Iterable[FileDownload]) -> Iterator[Fetch[FileDownload]]:
    for download in downloads:
        receiver = FileReceiver(download.url, download.target, download.sha256, download.size, download.limit)
        yield Fetch(download, download.url, receiver, error=_too_large(download))


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
