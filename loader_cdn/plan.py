"""What a feature lacks of the index that it is to have: a listed version stands and is right, or is to be brought."""

from __future__ import annotations

import os
from pathlib import Path

from artifact.errors import Code, ContentError, TransientError
from artifact.manifest import verify_manifest
from artifact.releases import Entry
from loader_cdn.accept import version_exists
from loader_cdn.disk import is_folder
from loader_cdn.root import Root
from loader_cdn.work import Work


class Planner:
    """Compares features with what stands of them below one root."""

    def __init__(self, root: Root) -> None:
        self._root = root

    def plan(self, work: Work) -> None:
        """Set `missing`, the active version first (L2). Raises DeliveryError and OSError."""
        assert work.target is not None
        folder = self._root.checker.layout.feature(work.feature_id)
        if os.path.lexists(folder) and not is_folder(folder):
            raise TransientError(
                Code.CONFLICT, "L15", "it stands in a feature's place; move it away", where=str(folder)
            )
        index = work.target.index
        entries = sorted(index.entries, key=lambda entry: entry.version != index.active)
        work.missing = [entry for entry in entries if not self._stands(work, entry)]

    def _stands(self, work: Work, entry: Entry) -> bool:
        disk = work.disk
        if entry.version in disk.versions and disk.releases is not None:
            verified_as = disk.releases.index.entry(entry.version)
            if verified_as == entry:
                return True
        path = self._root.checker.layout.version(work.feature_id, entry.version)
        if not os.path.lexists(path):
            return False
        try:
            disk.versions[entry.version] = self._root.checker.version(work.feature_id, entry)
        except ContentError as error:
            self._make_room(work, entry, path, error)
            return False
        return True

    def _make_room(self, work: Work, entry: Entry, path: Path, fault: ContentError) -> None:
        """A version of ours that no index in place lists, and that is wrong, gives way; any other stands."""
        if not self._root.inventory.has_version(work.feature_id, entry.version):
            raise version_exists(entry.version, "this manifest and its files", fault.message, str(path))
        self._check_same_manifest(work, entry, path)
        self._root.aside[work.feature_id, entry.version] = self._root.trash.put(path)

    def _check_same_manifest(self, work: Work, entry: Entry, path: Path) -> None:
        """T19: where a trusted key signed another manifest for this version, that one stands."""
        try:
            parsed = self._root.checker.manifest(work.feature_id, entry.version)
            manifest = verify_manifest(
                parsed, self._root.checker.trust, feature_id=work.feature_id, version=entry.version, at=None
            )
        except ContentError:
            return
        if manifest.sha256 != entry.manifest_sha256:
            raise version_exists(entry.version, manifest.sha256, entry.manifest_sha256, str(path))
