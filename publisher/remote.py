"""I3: the remote index follows the release indexes, in commits of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime

from artifact.fields import whole_seconds
from artifact.releases import VerifiedReleases
from artifact.remote_index import FeatureWithdrawal, RemoteEntry, RemoteIndex, VerifiedRemoteIndex
from publisher.environment import Environment
from publisher.indexes import commit_remote_index, releases_of

WORKERS = 16


def commit_remote(env: Environment, feature_ids: Iterable[str]) -> VerifiedRemoteIndex | None:
    """Bring these features' entries up to their newest release indexes, in one commit; none where nothing changed.

    Returns the newest remote index; None where there is none and nothing to list.
    """
    wanted = sorted(set(feature_ids))
    now = env.clock()

    def change(before: RemoteIndex | None) -> RemoteIndex | None:
        # Read after `before` was, at every try: an entry never goes back behind what that remote index knew.
        return _updated(before, _heads(env, wanted), env, now)

    return commit_remote_index(env, change)


def _heads(env: Environment, feature_ids: Sequence[str]) -> list[VerifiedReleases]:
    """The newest release indexes of these features, of those that have any."""
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="heads") as pool:
        heads = pool.map(lambda feature_id: releases_of(env, feature_id).head(), feature_ids)
        return [head for head in heads if head is not None]


def refresh_remote(
    env: Environment, *, is_due: Callable[[RemoteIndex], bool] = lambda before: True
) -> VerifiedRemoteIndex | None:
    """I4: sign the remote index again with a new expiry, as a higher sequence, though nothing else changes.

    `is_due` is asked of the newest one, which somebody else may have signed a moment ago.
    """
    now = env.clock()
    return commit_remote_index(
        env, lambda before: _next(before, before, env, now) if before is not None and is_due(before) else None
    )


def _updated(
    before: RemoteIndex | None, releases: Iterable[VerifiedReleases], env: Environment, now: datetime
) -> RemoteIndex | None:
    base = before if before is not None else RemoteIndex(0, now, ())
    entries = {entry.feature_id: entry for entry in base.entries}
    withdrawn = {gone.feature_id: gone for gone in base.withdrawn}
    for state in releases:
        feature_id, removed = state.index.feature_id, state.index.removed
        if removed is not None:
            entries.pop(feature_id, None)
            withdrawn[feature_id] = FeatureWithdrawal(feature_id, removed.at, removed.reason)
        else:
            withdrawn.pop(feature_id, None)
            listed = entries.get(feature_id)
            entries[feature_id] = replace(RemoteEntry.of(state), rest=listed.rest if listed is not None else {})
    after = replace(
        base,
        entries=tuple(entries[feature_id] for feature_id in sorted(entries)),
        withdrawn=tuple(withdrawn[feature_id] for feature_id in sorted(withdrawn)),
    )
    return None if after == base else _next(after, base, env, now)


def _next(after: RemoteIndex, before: RemoteIndex, env: Environment, now: datetime) -> RemoteIndex:
    moment = whole_seconds(now)
    validity = env.policy.remote_validity
    return replace(
        after,
        sequence=before.sequence + 1,
        generated_at=moment,
        expires_at=None if validity is None else moment + validity,
        previous_sha256=None,
    )
