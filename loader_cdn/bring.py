"""What one feature lacks is fetched, and it waits for others to be swapped with it (L2, L3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from artifact.errors import Code, DeliveryError, TransientError
from artifact.paths import Limits
from loader_cdn.around import Progress
from loader_cdn.durable import Syncer
from loader_cdn.stage import Staging
from loader_cdn.swap import Ready
from loader_cdn.tasks import Event, Tasks
from loader_cdn.transfer import FileDownload, Transfer

SWAP_SECONDS = 1.0
"""A feature that is whole waits so long for others to share its syncs, and not for a slow one (L8)."""


async def fetch(ready: Ready, transfer: Transfer, limits: Limits, progress: Progress, syncer: Syncer) -> None:
    """Fetch what a feature's stagings lack, the active version first (L2), and seal them. What goes wrong is the
    feature's `error`.
    """
    work = ready.work
    lacking = [staging for staging in ready.stagings if staging.to_fetch]
    files = [entries[0] for staging in lacking for entries in staging.to_fetch.values()]
    progress.planned(len(files), sum(file.size or 0 for file in files))
    active = None if work.target is None else work.target.index.active

    async def one(staging: Staging) -> None:
        def arrived(download: FileDownload, error: DeliveryError | None) -> None:
            if error is not None:
                work.fail(_located(error, download))
                return
            with work.faults(staging.folder):
                staging.fetched(download.sha256)
            work.bytes += download.size or 0
            syncer.wrote(download.size or 0)
            progress.fetched(download.size or 0)

        with work.faults(staging.folder):
            is_urgent = staging.entry.version == active
            base_url = work.registration.base_url
            await transfer.fetch_files(staging.downloads(limits), base_url, arrived, urgent=is_urgent)

    await transfer.tasks.together([one(staging) for staging in lacking])
    for staging in ready.stagings:
        if work.is_wanted:
            with work.faults(staging.folder):
                staging.seal(limits)


class Swapper:
    """Features that are brought at the same time appear together: their syncs are shared.

    `swap` is called with those that are whole, when nobody is left to wait for, or `SWAP_SECONDS` after the first.
    """

    def __init__(self, tasks: Tasks, swap: Callable[[Sequence[Ready]], None]) -> None:
        self._tasks, self._swap = tasks, swap
        self._whole: list[Ready] = []
        self._swapped: Event | None = None
        self._timer: Event | None = None
        self._on_their_way = 0
        self._is_closed = False

    def close(self) -> None:
        """Nothing appears any more."""
        self._is_closed = True

    def expect(self) -> None:
        """One more is on its way."""
        self._on_their_way += 1

    def forget(self) -> None:
        """One that was on its way has ended."""
        self._on_their_way -= 1
        self._look()

    async def join(self, ready: Ready) -> None:
        """Appear with the next ones."""
        self._whole.append(ready)
        if self._swapped is None:
            self._swapped, self._timer = self._tasks.event(), self._tasks.after(SWAP_SECONDS)
            self._tasks.start(self._wait(self._swapped, self._timer))
        swapped = self._swapped
        self.forget()
        await swapped
        self.expect()

    async def _wait(self, swapped: Event, timer: Event) -> None:
        await timer
        if swapped is self._swapped:
            self._now()

    def _look(self) -> None:
        if self._on_their_way == 0 and self._whole:
            self._now()

    def _now(self) -> None:
        if self._is_closed:
            return
        whole, self._whole = self._whole, []
        swapped, timer, self._swapped, self._timer = self._swapped, self._timer, None, None
        self._swap(whole)
        for event in (swapped, timer):
            if event is not None:
                event.happen()


def _located(error: DeliveryError, download: FileDownload) -> DeliveryError:
    """A disk's refusal does not know which file it was about."""
    if error.code is not Code.STORAGE_FULL:
        return error
    return TransientError(error.code, error.rule, error.what, where=str(download.target), seen=error.seen)
