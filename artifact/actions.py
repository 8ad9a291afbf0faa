"""R6, R7: what may happen to a release index, as one state machine `ReleaseIndex -> ReleaseIndex`.

Each action returns the next state (sequence one higher), or the very object it was given where nothing would change.
What an action does not allow is `conflict`. `previous_sha256` is left for the commit to fill in, which alone knows the
bytes of the state before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from artifact.errors import Code, ContentError, TransientError
from artifact.fields import whole_seconds
from artifact.manifest import VerifiedManifest
from artifact.releases import Change, Entry, ReleaseIndex, Removal, Withdrawal
from artifact.versions import Version

SMALLEST_WINDOW = 4
"""Active, canary, just published, and the highest: so that the highest version ever listed is always known (R6)."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What an environment decides for its indexes. `releases_validity` None: indexes do not expire."""

    window: int = 5
    soak: timedelta = timedelta(minutes=30)
    releases_validity: timedelta | None = timedelta(days=90)
    remote_validity: timedelta | None = timedelta(days=7)

    def __post_init__(self) -> None:
        if self.window < SMALLEST_WINDOW:
            raise ValueError(f"a window of {self.window} is smaller than {SMALLEST_WINDOW}")


def publish(
    before: ReleaseIndex | None,
    manifest: VerifiedManifest,
    *,
    total_bytes: int,
    change: Change,
    now: datetime,
    policy: Policy,
) -> ReleaseIndex:
    """List a version, and make it active or canary as its manifest's channel says; a removed feature comes back.

    Raises what `check_publishable` raises.
    """
    version = manifest.manifest.version
    entry = _new_entry(manifest, total_bytes, now)
    if before is None:
        canary = version if manifest.manifest.channel == "canary" else None
        first = ReleaseIndex(manifest.manifest.feature_id, 0, version, (entry,), canary)
        return _next(first, change, now, policy)
    check_publishable(before, manifest)
    if before.entry(version) is not None:
        return before if before.removed is None else _next(replace(before, removed=None), change, now, policy)
    active, canary = before.active, before.canary
    if manifest.manifest.channel == "canary":
        canary = version if version > active else canary
    elif version > highest_ever(before):
        active, canary = version, None
    entries = tuple(sorted((*before.entries, entry), key=lambda e: e.version, reverse=True))
    after = replace(before, active=active, entries=entries, canary=canary, removed=None)
    return _next(_within_window(after, version, policy), change, now, policy)


def check_publishable(before: ReleaseIndex, manifest: VerifiedManifest) -> None:
    """Raises ContentError `version_withdrawn`, or `version_exists` where it is listed with another manifest."""
    version = manifest.manifest.version
    if before.withdrawal(version) is not None:
        raise ContentError(
            Code.VERSION_WITHDRAWN, "R6", f"{version} was withdrawn and cannot be published again", where=_name(before)
        )
    listed = before.entry(version)
    if listed is not None and listed.manifest_sha256 != manifest.sha256:
        raise ContentError(
            Code.VERSION_EXISTS,
            "B3",
            f"{version} is published with another manifest",
            where=_name(before),
            expected=listed.manifest_sha256,
            seen=manifest.sha256,
        )


def canary(before: ReleaseIndex, version: Version, *, change: Change, now: datetime, policy: Policy) -> ReleaseIndex:
    """Make a listed version, higher than the active one, the canary."""
    _listed(before, version)
    if not version > before.active:
        raise _conflict(before, f"a canary must be higher than the active version {before.active}", version)
    if before.canary == version:
        return before
    return _next(replace(before, canary=version), change, now, policy)


def promote(
    before: ReleaseIndex,
    version: Version | None,
    *,
    canary_since: datetime,
    force: bool,
    change: Change,
    now: datetime,
    policy: Policy,
) -> ReleaseIndex:
    """Make the canary the active version, after its soak time or by force with a reason.

    `version`, where given, must be the canary. `canary_since` is the `updatedAt` of the sequence that made it canary.
    """
    if before.canary is None:
        raise _conflict(before, "there is no canary to promote", version)
    if version is not None and version != before.canary:
        raise _conflict(before, f"the canary is {before.canary}", version)
    soaked = now - canary_since
    if soaked < policy.soak and not (force and change.reason):
        raise TransientError(
            Code.CONFLICT,
            "R6",
            f"canary {before.canary} has not soaked yet; wait, or force it with a reason",
            where=_name(before),
            expected=f"{int(policy.soak.total_seconds())} s",
            seen=f"{int(soaked.total_seconds())} s",
        )
    return _next(replace(before, active=before.canary, canary=None), change, now, policy)


