"""S6: a new release key takes over. All that is still listed is signed again by it, without an outage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from artifact import actions
from artifact.documents import MANIFEST_LIMIT
from artifact.errors import ConfigurationError, DeliveryError
from artifact.manifest import parse_manifest, verify_manifest
from artifact.paths import MANIFEST
from artifact.releases import Change, ReleaseIndex, VerifiedReleases
from artifact.trust import Role
from publisher.environment import Environment
from publisher.features import all_features, for_each
from publisher.indexes import commit_releases, releases_of, remote_of
from publisher.remote import commit_remote, refresh_remote

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Rotated:
    """`signed`: features signed again now; `already`: those that an earlier run did, or that are new enough.

    `remote_sequence` is the remote index's, None where there is none.
    """

    signed: tuple[str, ...]
    already: tuple[str, ...]
    failed: dict[str, DeliveryError]
    remote_sequence: int | None


def rotate(env: Environment, change: Change, *, progress: Progress = lambda done, total: None) -> Rotated:
    """Sign every index again that another key than `env.signer` signed. What is done already is skipped, so that this
    may be stopped at any moment and run again.

    Raises ConfigurationError where readers would not trust the new key.
    """
    features = list(all_features(env))
    check_key(env, features)
    signed: list[str] = []
    already: list[str] = []
    failed: dict[str, DeliveryError] = {}
    results = for_each(iter(features), lambda name: _sign_again(env, name, change))
    for done, (feature_id, result) in enumerate(results, 1):
        progress(done, len(features))
        if isinstance(result, DeliveryError):
            failed[feature_id] = result
        else:
            (signed if result else already).append(feature_id)
    return Rotated(tuple(signed), tuple(already), failed, _follow(env, [*signed, *already]))


def check_key(env: Environment, feature_ids: list[str]) -> None:
    """The trust store, as readers have it, holds the signing key with the roles and the scope that it needs."""
    key_id = env.signer.key_id
    trusted = env.trust.keys.get(key_id)
    if trusted is None:
        raise ConfigurationError(
            "the new key is not in the trust store: readers have to trust it first", rule="S6", where=key_id
        )
    missing = {Role.RELEASES, Role.INDEX} - trusted.roles
    if missing:
        raise ConfigurationError(
            "the new key lacks a role",
            rule="S4",
            where=key_id,
            expected="releases and index",
            seen=sorted(trusted.roles),
        )
    outside = [feature_id for feature_id in feature_ids if not trusted.covers(feature_id)]
    if outside:
        raise ConfigurationError("a feature outside the new key's scope", rule="S4", where=key_id, seen=outside[0])


def dependencies(env: Environment) -> dict[str, Counter[str]]:
    """What each key still vouches for: how many release indexes, remote indexes and listed manifests, by key id.

    A release key that counts nothing may be removed from trust stores, a build key that counts no manifest as well.
    """
    found: dict[str, Counter[str]] = {}
    remote = remote_of(env).head()
    if remote is not None:
        found.setdefault(remote.key_id, Counter())["remote index"] += 1
    for _, result in for_each(all_features(env), lambda name: list(_signers(env, name))):
        if isinstance(result, DeliveryError):
            raise result
        for key_id, what in result:
            found.setdefault(key_id, Counter())[what] += 1
    return found


def _sign_again(env: Environment, feature_id: str, change: Change) -> bool:
    head = releases_of(env, feature_id).head()
    if head is None or head.key_id == env.signer.key_id:
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


def _signers(env: Environment, feature_id: str) -> Iterator[tuple[str, str]]:
    head = releases_of(env, feature_id).head()
    if head is None:
        return
    yield head.key_id, "release indexes"
    for entry in head.index.entries:
        name = f"{feature_id}/{entry.version}/{MANIFEST}"
        found = env.artifacts.read(name, limit=MANIFEST_LIMIT)
        if found is not None:
            parsed = parse_manifest(found.data, where=name, limits=env.limits)
            at = entry.published_at or env.clock()
            yield (
                verify_manifest(parsed, env.trust, feature_id=feature_id, version=entry.version, at=at).key_id,
                "manifests",
            )
