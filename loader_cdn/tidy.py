"""L8, L12, L15: what nobody needs any more goes, when its time has come; only what the loader brought goes at all."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from artifact.documents import RELEASES_LIMIT
from artifact.errors import Code
from artifact.fields import whole_seconds
from artifact.versions import Version
from loader_cdn.brought import Brought, Inventory
from loader_cdn.disk import FeatureOnDisk, read
from loader_cdn.durable import fsync
from loader_cdn.layout import Layout
from loader_cdn.state import FeatureMemory, Memory
from loader_cdn.trash import Trash

log = logging.getLogger(__name__)

REVOKED = frozenset({Code.KEY_UNKNOWN, Code.KEY_NOT_ALLOWED})
"""Faults of what stands that mean: not damaged, but vouched for by nobody any more."""


@dataclass(frozen=True, slots=True)
class Tidy:
    """Removes from one root. `grace` is how long a host may still read what is not listed any more. Its methods raise
    OSError.
    """

    layout: Layout
    inventory: Inventory
    memory: Memory
    trash: Trash
    now: datetime
    grace: timedelta

    def move_wrong_aside(self, disk: FeatureOnDisk) -> list[tuple[Version, Path]]:
        """L6: what is wrong of our own leaves, the index first; which versions, and where they are now."""
        if not disk.faults:
            return []
        for fault in disk.faults:
            log.error("%s: wrong on disk: %s", disk.feature_id, fault)
        standing = None if disk.releases is None else disk.releases.sha256
        if self.inventory.has_releases(disk.feature_id, standing):
            disk.moved_aside = self._trash(self.layout.releases(disk.feature_id)) is not None
        moved = []
        for version in disk.wrong_versions:
            if self.inventory.has_version(disk.feature_id, version):
                path = self._trash(self.layout.version(disk.feature_id, version))
                if path is not None:
                    moved.append((version, path))
        return moved

    def versions(self, disk: FeatureOnDisk, memory: FeatureMemory, revoked: Collection[Version]) -> None:
        """Versions that the index in place does not list: withdrawn and `revoked` ones go at once, others after the
        grace period.
        """
        brought = self.inventory.features.get(disk.feature_id)
        if brought is None or disk.releases is None or not disk.is_in_place:
            return
        listed = {entry.version for entry in disk.releases.index.entries}
        withdrawn = memory.withdrawn | {gone.version for gone in disk.releases.index.withdrawn}
        memory.left = {version: since for version, since in memory.left.items() if version in brought.versions - listed}
        for version in sorted(brought.versions - listed):
            since = min(memory.left.get(version, self._today), self._today)  # a clock may have been wrong (T38)
            if version in withdrawn or version in revoked:
                why = "was withdrawn" if version in withdrawn else "is vouched for by nobody who is trusted"
                log.warning("%s: %s %s: it is removed", disk.feature_id, version, why)
            elif self._is_over(since):
                log.info("%s: %s is not listed any more: it is removed", disk.feature_id, version)
            else:
                memory.left[version] = since
                continue
            self._remove_version(disk.feature_id, version, brought)
            memory.left.pop(version, None)

    def revoked(self, feature_id: str) -> None:
        """S5: what only a key vouched for that is trusted no more goes at once, where it could not be replaced."""
        log.error("%s: nobody who is trusted vouches for it any more: it is taken away", feature_id)
        self._remove_feature(feature_id)

    def features(self, gone: Iterable[str]) -> None:
        """L12: features that are not registered any more go after the grace period."""
        for feature_id in gone:
            memory = self.memory.feature(feature_id)
            if memory.leaving is None or memory.leaving > self._today:
                memory.leaving = self._today
                log.warning("%s: not registered any more; it goes in %d s", feature_id, self.grace.total_seconds())
            if self._is_over(memory.leaving):
                log.warning("%s: not registered any more: it is removed", feature_id)
                self._remove_feature(feature_id)
                memory.leaving = None
                memory.left.clear()

    def staging(self, feature_id: str, needed: Collection[Path]) -> None:
        """What was staged of a feature and is not `needed`."""
        folder = self.layout.staging / feature_id
        for path in _contents(folder):
            if path not in needed:
                self.trash.put(path)
        with contextlib.suppress(OSError):
            folder.rmdir()

    def abandoned_staging(self, wanted: Collection[str]) -> None:
        """What was staged of features that nobody wants any more."""
        for folder in _contents(self.layout.staging):
            if folder.name not in wanted:
                self.trash.put(folder)

    def empty_folder(self, feature_id: str) -> None:
        """L3: no empty feature directory is left."""
        with contextlib.suppress(OSError):
            self.layout.feature(feature_id).rmdir()

    @property
    def _today(self) -> datetime:
        return whole_seconds(self.now)

    def _is_over(self, since: datetime) -> bool:
        return self.now - since >= self.grace

    def _remove_feature(self, feature_id: str) -> None:
        brought = self.inventory.features.get(feature_id)
        if brought is None:
            return
        releases = self.layout.releases(feature_id)
        data = read(releases, RELEASES_LIMIT)
        if data is not None and hashlib.sha256(data).hexdigest() in brought.releases:
            self._trash(releases)
        for version in sorted(brought.versions):
            self._remove_version(feature_id, version, brought)
        self.empty_folder(feature_id)
        del self.inventory.features[feature_id]

    def _remove_version(self, feature_id: str, version: Version, brought: Brought) -> None:
        self._trash(self.layout.version(feature_id, version))
        brought.versions.discard(version)

    def _trash(self, path: Path) -> Path | None:
        """Durably: after a power cut no index is back whose versions left after it, and no version in part (T31)."""
        try:
            moved = self.trash.put(path)
        except FileNotFoundError:
            return None
        fsync(path.parent)
        return moved


def _contents(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
