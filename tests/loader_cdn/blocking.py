"""The loader's transfer for tests that ask one thing after the other: each call turns the loop until it has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Self

from artifact.errors import DeliveryError
from loader_cdn.transfer import FileDownload, Network, NotModified, Response, Transfer, TransferSettings, TransferStats


class Blocking:
    """A network, and one transfer after the other on it; `deadline` is that of the next one."""

    def __init__(
        self, settings: TransferSettings, *, deadline: float | None = None, stop: Callable[[], bool] | None = None
    ) -> None:
        self.network = Network(settings, stop=stop)
        self.deadline = deadline

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.network.engine.close()

    @property
    def stats(self) -> TransferStats:
        return self.network.stats

    def get(self, url: str, *, limit: int, etag: str | None = None) -> Response | NotModified:
        return self.network.run(self.transfer.get(url, limit=limit, etag=etag))

    def get_all(self, urls: Iterable[str], *, limit: int) -> dict[str, Response | NotModified | DeliveryError]:
        """Many documents at once."""
        answers: dict[str, Response | NotModified | DeliveryError] = {}

        async def one(url: str) -> None:
            try:
                answers[url] = await self.transfer.get(url, limit=limit)
            except DeliveryError as error:
                answers[url] = error

        async def every() -> None:
            for task in [self.network.tasks.start(one(url)) for url in urls]:
                await task

        self.network.run(every())
        return answers

    def fetch_files(
        self, downloads: Iterable[FileDownload], base_url: str = ""
    ) -> list[tuple[FileDownload, DeliveryError | None]]:
        """Files with one origin, that of the first one or of `base_url`, in the order in which they arrived."""
        if not base_url:
            downloads = list(downloads)
            base_url = downloads[0].url
        arrived: list[tuple[FileDownload, DeliveryError | None]] = []
        task = self.network.tasks.start(
            self.transfer.fetch_files(downloads, base_url, lambda download, error: arrived.append((download, error)))
        )
        try:
            while not task.is_over:
                self.network.turn()
        finally:
            task.close()
        return arrived

    @property
    def transfer(self) -> Transfer:
        return Transfer(self.network, deadline=self.deadline)