def rollback(before: ReleaseIndex, version: Version, *, change: Change, now: datetime, policy: Policy) -> ReleaseIndex:
    """Make any other listed version the active one: a higher sequence, explained in `change` (R4)."""
    _listed(before, version)
    if version == before.active:
        raise _conflict(before, "it is the active version already", version)
    after = replace(before, active=version, canary=_still_above(before.canary, version))
    return _next(after, change, now, policy)


def withdraw(
    before: ReleaseIndex,
    version: Version,
    *,
    successor: Version | None,
    reason: str,
    change: Change,
    now: datetime,
    policy: Policy,
    left_window: Entry | None = None,
) -> ReleaseIndex:
    """Take a version away for good; the active one only with a listed successor.

    `left_window` is the version's last entry, where it is listed no more: it could still be published again.
    """
    if before.withdrawal(version) is not None:
        return before
    entry = before.entry(version) or left_window or _listed(before, version)
    active, canary = before.active, None if version == before.canary else before.canary
    if version == active:
        if successor is None or successor == version:
            raise _conflict(before, "the active version is withdrawn only with a successor", version)
        active = _listed(before, successor).version
        canary = _still_above(canary, active)
    elif successor is not None:
        raise _conflict(before, f"a successor is for the active version {active} only", version)
    gone = Withdrawal(version, entry.manifest_sha256, whole_seconds(now), reason)
    after = replace(
        before,
        active=active,
        entries=tuple(e for e in before.entries if e.version != version),
        canary=canary,
        withdrawn=(*before.withdrawn, gone),
    )
    return _next(after, change, now, policy)


def refresh(before: ReleaseIndex, *, change: Change, now: datetime, policy: Policy) -> ReleaseIndex:
    """A new signature and expiry, nothing else."""
    return _next(before, change, now, policy)


def remove(before: ReleaseIndex, *, change: Change, now: datetime, policy: Policy) -> ReleaseIndex:
    """Let the feature leave the remote index; it stays away until something is published again."""
    if before.removed is not None:
        return before
    removed = Removal(whole_seconds(now), change.reason or "removed")
    return _next(replace(before, removed=removed), change, now, policy)


def _next(after: ReleaseIndex, change: Change, now: datetime, policy: Policy) -> ReleaseIndex:
    moment = whole_seconds(now)
    return replace(
        after,
        sequence=after.sequence + 1,
        previous_sha256=None,
        updated_at=moment,
        expires_at=None if policy.releases_validity is None else moment + policy.releases_validity,
        change=change,
    )


def _new_entry(manifest: VerifiedManifest, total_bytes: int, now: datetime) -> Entry:
    return Entry(
        version=manifest.manifest.version,
        manifest_sha256=manifest.sha256,
        server_functions_sha256=manifest.manifest.server_functions_sha256,
        published_at=whole_seconds(now),
        bytes=total_bytes,
        files=len(manifest.manifest.files),
        git_sha=manifest.manifest.git_sha,
        build_url=manifest.manifest.build_url,
    )


def highest_ever(index: ReleaseIndex) -> Version:
    """The highest version that this feature ever listed: the window always holds it, or `withdrawn` does (R6, R7)."""
    return max([entry.version for entry in index.entries] + [gone.version for gone in index.withdrawn])


def _within_window(index: ReleaseIndex, just_published: Version, policy: Policy) -> ReleaseIndex:
    """R7: the active, the canary, the one just published, and the newest others."""
    named = {index.active, index.canary, just_published}
    others = [entry.version for entry in index.entries if entry.version not in named]
    named_listed = len(index.entries) - len(others)
    kept = set(others[: max(0, policy.window - named_listed)]) | named
    return replace(index, entries=tuple(entry for entry in index.entries if entry.version in kept))


def _still_above(version: Version | None, active: Version) -> Version | None:
    """A canary that the active version has reached is none any more."""
    return version if version is not None and version > active else None


def _listed(index: ReleaseIndex, version: Version) -> Entry:
    entry = index.entry(version)
    if entry is None:
        listed = ", ".join(e.version.text for e in index.entries)
        raise _conflict(index, f"not a listed version; listed are {listed}", version)
    return entry


def _conflict(index: ReleaseIndex, what: str, seen: Version | None) -> TransientError:
    return TransientError(Code.CONFLICT, "R6", what, where=_name(index), seen=None if seen is None else seen.text)


def _name(index: ReleaseIndex) -> str:
    return f"{index.feature_id} at sequence {index.sequence}"
