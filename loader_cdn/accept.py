"""R4, R6, L7, L13: whether an index that a source offers may follow what stands. Decides; does no I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from artifact.errors import Code, ContentError
from artifact.freshness import State, check_expiry, check_sequence, check_withdrawn
from artifact.paths import Limits
from artifact.releases import ReleaseIndex, VerifiedReleases, parse_releases, verify_releases
from artifact.remote_index import RemoteEntry, VerifiedRemoteIndex, parse_remote_index, verify_remote_index
from artifact.trust import TrustStore
from artifact.versions import Version
from loader_cdn.disk import FeatureOnDisk
from loader_cdn.state import FeatureMemory, IndexMemory


@dataclass(frozen=True, slots=True)
class Judge:
    """Today's trust store, limits and time; `allow_expired` is L13's."""

    trust: TrustStore
    limits: Limits
    now: datetime
    allow_expired: bool = False

    def releases(
        self,
        data: bytes,
        *,
        where: str,
        feature_id: str,
        minimum: int,
        pinned: RemoteEntry | None,
        disk: FeatureOnDisk,
        memory: FeatureMemory,
    ) -> VerifiedReleases:
        """A release index that may take its place. Raises ContentError."""
        if pinned is not None:
            pinned.check_bytes(data, where=where)
        last = floor(memory, disk)
        known = last is not None and hashlib.sha256(data).hexdigest() == last.sha256
        parsed = parse_releases(data, where=where, limits=self.limits)
        offered = verify_releases(parsed, self.trust, feature_id=feature_id, at=None if known else self.now)
        if pinned is not None:
            pinned.check(offered, where=where)
        check_sequence(
            State(offered.index.sequence, offered.sha256),
            offered.index.previous_sha256,
            last=last,
            minimum=minimum,
            where=where,
        )
        if not known and not self.allow_expired:
            check_expiry(offered.index.expires_at, self.now, where=where)
        check_withdrawn(offered.index, withdrawn(memory, disk), where=where)
        _check_manifests(offered.index, disk, where=where)
        return offered

    def unchanged(self, standing: VerifiedReleases, *, where: str, minimum: int, pinned: RemoteEntry | None) -> None:
        """What stands is offered again: only the floor, and what a remote index says of it, may have changed."""
        if pinned is not None:
            pinned.check(standing, where=where)
        state = State(standing.index.sequence, standing.sha256)
        check_sequence(state, standing.index.previous_sha256, last=None, minimum=minimum, where=where)

    def remote_index(
        self, data: bytes, *, where: str, memory: IndexMemory, stored: VerifiedRemoteIndex | None
    ) -> VerifiedRemoteIndex:
        """A remote index that may follow the one accepted before. Raises ContentError."""
        last = _higher(None if memory.accepted is None else memory.accepted.state, _remote_state(stored))
        known = last is not None and hashlib.sha256(data).hexdigest() == last.sha256
        parsed = parse_remote_index(data, where=where, limits=self.limits)
        offered = verify_remote_index(parsed, self.trust, at=None if known else self.now)
        check_sequence(
            State(offered.index.sequence, offered.sha256),
            offered.index.previous_sha256,
            last=last,
            minimum=0,
            where=where,
        )
        if not known and not self.allow_expired:
            check_expiry(offered.index.expires_at, self.now, where=where)
        return offered


def floor(memory: FeatureMemory, disk: FeatureOnDisk) -> State | None:
    """L7: the higher of what is remembered and what is validly on disk."""
    on_disk = None if disk.releases is None else State(disk.releases.index.sequence, disk.releases.sha256)
    return _higher(None if memory.accepted is None else memory.accepted.state, on_disk)


def withdrawn(memory: FeatureMemory, disk: FeatureOnDisk) -> Collection[Version]:
    """R6: all versions whose withdrawal was accepted, as far as it is remembered or on disk."""
    on_disk = () if disk.releases is None else disk.releases.index.withdrawn
    return memory.withdrawn | {gone.version for gone in on_disk}


def check_standing(disk: FeatureOnDisk, memory: FeatureMemory, *, where: str) -> None:
    """L6: an index in place that an older one was put over is as wrong as a damaged one. Raises ContentError."""
    if disk.releases is not None:
        check_target(disk.releases, memory, where=where)


def check_target(releases: VerifiedReleases, memory: FeatureMemory, *, where: str) -> None:
    """R4, R6: nothing that is remembered forbids this index. Raises ContentError."""
    index = releases.index
    last = None if memory.accepted is None else memory.accepted.state
    check_sequence(State(index.sequence, releases.sha256), index.previous_sha256, last=last, minimum=0, where=where)
    check_withdrawn(index, memory.withdrawn, where=where)


def _check_manifests(offered: ReleaseIndex, disk: FeatureOnDisk, *, where: str) -> None:
    """T19: a version that was accepted keeps its manifest for ever."""
    if disk.releases is None:
        return
    for entry in offered.entries:
        accepted = disk.releases.index.entry(entry.version)
        if accepted is not None and accepted.manifest_sha256 != entry.manifest_sha256:
            raise version_exists(entry.version, accepted.manifest_sha256, entry.manifest_sha256, where)


def version_exists(version: Version, expected: str, seen: str, where: str) -> ContentError:
    """B3, L15: this version is there with another manifest, or with other files."""
    return ContentError(
        Code.VERSION_EXISTS,
        "B3",
        f"version {version} is there already, and is another; the first one stands",
        where=where,
        expected=expected,
        seen=seen,
    )


def _remote_state(remote: VerifiedRemoteIndex | None) -> State | None:
    return None if remote is None else State(remote.index.sequence, remote.sha256)


def _higher(one: State | None, other: State | None) -> State | None:
    states = [state for state in (one, other) if state is not None]
    return max(states, key=lambda state: state.sequence, default=None)
