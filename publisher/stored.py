"""What is stored: indexes as they should stand, and what their active versions claim of the host."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from artifact.documents import MANIFEST_LIMIT, RELEASES_LIMIT, REMOTE_INDEX_LIMIT
from artifact.errors import Code, ContentError, DeliveryError
from artifact.freshness import check_expiry
from artifact.manifest import VerifiedManifest, parse_manifest, verify_manifest
from artifact.paths import MANIFEST
from artifact.releases import POINTER as RELEASES
from artifact.releases import VerifiedReleases
from artifact.remote_index import POINTER, RemoteEntry, VerifiedRemoteIndex
from publisher.environment import Environment
from publisher.features import all_features, for_each
from publisher.findings import OK, PROBLEM, WARNING, Finding, guarded, problem, some
from publisher.indexes import releases_of, remote_of

_REPAIR = "the app's timer mends it within minutes; or cdn-release rebuild-index"
_REFRESH = "cdn-release refresh; and see why the app's timer does not sign again"
_RESTORE = "bring the objects back from a backup"

REMOTE, RELEASE, ROUTES = "remote index", "release indexes", "routes"


@dataclass(slots=True)
class Stored:
    """What readers should get: the newest indexes, by feature, and the manifests of the active versions."""

    remote: VerifiedRemoteIndex | None = None
    releases: dict[str, VerifiedReleases] = field(default_factory=dict)
    manifests: dict[str, VerifiedManifest] = field(default_factory=dict)


def examine_stored(env: Environment, stored: Stored) -> Iterator[Finding]:
    """The findings; `stored` is filled on the way."""
    yield from guarded(REMOTE, _remote_index(env, stored))
    yield from guarded(RELEASE, _release_indexes(env, stored))
    yield from guarded(ROUTES, _routes(env, stored))


def _remote_index(env: Environment, stored: Stored) -> Iterator[Finding]:
    stored.remote = remote = remote_of(env).head()
    if remote is None:
        yield Finding(REMOTE, WARNING, "there is none", "nothing was published here yet; or this is another storage")
        return
    if not _is_pointer_right(env, POINTER, remote.data, REMOTE_INDEX_LIMIT):
        yield Finding(REMOTE, WARNING, "its pointer is not the newest state", _REPAIR)
    index = remote.index
    yield from _expiry(REMOTE, {POINTER: _Dates(index.generated_at, index.expires_at)}, env.clock())


@dataclass(frozen=True, slots=True)
class _Head:
    state: VerifiedReleases
    is_pointer_right: bool
    is_listed: bool


def _release_indexes(env: Environment, stored: Stored) -> Iterator[Finding]:
    listed = {} if stored.remote is None else {entry.feature_id: entry for entry in stored.remote.index.entries}
    behind, unlisted, dates = [], [], {}
    names = sorted({*all_features(env), *listed})
    for feature_id, result in for_each(iter(names), lambda name: _head(env, name, listed.get(name))):
        if isinstance(result, DeliveryError):
            yield problem(feature_id, result, _RESTORE if result.code is Code.FILE_MISSING else "")
            continue
        if result is None:
            continue
        index = result.state.index
        if index.removed is None:
            stored.releases[feature_id] = result.state
            dates[feature_id] = _Dates(index.updated_at, index.expires_at)
        if not result.is_pointer_right:
            behind.append(feature_id)
        if not result.is_listed:
            unlisted.append(feature_id)
    if behind:
        yield Finding(RELEASE, WARNING, f"the pointer is not the newest state of {some(behind)}", _REPAIR)
    yield from _expiry(RELEASE, dates, env.clock())
    if unlisted:
        yield Finding(REMOTE, WARNING, f"behind the release indexes of {some(unlisted)}", _REPAIR)
    elif stored.remote is not None:
        sequence = stored.remote.index.sequence
        yield Finding(REMOTE, OK, f"sequence {sequence} lists all {len(stored.releases)} features as they are stored")


def _head(env: Environment, feature_id: str, entry: RemoteEntry | None) -> _Head | None:
    """None where nothing was published. States only ever become more: one that is listed and not there is lost."""
    state = releases_of(env, feature_id).head()
    expected = 0 if entry is None else entry.sequence
    if expected > (0 if state is None else state.index.sequence):
        what = "the remote index lists a state that is not there"
        raise ContentError(Code.FILE_MISSING, "R5", what, where=f"{feature_id}/releases.{expected}.json")
    if state is None:
        return None
    is_right = _is_pointer_right(env, f"{feature_id}/{RELEASES}", state.data, RELEASES_LIMIT)
    seen = None if entry is None else entry.releases_sha256
    return _Head(state, is_right, seen == (state.sha256 if state.index.removed is None else None))


def _is_pointer_right(env: Environment, pointer: str, newest: bytes, limit: int) -> bool:
    """R5, T45: one that is missing, damaged or not moved yet is not."""
    try:
        found = env.artifacts.read(pointer, limit=limit)
    except ContentError:
        return False
    return found is not None and found.data == newest


@dataclass(frozen=True, slots=True)
class _Dates:
    signed_at: datetime | None
    expires_at: datetime | None

    def end_soon(self, now: datetime) -> bool:
        """Less than a quarter is left: the app's timer would have signed again."""
        if self.signed_at is None or self.expires_at is None:
            return False
        return self.expires_at - now < (self.expires_at - self.signed_at) / 4


