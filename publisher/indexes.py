"""The two kinds of index as they stand in storage: read, verified, and committed by R5."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from artifact.documents import RELEASES_LIMIT, REMOTE_INDEX_LIMIT
from artifact.paths import Limits
from artifact.releases import Entry, ReleaseIndex, VerifiedReleases, bound_releases, parse_releases, verify_releases
from artifact.remote_index import (
    RemoteIndex,
    VerifiedRemoteIndex,
    bound_remote_index,
    parse_remote_index,
    verify_remote_index,
)
from artifact.trust import TrustStore
from artifact.versions import Version
from publisher.chain import Chain
from publisher.environment import Environment
from publisher.ports import Store

POINTER_MAX_AGE = 30


def releases_chain(
    store: Store, feature_id: str, trust: TrustStore, limits: Limits, pointer_max_age: int = POINTER_MAX_AGE
) -> Chain[VerifiedReleases]:
    """A feature's release indexes: `<featureId>/releases.json` and `<featureId>/releases.<n>.json`."""

    def verify(data: bytes, where: str) -> VerifiedReleases:
        parsed = parse_releases(data, where=where, limits=limits)
        return verify_releases(parsed, trust, feature_id=feature_id, at=None)

    def bound(data: bytes, where: str, sha256: str) -> VerifiedReleases:
        return bound_releases(parse_releases(data, where=where, limits=limits), sha256=sha256)

    return Chain(store, f"{feature_id}/releases", verify, bound, RELEASES_LIMIT, pointer_max_age)


def remote_chain(
    store: Store, trust: TrustStore, limits: Limits, pointer_max_age: int = POINTER_MAX_AGE
) -> Chain[VerifiedRemoteIndex]:
    """The environment's remote indexes: `remote-index.json` and `remote-index.<n>.json`."""

    def verify(data: bytes, where: str) -> VerifiedRemoteIndex:
        return verify_remote_index(parse_remote_index(data, where=where, limits=limits), trust, at=None)

    def bound(data: bytes, where: str, sha256: str) -> VerifiedRemoteIndex:
        return bound_remote_index(parse_remote_index(data, where=where, limits=limits), sha256=sha256)

    return Chain(store, "remote-index", verify, bound, REMOTE_INDEX_LIMIT, pointer_max_age)


def releases_of(env: Environment, feature_id: str) -> Chain[VerifiedReleases]:
    """`releases_chain` of an environment."""
    return releases_chain(env.artifacts, feature_id, env.trust, env.limits, env.pointer_max_age)


def remote_of(env: Environment) -> Chain[VerifiedRemoteIndex]:
    """`remote_chain` of an environment."""
    return remote_chain(env.artifacts, env.trust, env.limits, env.pointer_max_age)


def commit_releases(
    env: Environment, feature_id: str, action: Callable[[VerifiedReleases | None], ReleaseIndex]
) -> VerifiedReleases:
    """Commit one of R6's actions on top of whatever state is the newest. Raises what the action raises.

    An action that returns the index it was given changes nothing.
    """

    def change(before: VerifiedReleases | None) -> bytes | None:
        after = action(before)
        if before is not None and after is before.index:
            return None
        return replace(after, previous_sha256=None if before is None else before.sha256).signed(env.signer)

    state = releases_of(env, feature_id).commit(change)
    assert state is not None, "an action on nothing either creates a state or raises"
    return state


def last_entry(env: Environment, newest: VerifiedReleases, version: Version) -> Entry | None:
    """The entry of a version in the newest state that lists it; None where none ever did. Walks the history."""
    states = releases_of(env, newest.index.feature_id).history(newest)
    return next((entry for state in states if (entry := state.index.entry(version)) is not None), None)


def commit_remote_index(
    env: Environment, change: Callable[[RemoteIndex | None], RemoteIndex | None]
) -> VerifiedRemoteIndex | None:
    """Commit a change of the remote index; `change` returns None where there is nothing to change."""

    def signed(before: VerifiedRemoteIndex | None) -> bytes | None:
        after = change(None if before is None else before.index)
        if after is None:
            return None
        return replace(after, previous_sha256=None if before is None else before.sha256).signed(env.signer)

    return remote_of(env).commit(signed)
