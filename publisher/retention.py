"""R7: what left the window stays for a time, then its objects go; what a younger index lists never does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from artifact.errors import ContentError, DeliveryError
from artifact.paths import MANIFEST
from artifact.releases import VerifiedReleases
from artifact.versions import Version
from publisher.claim import evict, holder_of
from publisher.environment import Environment
from publisher.features import all_features, for_each
from publisher.indexes import releases_of
from publisher.ports import ObjectInfo
from publisher.release import delete_version

WITHDRAWN = "withdrawn"
LEFT = "no index of the retention time lists it"


@dataclass(frozen=True, slots=True)
class Outdated:
    """A version whose objects may go, and why."""

    feature_id: str
    version: Version
    reason: str
    objects: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What would go, and which features could not be looked at."""

    outdated: tuple[Outdated, ...]
    failed: dict[str, DeliveryError]


def plan(env: Environment, keep: timedelta) -> Plan:
    """What may go: a dry run, which reads and nothing else. `keep` is the retention time."""
    outdated: list[Outdated] = []
    failed: dict[str, DeliveryError] = {}
    for feature_id, found in for_each(all_features(env), lambda name: list(_outdated(env, name, keep))):
        if isinstance(found, DeliveryError):
            failed[feature_id] = found
        else:
            outdated += found
    return Plan(tuple(outdated), failed)


def carry_out(env: Environment, outdated: Outdated, keep: timedelta) -> bool:
    """Remove the objects of one version of a plan, unless something has changed since; whether they went."""
    if outdated.reason == WITHDRAWN:
        delete_version(env, outdated.feature_id, outdated.version)
        return True
    name = f"{outdated.feature_id}/{outdated.version}/{MANIFEST}"
    holder = holder_of(env, name)
    current = releases_of(env, outdated.feature_id).head()
    is_listed = current is not None and current.index.entry(outdated.version) is not None
    if holder is None or is_listed or not _is_old([holder], env.clock() - _patience(env, keep)):
        return False
    if evict(env, outdated.feature_id, outdated.version, etag=holder.etag) is None:
        return False
    env.artifacts.delete(name)
    return True


def _outdated(env: Environment, feature_id: str, keep: timedelta) -> Iterator[Outdated]:
    there = set(_versions_there(env, feature_id))
    head = releases_of(env, feature_id).head()
    listed = set() if head is None else {entry.version for entry in head.index.entries}
    unlisted = sorted(there - listed)
    if not unlisted:
        return
    withdrawn = set() if head is None else {gone.version for gone in head.index.withdrawn}
    since = env.clock() - keep
    young = set() if head is None else _listed_since(env, head, since)
    for version in unlisted:
        objects = list(env.artifacts.list(f"{feature_id}/{version}/"))
        if version in withdrawn:
            yield _found(feature_id, version, WITHDRAWN, objects)
        elif version not in young and _is_old(objects, env.clock() - _patience(env, keep)):
            yield _found(feature_id, version, LEFT, objects)


def _versions_there(env: Environment, feature_id: str) -> Iterator[Version]:
    for folder in env.artifacts.folders(f"{feature_id}/"):
        try:
            yield Version(folder.removeprefix(f"{feature_id}/").removesuffix("/"))
        except ContentError:
            continue  # nothing of ours


def _listed_since(env: Environment, head: VerifiedReleases, since: datetime) -> set[Version]:
    """The versions that any state lists which was the newest one at some moment after `since`."""
    versions: set[Version] = set()
    for state in releases_of(env, head.index.feature_id).history(head):
        versions |= {entry.version for entry in state.index.entries}
        if state.index.updated_at is not None and state.index.updated_at <= since:
            break  # the states before were superseded by then
    return versions


def _is_old(objects: list[ObjectInfo], before: datetime) -> bool:
    """Nobody has written there of late: a claim of a bundle that is being published is young."""
    return all(info.last_modified <= before for info in objects)


def _patience(env: Environment, keep: timedelta) -> timedelta:
    return max(keep, env.takeover)


def _found(feature_id: str, version: Version, reason: str, objects: list[ObjectInfo]) -> Outdated:
    return Outdated(feature_id, version, reason, len(objects), sum(info.size for info in objects))
