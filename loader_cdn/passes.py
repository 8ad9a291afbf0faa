"""One pass over all features: what stands, what is wanted, what is missing; bring it, swap it, tidy up, report."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from artifact.documents import MANIFEST_LIMIT, REMOTE_INDEX_LIMIT
from artifact.errors import Code, ContentError, DeliveryError, TransientError
from artifact.paths import MANIFEST
from artifact.releases import Entry
from artifact.remote_index import RemoteIndex
from loader_cdn.accept import Judge
from loader_cdn.around import Around
from loader_cdn.bring import Bringer
from loader_cdn.brought import Origin
from loader_cdn.cdn import checked_manifest, index_request, read_indexes, read_manifests
from loader_cdn.disk import FeatureOnDisk, read
from loader_cdn.durable import Syncer, disk_error
from loader_cdn.logs import REPORTED
from loader_cdn.plan import Planner
from loader_cdn.quiet import Quiet
from loader_cdn.registrations import Registration, resolve
from loader_cdn.remote import Remote, read_remote_index
from loader_cdn.report import Report, Result, Row
from loader_cdn.root import Root
from loader_cdn.stage import Sources, Staging, prepare
from loader_cdn.swap import Ready, swap
from loader_cdn.transfer import DocumentRequest
from loader_cdn.work import Work

log = logging.getLogger(__name__)


class Pass:
    """One pass over a root whose lock is held (L11). What goes wrong with a feature stays with it, in its row.

    Raises TransientError `storage_full` where the loader's own directory cannot be read.
    """

    def __init__(self, around: Around) -> None:
        self._around = around
        self._settings = around.settings
        self._judge = Judge(around.trust, around.settings.limits, around.now, around.settings.allow_expired)
        self._root = Root(around)
        self._error: DeliveryError | None = None
        self._works: list[Work] = []
        self._remote: RemoteIndex | None = None

    def run(self) -> Report:
        """Do all that can be done, and say what came of it."""
        # What is wrong on disk goes out of sight before anything is waited for (L6).
        for feature_id in sorted(self._root.inventory.features.keys() | self._settings.features.keys()):
            self._root.feature(feature_id)
        remote = self._read_remote_index()
        works = [self._work(registration, remote) for registration in self._registrations(remote)]
        self._works, self._remote = works, None if remote.index is None else remote.index.index
        read_indexes([work for work in works if work.error is None], self._around.transfer, self._judge)
        self._put_in_place([work for work in works if work.is_wanted])
        self._put_in_place([work for work in works if work.fall_back()])
        for work in works:
            self._root.settle(work)
        lost = self._leave(works, remote)
        self._tidy_up(works)
        self._save()
        complete = self._settings.remote_index is None or remote.index is not None
        return self._report(works, lost, complete)

    def quiet(self) -> Quiet | None:
        """What has to change before another pass has anything to do (L14); None where this one has left something."""
        root, works = self._root, self._works
        leaving = any(memory.left or memory.leaving for memory in root.memory.features.values())
        if self._error is not None or leaving or any(work.row().error is not None for work in works):
            return None
        sources = self._sources()
        if sources is None:
            return None
        return Quiet(self._around.trust, sources, root.standing(), self._around.now, self._until())

    def _sources(self) -> list[DocumentRequest] | None:
        """All that a pass asks first; None where a source gave no ETag to ask it by."""
        remote, url = self._root.memory.remote_index, self._settings.remote_index
        found = [index_request(work) for work in self._works if work.registration.pinned is None]
        if url is not None:
            accepted = None if remote.accepted is None else remote.accepted.state.sha256
            found.append(DocumentRequest(url, REMOTE_INDEX_LIMIT, remote.etag_for(url, accepted)))
        return found if all(request.etag is not None for request in found) else None

    def _until(self) -> datetime | None:
        """When something expires, or is to be hashed again."""
        known = self._around.known.oldest()
        moments = [work.disk.releases.index.expires_at for work in self._works if work.disk.releases is not None]
        moments.append(None if self._remote is None else self._remote.expires_at)
        moments.append(None if known is None else known + self._around.known.again)
        return min((moment for moment in moments if moment is not None), default=None)

    # What is wanted

    def _read_remote_index(self) -> Remote:
        url = self._settings.remote_index
        if url is None:
            return Remote()
        root = self._root
        remote = read_remote_index(url, root.layout, root.memory.remote_index, self._judge, self._around.transfer)
        if remote.error is not None:
            self._fail(remote.error)
        return remote

    def _registrations(self, remote: Remote) -> list[Registration]:
        return resolve(self._settings, None if remote.index is None else remote.index.index)

    def _work(self, registration: Registration, remote: Remote) -> Work:
        feature_id = registration.feature_id
        work = Work(registration, self._root.feature(feature_id), self._root.memory.feature(feature_id))
        work.is_stale = registration.origin is Origin.REMOTE_INDEX and remote.error is not None
        if feature_id in self._root.stuck:
            work.fail(self._root.stuck[feature_id])
        return work

    # What is missing

    def _put_in_place(self, works: Sequence[Work]) -> None:
        self._plan(works)
        self._read_manifests(works)
        self._bring(works)

    def _plan(self, works: Iterable[Work]) -> None:
        planner = Planner(self._root)
        for work in works:
            with work.faults(self._root.layout.feature(work.feature_id)):
                planner.plan(work)

    def _read_manifests(self, works: Iterable[Work]) -> None:
        wanted = [
            (work, entry)
            for work in works
            if work.is_wanted
            for entry in work.missing
            if not self._read_staged_manifest(work, entry)
        ]
        read_manifests(wanted, self._around.transfer, self._root.checker)

    def _read_staged_manifest(self, work: Work, entry: Entry) -> bool:
        """Whether an interrupted run left the right manifest."""
        path = self._root.layout.staged(work.feature_id, entry.version, entry.manifest_sha256) / MANIFEST
        with contextlib.suppress(ContentError):  # whatever is wrong with it: it is fetched again, and judged again
            data = read(path, MANIFEST_LIMIT)
            if data is not None:
                work.manifests[entry.version] = checked_manifest(data, str(path), work, entry, self._root.checker)
                return True
        return False

    def _bring(self, works: Iterable[Work]) -> None:
        sources = self._root.sources()
        ready = []
        for work in works:
            with work.faults(self._root.layout.staging):
                stagings = [self._prepare(work, entry, sources) for entry in work.missing if work.is_wanted]
                if work.is_wanted:
                    ready.append(Ready(work, stagings))
        around, syncer = self._around, Syncer(self._root.layout.work)
        swap_all = functools.partial(self._swap, syncer)
        Bringer(around.transfer, self._settings.limits, around.progress, syncer, swap_all).bring(ready)

    def _prepare(self, work: Work, entry: Entry, sources: Sources) -> Staging:
        root = self._root
        aside = root.aside.get((work.feature_id, entry.version))
        hasher = self._around.hasher
        return prepare(work, entry, root.layout, aside=aside, sources=sources, hasher=hasher, trash=root.trash)

    def _swap(self, syncer: Syncer, batch: Sequence[Ready]) -> None:
        for work in swap(batch, self._root.layout, self._root.inventory, syncer):
            self._root.settle(work)
        for ready in batch:
            for staging in ready.stagings:
                folder = self._root.layout.version(ready.work.feature_id, staging.entry.version)
                self._around.known.note(folder, staging.manifest.sha256, self._around.now)
        self._save()

    # What is not needed any more

    def _leave(self, works: Iterable[Work], remote: Remote) -> list[Row]:
        """Features that are not registered any more go, in time (L12); those that a remote index lost without a word
        stay (T11), and are told.
        """
        root = self._root
        unregistered = root.inventory.features.keys() - {work.feature_id for work in works}
        lost = {feature_id for feature_id in unregistered if self._is_lost(feature_id, remote)}
        with self._faults(root.layout.root):
            root.tidy.features(sorted(unregistered - lost))
        for feature_id in sorted(lost):
            log.warning("%s: the remote index neither lists nor withdraws it: it is kept", feature_id)
        return [_lost_row(root.feature(feature_id)) for feature_id in lost]

    def _is_lost(self, feature_id: str, remote: Remote) -> bool:
        if self._settings.remote_index is None:
            return False
        if self._root.inventory.features[feature_id].origin is not Origin.REMOTE_INDEX:
            return False
        withdrawn = () if remote.index is None else remote.index.index.withdrawn
        return feature_id not in {gone.feature_id for gone in withdrawn}

    def _tidy_up(self, works: Sequence[Work]) -> None:
        root = self._root
        for feature_id in sorted(root.revoked & root.inventory.features.keys()):
            if not root.feature(feature_id).is_in_place:
                with self._faults(root.layout.feature(feature_id)):
                    root.tidy.revoked(feature_id)
        for work in works:
            with work.faults(root.layout.feature(work.feature_id)):
                root.tidy.versions(work.disk, work.memory, root.revoked_versions(work.disk))
                if not work.disk.is_in_place:
                    root.tidy.empty_folder(work.feature_id)
            root.warn_expired(work.disk)
        with self._faults(root.layout.staging):
            root.tidy.staging(self._still_needed(works))
        root.trash.empty()

    def _still_needed(self, works: Iterable[Work]) -> dict[str, set[Path] | None]:
        """What the next pass can go on from, by feature that failed; None where it is not known what it will need."""
        layout = self._root.layout
        return {
            work.feature_id: {layout.staged_version(work.feature_id, m) for m in work.manifests.values()} or None
            for work in works
            if work.error is not None
        }

    def _save(self) -> None:
        with self._faults(self._root.layout.work):
            self._root.save()

    @contextlib.contextmanager
    def _faults(self, where: Path) -> Iterator[None]:
        """What goes wrong in the block concerns no single feature."""
        try:
            yield
        except DeliveryError as error:
            self._fail(error)
        except OSError as error:
            self._fail(disk_error(error, where))

    def _fail(self, error: DeliveryError) -> None:
        """The first fault is the one to tell."""
        log.error("%s", error)
        if self._error is None:
            self._error = error

    def _report(self, works: Iterable[Work], lost: Iterable[Row], complete: bool) -> Report:
        if self._around.stop():
            self._fail(TransientError(Code.TRANSPORT_FAILED, "L11", "stopped; the next run goes on from here"))
        rows = sorted([*(work.row() for work in works), *lost], key=lambda row: row.feature_id)
        for row in rows:
            if row.error is not None:
                log.error("%s: %s: %s", row.feature_id, row.result, row.error, extra=REPORTED)
        return Report(str(self._root.layout.root), self._error, rows, complete)


def _lost_row(standing: FeatureOnDisk) -> Row:
    """T11: where it does not stand any more, nobody says where it could come from."""
    if standing.releases is not None and standing.is_in_place:
        return Row(standing.feature_id, Result.KEPT, standing.releases.index)
    what = "the remote index does not list it any more, and what stood is gone or wrong"
    return Row(standing.feature_id, Result.FAILED, None, TransientError(Code.NOT_FOUND, "I3", what))
