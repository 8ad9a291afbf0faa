"""B3: (featureId, version) belongs to the first valid bundle. Creating its manifest.json is the claim."""

from __future__ import annotations

from artifact.errors import Code, ContentError, TransientError
from artifact.fields import format_time
from artifact.manifest import VerifiedManifest
from artifact.paths import MANIFEST
from publisher.content_types import immutable
from publisher.environment import Environment
from publisher.indexes import last_entry, releases_of
from publisher.ports import Created, ObjectInfo


def prefix_of(manifest: VerifiedManifest) -> str:
    """The version directory in storage (W1)."""
    return f"{manifest.manifest.feature_id}/{manifest.manifest.version}/"


def claim(env: Environment, manifest: VerifiedManifest) -> bool:
    """Make the claim; True where it is new, False where the same manifest had made it before.

    Raises ContentError `version_exists` where another manifest holds it, and may not be taken over yet or ever.
    """
    name = prefix_of(manifest) + MANIFEST
    created = env.artifacts.create(name, manifest.data, immutable(name))
    if created is Created.OTHER:
        _take_over(env, manifest, name)
        return True
    return created is Created.NEW


def check_claim(env: Environment, manifest: VerifiedManifest) -> None:
    """The claim still stands: needed where writing took so long that somebody may have taken it over."""
    name = prefix_of(manifest) + MANIFEST
    found = env.artifacts.read(name, limit=len(manifest.data) + 1)
    if found is None or found.data != manifest.data:
        raise TransientError(Code.CONFLICT, "B3", "the claim was taken over while this version was written", where=name)


def _take_over(env: Environment, manifest: VerifiedManifest, name: str) -> None:
    holder = next((info for info in env.artifacts.list(name) if info.name == name), None)
    if holder is None:
        raise TransientError(Code.CONFLICT, "B3", "a claim came and went; try again", where=name)
    free_at = holder.last_modified + env.takeover
    if _was_listed(env, manifest):
        raise _exists("the version is published with another manifest", name)
    if env.clock() < free_at:
        raise _exists(
            f"another bundle claimed the version; unlisted, it may be taken over at {format_time(free_at)}", name
        )
    _clear(env, manifest, name)
    if env.artifacts.replace(name, manifest.data, immutable(name), etag=holder.etag) is None:
        raise _exists("another bundle took the claim over", name)


def _was_listed(env: Environment, manifest: VerifiedManifest) -> bool:
    """Whether any release index ever listed this version."""
    newest = releases_of(env, manifest.manifest.feature_id).head()
    return newest is not None and last_entry(env, newest, manifest.manifest.version) is not None


def _clear(env: Environment, manifest: VerifiedManifest, name: str) -> None:
    """The files of the claim that is taken over go before its manifest does: so a death in between can be repeated."""
    leftovers: list[ObjectInfo] = [info for info in env.artifacts.list(prefix_of(manifest)) if info.name != name]
    for info in leftovers:
        env.artifacts.delete(info.name)


def _exists(what: str, name: str) -> ContentError:
    return ContentError(Code.VERSION_EXISTS, "B3", what, where=name)
