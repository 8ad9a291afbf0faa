"""What is missing, of all features, through one stream of transfers; a feature is swapped when it is whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from artifact.errors import Code, DeliveryError, TransientError
from artifact.paths import Limits
from loader_cdn.around import Progress
from loader_cdn.durable import Syncer
from loader_cdn.stage import Staging
from loader_cdn.swap import Ready
from loader_cdn.transfer import FileDownload, Transfer
from loader_cdn.work import Work

SWAP_SECONDS = 2.0
"""A feature that is whole waits so long for others to share its syncs, and not for a slow one (L8)."""


@dataclass(slots=True)
class Bringer:
    """Fetches what stagings lack. `swap` is called with features that are whole, all of their versions staged."""

    transfer: Transfer
    limits: Limits
    progress: Progress
    syncer: Syncer
    swap: Callable[[list[Ready]], None]
    _owners: dict[int, Staging] = field(default_factory=dict)

    def bring(self, features: Iterable[Ready]) -> None:
        """Fetch, seal, swap. What goes wrong is its feature's `error`."""
        open_ = {ready.work.feature_id: ready for ready in features}
        lacking = [staging for ready in open_.values() for staging in ready.stagings]
        # Active versions of all features first (L2): each feature's stagings stand in that order.
        lacking.sort(key=lambda staging: staging.entry.version != _active(staging.work))
        self._plan(lacking)
        whole = [ready for ready in open_.values() if self._is_whole(ready)]
        since = time.monotonic()
        for download, error in self.transfer.fetch_files(self._downloads(lacking)):
            staging = self._owners.pop(id(download))
            self._arrived(staging, download, error)
            ready = open_[staging.work.feature_id]
            if not staging.to_fetch and self._is_whole(ready):
                whole.append(ready)
            if whole and time.monotonic() - since >= SWAP_SECONDS:
                self.swap(whole)
                whole, since = [], time.monotonic()
        self.swap(whole)

    def _plan(self, lacking: list[Staging]) -> None:
        files = [entries[0] for staging in lacking for entries in staging.to_fetch.values()]
        self.progress.planned(len(files), sum(file.size or 0 for file in files))

    def _downloads(self, lacking: list[Staging]) -> Iterator[FileDownload]:
        for staging in lacking:
            for download in staging.downloads(self.limits):
                self._owners[id(download)] = staging
                yield download

    def _arrived(self, staging: Staging, download: FileDownload, error: DeliveryError | None) -> None:
        if error is not None:
            staging.work.fail(_located(error, download))
            return
        with staging.work.faults(staging.folder):
            staging.fetched(download.sha256)
        self.syncer.wrote(download.size or 0)
        self.progress.fetched(download.size or 0)

    def _is_whole(self, ready: Ready) -> bool:
        """Whether all versions are staged; then they are sealed."""
        if any(staging.to_fetch for staging in ready.stagings):
            return False
        for staging in ready.stagings:
            with ready.work.faults(staging.folder):
                staging.seal(self.limits)
        return ready.work.is_wanted


def _located(error: DeliveryError, download: FileDownload) -> DeliveryError:
    """A disk's refusal does not know which file it was about."""
    if error.code is not Code.STORAGE_FULL:
        return error
    return TransientError(error.code, error.rule, error.what, where=str(download.target), seen=error.seen)


def _active(work: Work) -> object:
    return None if work.target is None else work.target.index.active
