"""S6: a new release key takes over. All that is still listed is signed again by it, without an outage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from artifact import actions
from artifact.documents import MANIFEST_LIMIT
from artifact.errors import Code, ConfigurationError, ContentError, DeliveryError
from artifact.fields import format_time
from artifact.manifest import parse_manifest, verify_manifest
from artifact.paths import MANIFEST
from artifact.releases import Change, Entry, ReleaseIndex, VerifiedReleases
from artifact.remote_index import POINTER
from artifact.versions import Version
from publisher.chain import StoredStateError
from publisher.environment import Environment
from publisher.features import all_features, for_each
from publisher.indexes import commit_releases, releases_of, remote_of
from publisher.release_key import check_release_key
from publisher.remote import commit_remote, refresh_remote

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Rotated:
    """`signed`: features signed again now; `already`: those that an earlier run did, or that are new enough.

    `failed`: features that are still signed by another key, and the remote index by the name of its pointer.
    `remote_sequence` is the remote index's, None where there is none or it failed.
    """

    signed: tuple[str, ...]
    already: tuple[str, ...]
    failed: dict[str, DeliveryError]
    remote_sequence: int | None


def rotate(env: Environment, change: Change, *, progress: Progress = lambda done, total: None) -> Rotated:
    """Sign every index again that another key than `env.signer` signed. What is done already is skipped, so that this
    may be stopped at any moment and run again.

    Raises ConfigurationError where readers would not trust the new key, or do not trust the old one any more.
    """
    features = list(all_features(env))
    check_keys(env, features)
    signed: list[str] = []
    already: list[str] = []
    failed: dict[str, DeliveryError] = {}
    results = for_each(iter(features), lambda name: _sign_again(env, name, change))
    for done, (feature_id, result) in enumerate(results, 1):
        progress(done, len(features))
        if isinstance(result, DeliveryError):
            failed[feature_id] = result
        elif result is not None:
            (signed if result else already).append(feature_id)
    remote_sequence = None
    try:
        remote_sequence = _follow(env, [*signed, *already])
    except DeliveryError as error:
        failed[POINTER] = error
    return Rotated(tuple(signed), tuple(already), failed, remote_sequence)


def check_keys(env: Environment, feature_ids: list[str]) -> None:
    """The trust store, as readers have it, holds the signing key with the roles, the scope and the time that it needs,
    and the key that signed the remote index so far. Raises ConfigurationError.
    """
    check_release_key(env.signer, env.trust)
    key_id, trusted = env.signer.key_id, env.trust.keys[env.signer.key_id]
    outside = [feature_id for feature_id in feature_ids if not trusted.covers(feature_id)]
    if outside:
        raise ConfigurationError("a feature outside the new key's scope", rule="S4", where=key_id, seen=outside[0])
    if trusted.valid_until is not None and env.clock() > trusted.valid_until:
        until = format_time(trusted.valid_until)
        raise ConfigurationError("the new key's time is over", rule="S6", where=key_id, seen=f"validUntil {until}")
    try:
        remote_of(env).head()
    except ContentError as error:
        if error.code is Code.KEY_UNKNOWN:
            raise ConfigurationError(
                "the old key is not in the trust store: readers need both until they have the new indexes",
                rule="S6",
                where=error.where,
                expected=error.expected,
                seen=error.seen,
            ) from error


@dataclass(slots=True)
class Dependents:
    """What one key still vouches for: the remote index, release indexes by feature, and listed versions."""

    remote_index: bool = False
    features: list[str] = field(default_factory=list)
    versions: list[tuple[str, Version, datetime | None]] = field(default_factory=list)
    """(feature id, version, publishedAt)"""

    @property
    def needed_until(self) -> datetime | None:
        """The earliest `validUntil` with which a build key still vouches for all of its listed versions."""
        return max((at for _, _, at in self.versions if at is not None), default=None)


@dataclass(frozen=True, slots=True)
class Dependencies:
    """All keys of the trust store by id, and what could not be looked at: features, and the remote index by the name of
    its pointer.
    """

    keys: dict[str, Dependents]
    failed: dict[str, DeliveryError]


def dependencies(env: Environment) -> Dependencies:
    """What each key still vouches for. One that vouches for nothing may be removed from trust stores, once readers
    have the newest indexes.
    """
    keys = {key_id: Dependents() for key_id in env.trust.keys}
    failed: dict[str, DeliveryError] = {}
    try:
        remote = remote_of(env).head()
        if remote is not None:
            keys[remote.key_id].remote_index = True
    except DeliveryError as error:
        failed[POINTER] = error
    for feature_id, found in for_each(all_features(env), lambda name: _signers(env, name)):
        if isinstance(found, DeliveryError):
            failed[feature_id] = found
        elif found is not None:
            head, builders = found
            keys[head.key_id].features.append(feature_id)
            for key_id, entry in builders:
                keys[key_id].versions.append((feature_id, entry.version, entry.published_at))
    return Dependencies(keys, failed)


def _sign_again(env: Environment, feature_id: str, change: Change) -> bool | None:
    """Whether it was signed now; None where there is nothing to sign: only a claim.

    A pointer that a run before left behind is moved: otherwise it would still show what the old key signed.
    """
    head, _ = releases_of(env, feature_id).roll_forward()
    if head is None:
        return None
    if head.key_id == env.signer.key_id:
        return False

    def action(before: VerifiedReleases | None) -> ReleaseIndex:
        assert before is not None, "states do not go away"
        if before.key_id == env.signer.key_id:
            return before.index  # somebody has just published
        return actions.refresh(before.index, change=change, now=env.clock(), policy=env.policy)

    commit_releases(env, feature_id, action)
    return True


def _follow(env: Environment, feature_ids: list[str]) -> int | None:
    """The remote index lists the new release indexes, and the new key signs it also where nothing else changed."""
    state = commit_remote(env, feature_ids)
    if state is not None and state.key_id != env.signer.key_id:
        state = refresh_remote(env)
    return None if state is None else state.index.sequence


def _signers(env: Environment, feature_id: str) -> tuple[VerifiedReleases, list[tuple[str, Entry]]] | None:
    """A feature's newest release index, and the key that signed the manifest of each version it lists."""
    head = releases_of(env, feature_id).head()
    if head is None:
        return None
    return head, [(_builder(env, feature_id, entry), entry) for entry in head.index.entries]


def _builder(env: Environment, feature_id: str, entry: Entry) -> str:
    name = f"{feature_id}/{entry.version}/{MANIFEST}"
    found = env.artifacts.read(name, limit=MANIFEST_LIMIT)
    if found is None:
        raise StoredStateError(Code.FILE_MISSING, "R2", "the manifest of a listed version is missing", where=name)
    parsed = parse_manifest(found.data, where=name, limits=env.limits)
    at = entry.published_at or env.clock()
    return verify_manifest(parsed, env.trust, feature_id=feature_id, version=entry.version, at=at).key_id
