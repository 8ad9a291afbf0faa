"""I4: indexes are signed again well before they expire, also when nothing else changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from artifact import actions
from artifact.errors import DeliveryError
from artifact.releases import Change, ReleaseIndex, VerifiedReleases
from artifact.remote_index import POINTER, RemoteIndex
from publisher.environment import Environment
from publisher.features import all_features, for_each
from publisher.indexes import commit_releases, releases_of, remote_of
from publisher.remote import refresh_remote

ACTOR = "timer"
REMOTE_SHARE = 2
RELEASES_SHARE = 3
"""What is left of its validity when an index is signed again: one half, one third."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """`features`: whose release indexes were signed again; `remote`: whether the remote index was.

    `failed`: features that could not be, and the remote index by the name of its pointer.
    """

    features: tuple[str, ...]
    failed: dict[str, DeliveryError]
    remote: bool


def refresh_due(env: Environment) -> Refreshed:
    """Sign again what expires too soon; the remote index follows the release indexes when they are announced."""
    features: list[str] = []
    failed: dict[str, DeliveryError] = {}
    for feature_id, result in for_each(all_features(env), lambda name: _refresh(env, name)):
        if isinstance(result, DeliveryError):
            failed[feature_id] = result
        elif result:
            features.append(feature_id)
    remote = False
    try:
        remote = _refresh_remote(env)
    except DeliveryError as error:
        failed[POINTER] = error
    return Refreshed(tuple(features), failed, remote)


def _refresh(env: Environment, feature_id: str) -> bool:
    head = releases_of(env, feature_id).head()
    if head is None or not _is_due(head.index.expires_at, env.policy.releases_validity, RELEASES_SHARE, env.clock()):
        return False
    commit_releases(env, feature_id, lambda before: _signed_again(env, before))
    return True


def _signed_again(env: Environment, before: VerifiedReleases | None) -> ReleaseIndex:
    """The next state, or the one there is where somebody was faster."""
    assert before is not None, "states do not go away"
    now = env.clock()
    if not _is_due(before.index.expires_at, env.policy.releases_validity, RELEASES_SHARE, now):
        return before.index
    return actions.refresh(before.index, change=Change("refresh", None, ACTOR), now=now, policy=env.policy)


def _refresh_remote(env: Environment) -> bool:
    def is_due(index: RemoteIndex) -> bool:
        return _is_due(index.expires_at, env.policy.remote_validity, REMOTE_SHARE, env.clock())

    head = remote_of(env).head()
    if head is None or not is_due(head.index):
        return False
    refresh_remote(env, is_due=is_due)
    return True


def _is_due(expires_at: datetime | None, validity: timedelta | None, share: int, now: datetime) -> bool:
    """Whether less than `1/share` of its validity is left, or the policy has changed between none and some."""
    if expires_at is None or validity is None:
        return (expires_at is None) != (validity is None)
    return expires_at - now < validity / share
