"""R7: what left the window stays for a time, then its objects go; what a younger index lists never does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from artifact.actions import highest_ever
from artifact.errors import ContentError, DeliveryError
from artifact.paths import MANIFEST
from artifact.releases import ReleaseIndex, VerifiedReleases
from artifact.versions import Version
from publisher.claim import evict, holder_of, is_evicted
from publisher.environment import Environment
from publisher.features import all_features, for_each, unknown_folders
from publisher.indexes import releases_of
from publisher.ports import ObjectInfo
from publisher.release import delete_version

WITHDRAWN = "withdrawn"
CLAIMED = "claimed, and never listed"
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
    """What would go, and which features could not be looked at. `unknown`: folders that are nobody's, left alone."""

    outdated: tuple[Outdated, ...]
    unknown: tuple[str, ...]
    failed: dict[str, DeliveryError]


def plan(env: Environment, keep: timedelta) -> Plan:
    """What may go: a dry run, which reads and nothing else. `keep` is the retention time."""
    outdated: list[Outdated] = []
    unknown = list(unknown_folders(env))
    failed: dict[str, DeliveryError] = {}
    for feature_id, found in for_each(all_features(env), lambda name: list(_found(env, name, keep))):
        if isinstance(found, DeliveryError):
            failed[feature_id] = found
            continue
        outdated += (one for one in found if isinstance(one, Outdated))
        unknown += (one for one in found if isinstance(one, str))
    return Plan(tuple(outdated), tuple(unknown), failed)


def carry_out(env: Environment, outdated: Outdated, keep: timedelta) -> bool:
    """Remove the objects of one version of a plan, unless something has changed since; whether they went."""
    if outdated.reason == WITHDRAWN:
        delete_version(env, outdated.feature_id, outdated.version)
        return True
    name = f"{outdated.feature_id}/{outdated.version}/{MANIFEST}"
    # The manifest's ETag first, then the index: who goes on with the claim renews it before listing the version.
    holder = holder_of(env, name)
    if holder is None or not _is_over(env, holder, keep) or _is_listed(env, outdated):
        return False
    if evict(env, outdated.feature_id, outdated.version, etag=holder.etag) is None:
        return False
    env.artifacts.delete(name)
    return True


def carry_out_all(
    env: Environment, outdated: tuple[Outdated, ...], keep: timedelta
) -> Iterator[tuple[Outdated, bool | DeliveryError]]:
    """One after the other, each with whether it went or the error: one version's fault harms no other."""
    for one in outdated:
        try:
            yield one, carry_out(env, one, keep)
        except DeliveryError as error:
            yield one, error


def _found(env: Environment, feature_id: str, keep: timedelta) -> Iterator[Outdated | str]:
    """The outdated versions of a feature, and the folders that are nobody's."""
    there: set[Version] = set()
    for folder in env.artifacts.folders(f"{feature_id}/"):
        try:
            there.add(Version(folder.removeprefix(f"{feature_id}/").removesuffix("/")))
        except ContentError:
            yield folder
    head = releases_of(env, feature_id).head()
    unlisted = sorted(there if head is None else there - {entry.version for entry in head.index.entries})
    if not unlisted:
        return
    withdrawn = set() if head is None else {gone.version for gone in head.index.withdrawn}
    young = set() if head is None else _listed_since(env, head, env.clock() - keep)
    for version in unlisted:
        objects = list(env.artifacts.list(f"{feature_id}/{version}/"))
        size = sum(info.size for info in objects)
        manifest = next((info for info in objects if info.name == f"{feature_id}/{version}/{MANIFEST}"), None)
        if version in withdrawn:
            yield Outdated(feature_id, version, WITHDRAWN, len(objects), size)
        elif manifest is None:
            yield f"{feature_id}/{version}/"
        elif version not in young and _is_over(env, manifest, keep):
            reason = _why(None if head is None else head.index, version)
            yield Outdated(feature_id, version, reason, len(objects), size)


def _listed_since(env: Environment, head: VerifiedReleases, since: datetime) -> set[Version]:
    """The versions that any state lists which was the newest one at some moment after `since`.

    When a state was made is what the storage says, or the state itself where that is later: a writer's clock may have
    been wrong (T38), and what was copied or restored is younger than what it says.
    """
    stem = f"{head.index.feature_id}/releases."
    stored_at = {info.name: info.last_modified for info in env.artifacts.list(stem)}
    versions: set[Version] = set()
    for state in releases_of(env, head.index.feature_id).history(head):
        versions |= {entry.version for entry in state.index.entries}
        made_at = stored_at.get(f"{stem}{state.index.sequence}.json")
        if made_at is not None and max(made_at, state.index.updated_at or made_at) <= since:
            break  # the states before were superseded by then
    return versions


def _is_over(env: Environment, manifest: ObjectInfo, keep: timedelta) -> bool:
    """Whether a claim's time is over: a bundle that is being published is younger. What somebody has begun to take
    away, and did not end, need not wait as long again.
    """
    age = env.clock() - manifest.last_modified
    return age >= keep + env.takeover or (age >= env.takeover and is_evicted(env, manifest.name))


def _is_listed(env: Environment, outdated: Outdated) -> bool:
    head = releases_of(env, outdated.feature_id).head()
    return head is not None and head.index.entry(outdated.version) is not None


def _why(index: ReleaseIndex | None, version: Version) -> str:
    return CLAIMED if index is None or version > highest_ever(index) else LEFT
