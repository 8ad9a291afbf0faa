"""One root, its lock held: what stands there, what the loader brought, and what it remembers (L6, L7, L15)."""

from __future__ import annotations

import logging
from pathlib import Path

from artifact.errors import ContentError, DeliveryError, TransientError
from artifact.freshness import State, is_expired
from artifact.manifest import verify_manifest
from artifact.versions import Version
from loader_cdn.accept import check_standing
from loader_cdn.around import Around
from loader_cdn.disk import Checker, FeatureOnDisk
from loader_cdn.durable import disk_error
from loader_cdn.known import Identity, identity
from loader_cdn.ledger import Ledger
from loader_cdn.stage import Sources, add_sources
from loader_cdn.state import Accepted
from loader_cdn.tidy import REVOKED, Tidy
from loader_cdn.trash import Trash
from loader_cdn.work import Work

log = logging.getLogger(__name__)


class Root:
    """What stands is verified once, when it is first asked for; what is wrong is moved out of sight at once.

    `aside` says where versions are now that stood wrong, `stuck` which features could not be dealt with, `revoked` for
    which ones nobody who is trusted vouches any more.
    """

    def __init__(self, around: Around, ledger: Ledger) -> None:
        settings = around.settings
        self.layout = ledger.layout
        self.ledger = ledger
        self.memory, self.inventory = ledger.memory, ledger.inventory
        self.trash = Trash(self.layout.trash)
        self.checker = Checker(self.layout, around.trust, settings.limits, around.now, around.hasher, around.known)
        self.tidy = Tidy(self.layout, self.inventory, self.memory, self.trash, around.now, settings.grace)
        self.aside: dict[tuple[str, Version], Path] = {}
        self.stuck: dict[str, DeliveryError] = {}
        ledger.forget_untrusted(around.trust)
        self.revoked = ledger.revoked
        self._around = around
        self._disks: dict[str, FeatureOnDisk] = {}
        self._sources: Sources = {}

    def feature(self, feature_id: str) -> FeatureOnDisk:
        """What stands of a feature."""
        if feature_id not in self._disks:
            self._disks[feature_id] = self._survey(feature_id)
        return self._disks[feature_id]

    def sources(self, feature_id: str) -> Sources:
        """Files of right versions that the loader brought (L5): of this feature, and of those asked for before."""
        for version, manifest in self.feature(feature_id).versions.items():
            if self.inventory.has_version(feature_id, version):
                add_sources(self._sources, self.layout.version(feature_id, version), manifest.manifest.files)
        return self._sources

    def revoked_versions(self, standing: FeatureOnDisk) -> set[Version]:
        """S5: versions that no index lists any more, and that nobody who is trusted vouches for either."""
        brought = self.inventory.features.get(standing.feature_id)
        unlisted = set() if brought is None else brought.versions - standing.versions.keys()
        return {version for version in unlisted if self._is_revoked(standing.feature_id, version)}

    def settle(self, work: Work) -> None:
        """Remember the index that stands (L7), and what it withdraws (R6)."""
        standing = work.disk.releases
        if standing is None or not work.disk.is_in_place:
            return
        state = State(standing.index.sequence, standing.sha256)
        accepted = work.memory.accepted
        if accepted is None or accepted.state.sequence <= state.sequence:  # R4
            work.memory.accepted = Accepted.of(state, standing.key_id, self._around.trust)
        work.memory.withdrawn |= {gone.version for gone in standing.index.withdrawn}
        if work.target is standing:
            work.memory.etag = work.etag
        if work.feature_id in self.inventory.features:
            brought = self.inventory.features[work.feature_id]
            brought.origin, brought.by = work.registration.origin, work.registration.by

    def standing(self, feature_id: str) -> dict[Path, Identity | None]:
        """The index and version folders of a feature that stand, and what shows that they are the same later."""
        versions = self.feature(feature_id).versions
        paths = [self.layout.releases(feature_id), *(self.layout.version(feature_id, each) for each in versions)]
        return {path: identity(path) for path in paths}

    def warn_expired(self, standing: FeatureOnDisk) -> None:
        """L13: what was accepted and has expired since goes on being served, visibly."""
        if standing.releases is not None and is_expired(standing.releases.index.expires_at, self._around.now):
            log.warning(
                "%s: the release index has expired; it is served until there is a newer one", standing.feature_id
            )

    def _is_revoked(self, feature_id: str, version: Version) -> bool:
        try:
            parsed = self.checker.manifest(feature_id, version)
            verify_manifest(parsed, self._around.trust, feature_id=feature_id, version=version, at=None)
        except ContentError as error:
            return error.code in REVOKED
        return False

    def _survey(self, feature_id: str) -> FeatureOnDisk:
        try:
            found = self.checker.survey(feature_id)
        except TransientError as error:  # nothing is known of what stands: nothing of it is touched (L8)
            self.stuck[feature_id] = error
            return FeatureOnDisk(feature_id)
        try:
            check_standing(found, self.memory.feature(feature_id), where=str(self.layout.releases(feature_id)))
        except ContentError as error:
            found.releases, found.wrong_releases = None, error
        if any(fault.code in REVOKED for fault in found.faults):
            self.revoked.add(feature_id)
        try:
            for version, path in self.tidy.move_wrong_aside(found):
                self.aside[feature_id, version] = path
        except OSError as error:
            self.stuck[feature_id] = disk_error(error, self.layout.trash)
            log.error("%s: what is wrong cannot be moved aside: %s", feature_id, self.stuck[feature_id])
        return found
