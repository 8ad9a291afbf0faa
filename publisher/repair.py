"""R5, T45: pointers are rolled forward or rebuilt from the immutable states, and lost changes are found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from artifact.errors import DeliveryError
from artifact.releases import ReleaseIndex, VerifiedReleases
from artifact.remote_index import RemoteIndex
from publisher.environment import Environment
from publisher.features import all_features, for_each
from publisher.indexes import releases_of, remote_of


@dataclass(frozen=True, slots=True)
class Repaired:
    """`moved`: features whose pointer was. `unlisted`: features that the remote index does not list as they stand.

    `heads`: their newest release indexes. `failed`: features that could not be looked at. `remote_moved`: the remote
    index's own pointer was moved.
    """

    moved: tuple[str, ...]
    unlisted: tuple[str, ...]
    heads: tuple[ReleaseIndex, ...]
    failed: dict[str, DeliveryError]
    remote_moved: bool


def repair(env: Environment) -> Repaired:
    """Roll every pointer forward to the newest state, and compare what is stored with what is listed.

    Pointers that are missing or damaged are written anew. Nothing is signed here: what is unlisted is for
    `commit_remote`, at once or through the queue.
    """
    remote, remote_moved = remote_of(env).roll_forward()
    listed = _listed(None if remote is None else remote.index)
    moved: list[str] = []
    unlisted: list[str] = []
    heads: list[ReleaseIndex] = []
    failed: dict[str, DeliveryError] = {}
    for feature_id, result in for_each(all_features(env), lambda name: releases_of(env, name).roll_forward()):
        if isinstance(result, DeliveryError):
            failed[feature_id] = result
            continue
        state, was_moved = result
        if was_moved:
            moved.append(feature_id)
        if state is not None:
            heads.append(state.index)
        if state is not None and listed.get(feature_id) != _as_listed(state):
            unlisted.append(feature_id)
    return Repaired(tuple(moved), tuple(unlisted), tuple(heads), failed, remote_moved)


def _listed(remote: RemoteIndex | None) -> Mapping[str, str | None]:
    """The hash of the release index that the remote index names of each feature; None for one that left (I3)."""
    if remote is None:
        return {}
    gone = dict.fromkeys((withdrawal.feature_id for withdrawal in remote.withdrawn), None)
    return {**gone, **{entry.feature_id: entry.releases_sha256 for entry in remote.entries}}


def _as_listed(state: VerifiedReleases) -> str | None:
    return state.sha256 if state.index.removed is None else None
