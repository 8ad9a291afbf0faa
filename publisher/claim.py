"""B3: (featureId, version) belongs to the first valid bundle. Creating its manifest.json is the claim."""

from __future__ import annotations

import json
import secrets
from concurrent.futures import ThreadPoolExecutor

from artifact.documents import MANIFEST_LIMIT
from artifact.errors import Code, ContentError, TransientError
from artifact.fields import format_time
from artifact.manifest import VerifiedManifest
from artifact.paths import MANIFEST
from artifact.versions import Version
from publisher.content_types import immutable, private
from publisher.environment import Environment
from publisher.indexes import last_entry, releases_of
from publisher.ports import Created, ObjectInfo

WORKERS = 16

_EVICTING = b'{"evicting":'


def prefix_of(manifest: VerifiedManifest) -> str:
    """The version directory in storage (W1)."""
    return f"{manifest.manifest.feature_id}/{manifest.manifest.version}/"


def claim(env: Environment, manifest: VerifiedManifest, *, is_listed: bool) -> bool:
    """Make the claim; True where it is new, False where the same manifest had made it before.

    An older claim of ours that was never listed is made young again, so that nobody takes it over meanwhile.
    Raises ContentError `version_exists` where another manifest holds it, and may not be taken over yet or ever;
    TransientError `conflict` where somebody is faster.
    """
    name = prefix_of(manifest) + MANIFEST
    created = env.artifacts.create(name, manifest.data, immutable(name))
    if created is Created.OTHER:
        _take_over(env, manifest, name)
        return True
    if created is Created.SAME and not is_listed:
        _renew(env, manifest, name)
    return created is Created.NEW


def check_claim(env: Environment, manifest: VerifiedManifest) -> None:
    """The claim still stands: needed where writing took so long that somebody may have taken it over."""
    name = prefix_of(manifest) + MANIFEST
    found = env.artifacts.read(name, limit=len(manifest.data) + 1)
    if found is None or found.data != manifest.data:
        raise TransientError(Code.CONFLICT, "B3", "the claim was taken over while this version was written", where=name)


def evict(env: Environment, feature_id: str, version: Version, *, etag: str) -> str | None:
    """Take a version's objects away that no index lists; what is left in place of its manifest, by its ETag.

    The mark comes first, on condition that the manifest is still at `etag`: so of a publisher who goes on with that
    claim and of somebody who takes it away, one finds that the other was faster. None: it was not us.
    Raises TransientError `conflict` where it takes so long that somebody may have taken the mark over.
    """
    prefix = f"{feature_id}/{version}/"
    name = prefix + MANIFEST
    mark = json.dumps({"evicting": secrets.token_hex(16)}).replace(" ", "").encode()
    began = env.clock()
    marked = env.artifacts.replace(name, mark, private(name), etag=etag)
    if marked is None:
        return None

    def delete(one: str) -> None:
        if env.clock() - began >= env.takeover:
            raise TransientError(Code.CONFLICT, "B3", "taking the version away took too long; try again", where=name)
        env.artifacts.delete(one)

    names = [info.name for info in env.artifacts.list(prefix) if info.name != name]
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="evict") as pool:
        for _ in pool.map(delete, names):
            pass
    return marked


def is_evicted(env: Environment, name: str) -> bool:
    """Whether somebody takes the claim away whose manifest is `name`, or has just done so."""
    found = env.artifacts.read(name, limit=MANIFEST_LIMIT)
    return found is None or found.data.startswith(_EVICTING)


def holder_of(env: Environment, name: str) -> ObjectInfo | None:
    """What the storage knows of a claim's manifest."""
    return next((info for info in env.artifacts.list(name) if info.name == name), None)


def _renew(env: Environment, manifest: VerifiedManifest, name: str) -> None:
    holder = holder_of(env, name)
    etag = None if holder is None else holder.etag
    if etag is None or env.artifacts.replace(name, manifest.data, immutable(name), etag=etag) is None:
        raise TransientError(Code.CONFLICT, "B3", "a claim came and went; try again", where=name)


def _take_over(env: Environment, manifest: VerifiedManifest, name: str) -> None:
    holder = holder_of(env, name)
    if holder is None:
        raise TransientError(Code.CONFLICT, "B3", "a claim came and went; try again", where=name)
    if _was_listed(env, manifest):
        raise _exists("the version is published with another manifest", name)
    free_at = holder.last_modified + env.takeover
    if env.clock() < free_at:
        _check_not_evicted(env, name)
        raise _exists(
            f"another bundle claimed the version; unlisted, it may be taken over at {format_time(free_at)}", name
        )
    marked = evict(env, manifest.manifest.feature_id, manifest.manifest.version, etag=holder.etag)
    if marked is None or env.artifacts.replace(name, manifest.data, immutable(name), etag=marked) is None:
        raise _exists("another bundle took the claim over", name)


def _check_not_evicted(env: Environment, name: str) -> None:
    """A claim that is just being taken away is no reason to refuse a bundle."""
    if is_evicted(env, name):
        raise TransientError(Code.CONFLICT, "B3", "an older claim is being taken away; try again", where=name)


def _was_listed(env: Environment, manifest: VerifiedManifest) -> bool:
    """Whether any release index ever listed this version."""
    newest = releases_of(env, manifest.manifest.feature_id).head()
    return newest is not None and last_entry(env, newest, manifest.manifest.version) is not None


def _exists(what: str, name: str) -> ContentError:
    return ContentError(Code.VERSION_EXISTS, "B3", what, where=name)
