"""B2, B3, W2: a version is verified whole, claimed, written, and listed, in this order."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from artifact import actions
from artifact.errors import Code, ContentError
from artifact.manifest import VerifiedManifest, parse_manifest, verify_manifest
from artifact.releases import Change, ReleaseIndex, VerifiedReleases
from artifact.versions import Version
from publisher.claim import claim
from publisher.environment import Environment
from publisher.indexes import commit_releases, last_entry, releases_of
from publisher.sources import VerifiedVersion, VersionSource
from publisher.write import Progress, write


@dataclass(frozen=True, slots=True)
class Name:
    """A version of a feature."""

    feature_id: str
    version: Version


@dataclass(frozen=True, slots=True)
class Published:
    """What came of it. `unchanged`: it was published before and nothing was to do; `sent`: the bytes that went out,
    of `bytes` in all; `timings` in milliseconds.
    """

    feature_id: str
    version: str
    sequence: int
    active: str
    files: int
    bytes: int
    sent: int
    unchanged: bool
    timings: dict[str, int]


def publish(
    env: Environment,
    source: VersionSource,
    *,
    actor: str,
    reason: str | None = None,
    ticket: str | None = None,
    expected: Name | None = None,
    progress: Progress = lambda done, total: None,
) -> Published:
    """Publish a version into the release index of its feature; the remote index follows by `commit_remote`.

    `expected` is what the bundle's name promised. Nothing is written before all of the version is verified. Publishing
    the same again completes what is missing. Raises ContentError, or TransientError `conflict` where other bytes stand
    in a file's place.
    """
    timings: dict[str, int] = {}
    with _timed(timings, "verify"):
        version, before = _verified(env, source, expected)
    if before is not None and _left_window(env, before, version.manifest):
        return _published(before, version, sent=0, unchanged=True, timings=timings)
    with _timed(timings, "upload"):
        is_listed = before is not None and before.index.entry(version.manifest.manifest.version) is not None
        is_new = claim(env, version.manifest, is_listed=is_listed)
        sent = write(env, version, progress, is_new=is_new)
    with _timed(timings, "commit"):
        change = Change("publish", version.manifest.manifest.version.text, actor, reason, ticket)
        state, was_listed = _list(env, version, change, before)
    return _published(state, version, sent=sent, unchanged=was_listed and sent == 0, timings=timings)


def _verified(
    env: Environment, source: VersionSource, expected: Name | None
) -> tuple[VerifiedVersion, VerifiedReleases | None]:
    """B2: the signature, schema, scope, every path, size and hash, completeness; and that it may be published at all:
    a version that was withdrawn, or is listed with another manifest, is refused before its files are looked at.

    With it the newest release index that this was held against, None where there is none.
    """
    parsed = parse_manifest(source.manifest(), where=source.where, limits=env.limits)
    name = expected if expected is not None else Name(parsed.manifest.feature_id, parsed.manifest.version)
    state = releases_of(env, name.feature_id).head()
    entry = None if state is None else state.index.entry(name.version)
    is_listed = entry is not None and entry.manifest_sha256 == hashlib.sha256(parsed.data).hexdigest()
    # S6: a build key that has retired still vouches for what it signed before.
    at = entry.published_at if entry is not None and is_listed else None
    manifest = verify_manifest(
        parsed, env.trust, feature_id=name.feature_id, version=name.version, at=at if at is not None else env.clock()
    )
    if state is not None:
        actions.check_publishable(state.index, manifest)
    version = VerifiedVersion(manifest, source.files(manifest.manifest))
    _check_total(version, env, source.where)
    return version, state


def _left_window(env: Environment, newest: VerifiedReleases, manifest: VerifiedManifest) -> bool:
    """Whether the version was listed once and is no more.

    Then this is a late duplicate (B5): it must not push newer versions out of the window, nor bring objects back that
    retention removed (R7). Raises ContentError `version_exists` where another manifest was listed (B3). Only a version
    that is not higher than all before costs a walk through the history.
    """
    version = manifest.manifest.version
    if newest.index.entry(version) is not None or version > actions.highest_ever(newest.index):
        return False
    entry = last_entry(env, newest, version)
    if entry is not None and entry.manifest_sha256 != manifest.sha256:
        raise ContentError(
            Code.VERSION_EXISTS,
            "B3",
            f"{version} was published with another manifest",
            where=f"{newest.index.feature_id} at sequence {newest.index.sequence}",
            expected=entry.manifest_sha256,
            seen=manifest.sha256,
        )
    return entry is not None


def _published(
    state: VerifiedReleases, version: VerifiedVersion, *, sent: int, unchanged: bool, timings: dict[str, int]
) -> Published:
    return Published(
        feature_id=state.index.feature_id,
        version=version.manifest.manifest.version.text,
        sequence=state.index.sequence,
        active=state.index.active.text,
        files=len(version.files),
        bytes=version.total_bytes,
        sent=sent,
        unchanged=unchanged,
        timings=timings,
    )


def _list(
    env: Environment, version: VerifiedVersion, change: Change, seen: VerifiedReleases | None
) -> tuple[VerifiedReleases, bool]:
    """The release index that lists the version, and whether it did before; `seen` is the state of the first look."""
    was_listed = False

    def action(before: VerifiedReleases | None) -> ReleaseIndex:
        nonlocal was_listed
        index = None if before is None else before.index
        if before is not None and not _is_same(before, seen) and _left_window(env, before, version.manifest):
            was_listed = True  # somebody else listed it while we wrote, and it has gone out of the window since
            return before.index
        after = actions.publish(
            index,
            version.manifest,
            total_bytes=version.total_bytes,
            change=change,
            now=env.clock(),
            policy=env.policy,
        )
        was_listed = after is index
        return after

    return commit_releases(env, version.manifest.manifest.feature_id, action), was_listed


def _is_same(state: VerifiedReleases, seen: VerifiedReleases | None) -> bool:
    return seen is not None and state.sha256 == seen.sha256


def _check_total(version: VerifiedVersion, env: Environment, where: str) -> None:
    if version.total_bytes > env.limits.version_bytes:
        raise ContentError(
            Code.LIMIT_EXCEEDED,
            "P4",
            "the version is too large",
            where=where,
            expected=f"at most {env.limits.version_bytes} bytes",
            seen=version.total_bytes,
        )


@contextmanager
def _timed(timings: dict[str, int], step: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    timings[step] = round((time.monotonic() - began) * 1000)
