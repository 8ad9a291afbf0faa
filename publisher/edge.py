"""What readers get of an environment: the newest indexes, the signed bytes, and the headers of W3."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from artifact.documents import MANIFEST_LIMIT, RELEASES_LIMIT, REMOTE_INDEX_LIMIT
from artifact.errors import Code, ContentError, DeliveryError, TransientError
from artifact.manifest import VerifiedManifest
from artifact.paths import MANIFEST, Limits
from artifact.releases import POINTER as RELEASES
from artifact.releases import VerifiedReleases, parse_releases, verify_releases
from artifact.remote_index import POINTER, VerifiedRemoteIndex, parse_remote_index, verify_remote_index
from artifact.trust import TrustStore
from publisher.content_types import IMMUTABLE, content_type
from publisher.features import for_each
from publisher.findings import OK, WARNING, Finding, problem, some
from publisher.stored import Stored

LONGEST = 300
"""Seconds that a pointer may be cached before somebody should ask why."""

CHECK = "edge"
_MAX_AGE = re.compile(r"\bmax-age=(\d+)")


class Edge(Protocol):
    """What readers get of a name: bytes and headers, by lower-case names; None where there is nothing."""

    def get(
        self, name: str, *, limit: int, headers: Mapping[str, str] | None = None
    ) -> tuple[bytes, Mapping[str, str]] | None: ...


@dataclass(frozen=True, slots=True)
class View:
    """An edge as readers see it. `origin` is the web origin of those that are in a browser, or None."""

    edge: Edge
    trust: TrustStore
    limits: Limits
    origin: str | None = None

    def get(self, name: str, limit: int) -> tuple[bytes, Mapping[str, str]]:
        """TransientError where there is nothing, or no answer."""
        found = self.edge.get(name, limit=limit, headers={"Origin": self.origin} if self.origin else {})
        if found is None:
            raise TransientError(Code.NOT_FOUND, "W1", "the edge does not serve it", where=name)
        return found


def examine_edge(view: View, stored: Stored) -> Iterator[Finding]:
    """All that differs from what is stored, and what the headers lack."""
    seen: dict[str, Mapping[str, str]] = {}
    if stored.remote is not None:
        yield _remote(view, stored.remote, seen)
    yield from _releases(view, stored.releases, seen)
    for feature_id in sorted(stored.manifests)[:1]:
        yield _version(view, stored.manifests[feature_id], seen)
    yield from _headers(view, seen)


def _remote(view: View, stored: VerifiedRemoteIndex, seen: dict[str, Mapping[str, str]]) -> Finding:
    def sequence(data: bytes) -> int:
        parsed = parse_remote_index(data, where=POINTER, limits=view.limits)
        return verify_remote_index(parsed, view.trust, at=None).index.sequence

    try:
        data, seen[POINTER] = view.get(POINTER, REMOTE_INDEX_LIMIT)
        behind = _behind(data, stored.data, stored.index.sequence, sequence)
    except DeliveryError as error:
        return problem(CHECK, error, _remedy(error))
    return _late(f"{POINTER}: {behind}") if behind else Finding(CHECK, OK, "serves the newest remote index")


def _releases(
    view: View, stored: Mapping[str, VerifiedReleases], seen: dict[str, Mapping[str, str]]
) -> Iterator[Finding]:
    def look(feature_id: str) -> str:
        name, state = f"{feature_id}/{RELEASES}", stored[feature_id]

        def sequence(data: bytes) -> int:
            parsed = parse_releases(data, where=name, limits=view.limits)
            return verify_releases(parsed, view.trust, feature_id=feature_id, at=None).index.sequence

        data, headers = view.get(name, RELEASES_LIMIT)
        if feature_id == min(stored):
            seen[name] = headers
        return _behind(data, state.data, state.index.sequence, sequence)

    late = []
    good = 0
    for feature_id, result in for_each(iter(sorted(stored)), look):
        if isinstance(result, DeliveryError):
            yield problem(CHECK, result, _remedy(result))
        elif result:
            late.append(f"{feature_id}: {result}")
        else:
            good += 1
    if late:
        yield _late(some(late))
    if good:
        yield Finding(CHECK, OK, f"serves the newest release index of {good} features")


def _behind(served: bytes, stored: bytes, newest: int, sequence: Callable[[bytes], int]) -> str:
    """What is older about it; empty where it is what is stored. Raises ContentError where it is no index of ours."""
    if served == stored:
        return ""
    found = sequence(served)
    if found == newest:
        raise ContentError(Code.SEQUENCE_FORK, "R4", "the edge serves other bytes of this sequence", seen=found)
    return f"sequence {found} is served, {newest} is stored"


def _late(what: str) -> Finding:
    remedy = "wait for max-age, or cdn-release purge; if it stays, see whether the edge's origin is this storage"
    return Finding(CHECK, WARNING, what, remedy)


def _version(view: View, manifest: VerifiedManifest, seen: dict[str, Mapping[str, str]]) -> Finding:
    """T16: one version as it was signed: its manifest, and its smallest script."""
    of = manifest.manifest
    wanted = [(MANIFEST, manifest.sha256, MANIFEST_LIMIT)]
    if of.files:
        file = min(of.files.values(), key=lambda one: (not one.path.endswith(".js"), one.size or 0, one.path))
        wanted.append((file.path, file.sha256.hex(), view.limits.file_bytes))
    try:
        for path, sha256, limit in wanted:
            name = f"{of.feature_id}/{of.version}/{path}"
            data, seen[name] = view.get(name, limit)
            if (found := hashlib.sha256(data).hexdigest()) != sha256:
                raise ContentError(
                    Code.INTEGRITY_MISMATCH,
                    "M2",
                    "other bytes than were signed",
                    where=name,
                    expected=sha256,
                    seen=found,
                )
    except DeliveryError as error:
        return problem(CHECK, error, _remedy(error))
    return Finding(CHECK, OK, f"serves {of.feature_id} {of.version} as it was signed")


def _remedy(error: DeliveryError) -> str:
    if error.code is Code.NOT_FOUND:
        return "let the edge's origin be the container artifacts"
    if isinstance(error, ContentError):
        return "the edge changes or makes up answers: let it pass the origin's bytes on, and purge it"
    return ""


def _headers(view: View, seen: Mapping[str, Mapping[str, str]]) -> Iterator[Finding]:
    """One finding for each fault, with the names that have it."""
    names = defaultdict(list)
    for name, headers in seen.items():
        for fault in _faults(view, name, headers):
            names[fault].append(name)
    for (what, remedy), having in names.items():
        yield Finding(CHECK, WARNING, f"{what}: {', '.join(having)}", remedy)
    if seen and not names:
        yield Finding(CHECK, OK, "headers are as they should be")


def _faults(view: View, name: str, headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """W3: what the edge adds, and what it must not change."""
    kind = content_type(name)
    if headers.get("content-type", "").partition(";")[0] != kind.partition(";")[0]:
        yield (
            f"Content-Type {headers.get('content-type') or 'none'} instead of {kind}",
            "pass the origin's Content-Type on",
        )
    if headers.get("x-content-type-options", "").lower() != "nosniff":
        yield "no X-Content-Type-Options", "let the edge add X-Content-Type-Options: nosniff"
    cache = headers.get("cache-control", "")
    if name == POINTER or name.endswith(f"/{RELEASES}"):
        age = _MAX_AGE.search(cache)
        if age is None or int(age[1]) > LONGEST:
            yield (
                f"Cache-Control {cache or 'none'} of a pointer: readers are late",
                "pass the origin's Cache-Control on",
            )
    elif cache != IMMUTABLE:
        yield f"Cache-Control {cache or 'none'} of what never changes", f"pass the origin's on: {IMMUTABLE}"
    if view.origin and headers.get("access-control-allow-origin") not in {"*", view.origin}:
        yield f"no Access-Control-Allow-Origin for {view.origin}", "let the edge add Access-Control-Allow-Origin: *"