def _expiry(check: str, dates: Mapping[str, _Dates], now: datetime) -> Iterator[Finding]:
    expired: dict[str, ContentError] = {}
    for name, of in dates.items():
        try:
            check_expiry(of.expires_at, now, where=name)
        except ContentError as error:
            expired[name] = error
    soon = [name for name, of in dates.items() if name not in expired and of.end_soon(now)]
    if expired:
        first = next(iter(expired.values()))
        yield Finding(check, PROBLEM, f"expired, so that new readers refuse it: {some([*expired])}", _REFRESH, first)
    if soon:
        yield Finding(check, WARNING, f"expires soon: {some(soon)}", _REFRESH)
    if not expired and not soon:
        yield Finding(check, OK, "far from its expiry")


def _routes(env: Environment, stored: Stored) -> Iterator[Finding]:
    """Two active features that claim the same place: the host could mount only one of them."""
    for feature_id, result in for_each(iter(sorted(stored.releases)), lambda name: _active(env, stored.releases[name])):
        if isinstance(result, DeliveryError):
            yield problem(feature_id, result)
        else:
            stored.manifests[feature_id] = result
    claims: dict[tuple[str, str], str] = {}
    clashes = 0
    for feature_id, manifest in stored.manifests.items():
        for claim in _claims(manifest):
            other = claims.setdefault(claim, feature_id)
            if other != feature_id:
                clashes += 1
                what = f"{other} and {feature_id} both claim the {claim[0]} {claim[1]}"
                yield Finding(ROUTES, WARNING, what, "release one of them with another, or roll it back")
    if not clashes:
        yield Finding(ROUTES, OK, f"no two of {len(stored.manifests)} active versions claim the same place")


def _active(env: Environment, releases: VerifiedReleases) -> VerifiedManifest:
    index = releases.index
    name = f"{index.feature_id}/{index.active}/{MANIFEST}"
    found = env.artifacts.read(name, limit=MANIFEST_LIMIT)
    if found is None:
        raise ContentError(Code.FILE_MISSING, "W2", "the active version's manifest is gone", where=name)
    entry = index.entry(index.active)
    parsed = parse_manifest(found.data, where=name, limits=env.limits)
    at = entry.published_at if entry is not None and entry.published_at is not None else env.clock()
    return verify_manifest(parsed, env.trust, feature_id=index.feature_id, version=index.active, at=at)


def _claims(manifest: VerifiedManifest) -> Iterator[tuple[str, str]]:
    """The places of the host that only one feature can have (M1)."""
    document: dict[str, Any] = json.loads(manifest.data)
    mount = document.get("mount")
    if isinstance(mount, dict):
        yield from ((kind, str(mount[kind])) for kind in ("pathPrefix", "domElementId") if kind in mount)
    routes = document.get("routes", ())
    yield from (("route", route) for route in routes if isinstance(route, str))
