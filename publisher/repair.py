"""R5, T45: pointers are rolled forward or rebuilt from the immutable states, and lost changes are found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from artifact.errors import Code, DeliveryError
from artifact.releases import ReleaseIndex, VerifiedReleases
from artifact.remote_index import POINTER, FeatureWithdrawal, RemoteIndex
from publisher.chain import StoredStateError
from publisher.environment import Environment
from publisher.features import all_features, for_each
from publisher.indexes import releases_of, remote_of


@dataclass(frozen=True, slots=True)
class Repaired:
    """`moved`: features whose pointer was. `unlisted`: features that the remote index does not list as they stand.

    `heads`: their newest release indexes. `failed`: features that could not be looked at, and the remote index by the
    name of its pointer. `remote_moved`: the remote index's own pointer was moved.
    """

    moved: tuple[str, ...]
    unlisted: tuple[str, ...]
    heads: tuple[ReleaseIndex, ...]
    failed: dict[str, DeliveryError]
    remote_moved: bool


def repair(env: Environment, feature_ids: Iterable[str] | None = None) -> Repaired:
    """Roll the pointers of these features (None: of all) and of the remote index forward to the newest state, and
    compare what is stored with what is listed.

    Pointers that are missing or damaged are written anew. Nothing is signed here: what is unlisted is for
    `commit_remote`, at once or through the queue. While the remote index cannot be read, nothing is called unlisted.
    """
    moved: list[str] = []
    unlisted: list[str] = []
    heads: list[ReleaseIndex] = []
    failed: dict[str, DeliveryError] = {}
    listed, remote_moved = None, False
    try:
        remote, remote_moved = remote_of(env).roll_forward()
        listed = _Listed(None if remote is None else remote.index)
    except DeliveryError as error:
        failed[POINTER] = error
    known = () if listed is None else listed.sequences
    names = sorted({*all_features(env), *known}) if feature_ids is None else feature_ids
    for feature_id, result in for_each(iter(names), lambda name: _roll_forward(env, name, listed)):
        if isinstance(result, DeliveryError):
            failed[feature_id] = result
            continue
        state, was_moved = result
        if was_moved:
            moved.append(feature_id)
        if state is not None:
            heads.append(state.index)
        if state is not None and listed is not None and not listed.lists(state):
            unlisted.append(feature_id)
    return Repaired(tuple(moved), tuple(unlisted), tuple(heads), failed, remote_moved)


class _Listed:
    """What the remote index says of each feature. `sequences` are those of the release indexes that it names."""

    def __init__(self, remote: RemoteIndex | None) -> None:
        entries = () if remote is None else remote.entries
        self.sequences = {entry.feature_id: entry.sequence for entry in entries}
        self._hashes = {entry.feature_id: entry.releases_sha256 for entry in entries}
        self._gone = {gone.feature_id: gone for gone in (() if remote is None else remote.withdrawn)}

    def lists(self, state: VerifiedReleases) -> bool:
        """Whether `commit_remote` would have nothing to do for this newest state of a feature."""
        feature_id, removed = state.index.feature_id, state.index.removed
        if removed is None:
            return self._hashes.get(feature_id) == state.sha256
        gone = FeatureWithdrawal(feature_id, removed.at, removed.reason)
        return feature_id not in self._hashes and self._gone.get(feature_id) == gone


def _roll_forward(env: Environment, feature_id: str, listed: _Listed | None) -> tuple[VerifiedReleases | None, bool]:
    """As `Chain.roll_forward`. States only ever become more, so one that is listed and not there was taken away: to
    follow what is left would lead readers back (R4).
    """
    state, was_moved = releases_of(env, feature_id).roll_forward()
    newest = 0 if state is None else state.index.sequence
    expected = 0 if listed is None else listed.sequences.get(feature_id, 0)
    if newest < expected:
        raise StoredStateError(
            Code.FILE_MISSING,
            "R5",
            "the remote index lists a state that is not there any more",
            where=f"{feature_id}/releases.{expected}.json",
            expected=f"sequence {expected}",
            seen=f"sequence {newest}",
        )
    return state, was_moved
