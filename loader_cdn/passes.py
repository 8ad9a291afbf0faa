"""One pass: each feature goes its own way, from its source to its place, and none waits for another (L8).

What stands, what is offered, what is missing; bring it, swap it, tidy up. Only swaps are shared, for their syncs.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from artifact.documents import MANIFEST_LIMIT
from artifact.errors import DeliveryError
from artifact.paths import MANIFEST
from artifact.releases import Entry
from loader_cdn.accept import Judge, check_target
from loader_cdn.around import Around
from loader_cdn.bring import Swapper, fetch
from loader_cdn.cdn import checked_manifest, read_index, read_manifests
from loader_cdn.disk import read
from loader_cdn.durable import Syncer, disk_error
from loader_cdn.logs import REPORTED
from loader_cdn.origin import shown
from loader_cdn.plan import Planner
from loader_cdn.registrations import Registration
from loader_cdn.root import Root
from loader_cdn.stage import Sources, Staging, prepare
from loader_cdn.swap import Ready, swap
from loader_cdn.work import Answer, Work

log = logging.getLogger(__name__)


class Pass:
    """Visits of features of one root, whose lock is held (L11), with one trust store and one time.

    What goes wrong with a feature stays with it; `error` is the first fault that concerns no single one.
    """

    def __init__(self, around: Around, root: Root) -> None:
        self.around, self.root = around, root
        self.judge = Judge(around.trust, around.settings.limits, around.now, around.settings.allow_expired)
        self.error: DeliveryError | None = None
        self.is_touched = False
        """Whether anything may have changed that is to be written down."""
        self._planner = Planner(root)
        self._syncer = Syncer(root.layout.work)
        self._swapper = Swapper(around.transfer.tasks, self._swap)

    async def visit(self, registration: Registration, *, answer: Answer | None = None, is_stale: bool = False) -> Work:
        """All that can be done about one feature. `answer` is its source's, where it was asked before; `is_stale` says
        that the list which names it could not be renewed.
        """
        feature_id, self.is_touched = registration.feature_id, True
        work = Work(registration, self.root.feature(feature_id), self.root.memory.feature(feature_id), answer)
        work.is_stale = is_stale
        fault = registration.fault or self.root.stuck.get(feature_id)
        self._swapper.expect()
        try:
            if fault is not None:
                work.fail(fault)
            else:
                await read_index(work, self.around.transfer, self.judge)
            await self._put_in_place(work)
            if work.fall_back():
                await self._put_in_place(work)
        finally:
            self._swapper.forget()
        self.root.settle(work)
        self._tidy_up(work)
        self._say(work)
        return work

    def end(self) -> None:
        """When all visits are over: what left its place is deleted, what changed is written down."""
        self.root.trash.empty()
        if self.is_touched:
            self._save()

    def close(self) -> None:
        """Nothing that was verified in this pass appears any more."""
        self._swapper.close()

    def fail(self, error: DeliveryError) -> None:
        """What concerns no single feature. The first fault is the one to tell."""
        log.error("%s", error)
        if self.error is None:
            self.error = error

    @contextlib.contextmanager
    def faults(self, where: Path) -> Iterator[None]:
        """What goes wrong in the block concerns no single feature."""
        try:
            yield
        except DeliveryError as error:
            self.fail(error)
        except OSError as error:
            self.fail(disk_error(error, where))

    # What is missing

    async def _put_in_place(self, work: Work) -> None:
        """Its target, if it is not there."""
        if work.is_wanted:
            with work.faults(self.root.layout.feature(work.feature_id)):
                self._planner.plan(work)
        if work.is_wanted:
            wanted = [entry for entry in work.missing if not self._read_staged_manifest(work, entry)]
            await read_manifests(work, wanted, self.around.transfer, self.root.checker)
        if work.is_wanted:
            with work.faults(self.root.layout.staging):
                await self._bring(work)

    async def _bring(self, work: Work) -> None:
        around, sources = self.around, self.root.sources(work.feature_id)
        ready = Ready(work, [self._prepare(work, entry, sources) for entry in work.missing])
        await fetch(ready, around.transfer, around.settings.limits, around.progress, self._syncer)
        if work.is_wanted:
            await self._swapper.join(ready)

    def _read_staged_manifest(self, work: Work, entry: Entry) -> bool:
        """Whether an interrupted run left the right manifest."""
        path = self.root.layout.staged(work.feature_id, entry.version, entry.manifest_sha256) / MANIFEST
        with contextlib.suppress(DeliveryError):  # whatever is wrong with it: it is fetched again, and judged again
            data = read(path, MANIFEST_LIMIT)
            if data is not None:
                work.manifests[entry.version] = checked_manifest(data, str(path), work, entry, self.root.checker)
                return True
        return False

    def _prepare(self, work: Work, entry: Entry, sources: Sources) -> Staging:
        root = self.root
        aside = root.aside.get((work.feature_id, entry.version))
        hasher = self.around.hasher
        return prepare(work, entry, root.layout, aside=aside, sources=sources, hasher=hasher, trash=root.trash)

    def _swap(self, batch: Sequence[Ready]) -> None:
        for ready in batch:
            self._check_again(ready.work)
        for work in swap(batch, self.root.layout, self.root.inventory, self._syncer):
            self.root.settle(work)
        for ready in batch:
            for staging in ready.stagings:
                folder = self.root.layout.version(ready.work.feature_id, staging.entry.version)
                self.around.known.note(folder, staging.manifest.sha256, self.around.now)
        self._save()

    def _check_again(self, work: Work) -> None:
        """R4, R6: it may have taken long to come here."""
        if work.target is not None:
            with work.faults():
                check_target(work.target, work.memory, where=shown(work.registration.index_url))

    # What is not needed any more

    def _tidy_up(self, work: Work) -> None:
        root, feature_id = self.root, work.feature_id
        self.take_revoked_away(feature_id)
        with work.faults(root.layout.feature(feature_id)):
            root.tidy.versions(work.disk, work.memory, root.revoked_versions(work.disk))
            if not work.disk.is_in_place:
                root.tidy.empty_folder(feature_id)
        root.warn_expired(work.disk)
        needed = self._still_needed(work)
        if needed is not None:
            with self.faults(root.layout.staging):
                root.tidy.staging(feature_id, needed)

    def take_revoked_away(self, feature_id: str) -> None:
        """S5: where nobody who is trusted vouches for what stands, and nothing took its place."""
        root = self.root
        is_ours = feature_id in root.revoked and feature_id in root.inventory.features
        if is_ours and not root.feature(feature_id).is_in_place:
            with self.faults(root.layout.feature(feature_id)):
                root.tidy.revoked(feature_id)
        root.revoked.discard(feature_id)

    def _still_needed(self, work: Work) -> set[Path] | None:
        """What the next pass can go on from; None where it is not known what it will need."""
        if work.error is None:
            return set()
        layout = self.root.layout
        return {layout.staged_version(work.feature_id, m) for m in work.manifests.values()} or None

    def _save(self) -> None:
        with self.faults(self.root.layout.work):
            self.root.ledger.save()

    def _say(self, work: Work) -> None:
        row = work.row()
        if row.error is not None:
            log.error("%s: %s: %s", row.feature_id, row.result, row.error, extra=REPORTED)
