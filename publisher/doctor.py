"""Is everything in place, from the keys to what readers get? Each check is one finding with what to do about it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from artifact.documents import MANIFEST_LIMIT, RELEASES_LIMIT, REMOTE_INDEX_LIMIT
from artifact.errors import Code, ConfigurationError, ContentError, DeliveryError, TransientError
from artifact.fields import format_time
from artifact.freshness import is_expired
from artifact.keys import Signer
from artifact.manifest import VerifiedManifest, parse_manifest, verify_manifest
from artifact.paths import MANIFEST, Limits
from artifact.releases import VerifiedReleases
from artifact.trust import Role, TrustStore
from publisher.content_types import IMMUTABLE, private
from publisher.indexes import releases_chain, remote_chain
from publisher.ports import Store

OK, WARNING, PROBLEM = "ok", "warning", "problem"
SOON = timedelta(days=14)
SKEW = timedelta(minutes=5)
PROBE = "doctor-probe"


@dataclass(frozen=True, slots=True)
class Finding:
    """`level` is `ok`, `warning` or `problem`; `remedy` says what to do, empty where there is nothing to do.

    `error` is what a problem ends the command with.
    """

    check: str
    level: str
    what: str
    remedy: str = ""
    error: DeliveryError | None = None


class Edge(Protocol):
    """What readers get of a name: bytes and headers (lower-case names); None where there is nothing."""

    def get(self, name: str, *, limit: int) -> tuple[bytes, Mapping[str, str]] | None: ...


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined; `signer` and `edge` are None where none was given."""

    store: Store
    trust: TrustStore
    signer: Signer | None
    edge: Edge | None
    now: datetime
    limits: Limits


def examine(patient: Patient) -> Iterator[Finding]:
    """All findings, in the order of the way from a key to a reader. An error of one check ends no other."""
    yield from _guarded("storage", lambda: _storage(patient))
    signer, edge = patient.signer, patient.edge
    if signer is not None:
        yield from _guarded("signing key", lambda: _signing_key(patient, signer))
    yield from _guarded("trust store", lambda: _trust(patient))
    heads: dict[str, VerifiedReleases] = {}
    yield from _guarded("indexes", lambda: _indexes(patient, heads))
    yield from _guarded("routes", lambda: _routes(patient, heads))
    if edge is not None:
        yield from _guarded("edge", lambda: _edge(patient, edge, heads))


def _guarded(check: str, run: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from run()
    except DeliveryError as error:
        yield Finding(check, PROBLEM, error.message, _REMEDIES.get(str(error.code), "see the message"), error)


_REMEDIES = {
    "unauthorized": "give this identity the role Storage Blob Data Contributor, or check the SAS and its expiry",
    "transport_failed": "check the address, the proxy and the firewall of the storage account",
    "not_found": "make the containers: incoming, artifacts, receipts, quarantine, state",
    "key_unknown": "add the key to the trust store, or sign again with a trusted one: cdn-release rotate",
    "signature_invalid": "somebody changed a state: cdn-release history --verify, then cdn-release rebuild-index",
}


def _storage(patient: Patient) -> Iterator[Finding]:
    """Writes, reads and deletes an object that nobody reads."""
    settings = private(PROBE)
    patient.store.delete(PROBE)
    patient.store.create(PROBE, b"probe", settings)
    info = next(iter(patient.store.list(PROBE)))
    patient.store.delete(PROBE)
    yield Finding("storage", OK, "can be read, written and deleted from")
    skew = abs(info.last_modified - patient.now)
    if skew > SKEW:
        yield Finding(
            "clock", WARNING, f"this machine and the storage are {int(skew.total_seconds())} s apart",
            "set the clock: expiry and soak times are judged by it",
        )  # fmt: skip
    else:
        yield Finding("clock", OK, "agrees with the storage's")


def _signing_key(patient: Patient, signer: Signer) -> Iterator[Finding]:
    trusted = patient.trust.keys.get(signer.key_id)
    if trusted is None:
        raise ConfigurationError(
            "the signing key is not in the trust store: readers would refuse all that it signs",
            rule="S3",
            where=signer.key_id,
        )
    if not trusted.key.verifies(signer.sign(b"probe"), b"probe"):
        raise ConfigurationError(
            "the private key is not that of its entry in the trust store", rule="S3", where=signer.key_id
        )
    missing = {Role.RELEASES, Role.INDEX} - trusted.roles
    if missing:
        raise ConfigurationError("the signing key lacks a role", rule="S4", where=signer.key_id, seen=sorted(missing))
    yield Finding("signing key", OK, f"{signer.key_id} matches the trust store and has the roles releases and index")


def _trust(patient: Patient) -> Iterator[Finding]:
    for key_id, trusted in sorted(patient.trust.keys.items()):
        if trusted.valid_until is not None and trusted.valid_until - patient.now < SOON:
            until = format_time(trusted.valid_until)
            yield Finding(
                "trust store", WARNING, f"{key_id} is valid until {until}", "renew its entry, or rotate the key"
            )
    yield Finding("trust store", OK, f"{len(patient.trust.keys)} keys")


def _indexes(patient: Patient, heads: dict[str, VerifiedReleases]) -> Iterator[Finding]:
    """Fills `heads` with the newest state of every listed feature."""
    remote = remote_chain(patient.store, patient.trust, patient.limits).head()
    if remote is None:
        yield Finding("remote index", WARNING, "there is none: nothing was published yet")
        return
    yield _expiry("remote index", remote.index.expires_at, patient.now)
    behind = []
    for entry in remote.index.entries:
        try:
            head = releases_chain(patient.store, entry.feature_id, patient.trust, patient.limits).head()
        except DeliveryError as error:
            yield Finding(entry.feature_id, PROBLEM, error.message, _REMEDIES.get(str(error.code), ""), error)
            continue
        if head is None:
            gone = ContentError(
                Code.FILE_MISSING, "I2", "listed, but its release index is gone", where=entry.feature_id
            )
            yield Finding(entry.feature_id, PROBLEM, gone.message, "cdn-release rebuild-index", gone)
            continue
        heads[entry.feature_id] = head
        if head.sha256 != entry.releases_sha256:
            behind.append(entry.feature_id)
        finding = _expiry(entry.feature_id, head.index.expires_at, patient.now)
        if finding.level != OK:
            yield finding
    if behind:
        yield Finding(
            "remote index", WARNING, f"behind the release indexes of {', '.join(behind[:5])}",
            "the app's timer follows within minutes; or cdn-release rebuild-index",
        )  # fmt: skip
    else:
        yield Finding(
            "remote index", OK, f"sequence {remote.index.sequence}, {len(heads)} features, as they are stored"
        )


def _expiry(check: str, expires_at: datetime | None, now: datetime) -> Finding:
    if expires_at is None:
        return Finding(check, OK, "does not expire")
    if is_expired(expires_at, now):
        return Finding(
            check, PROBLEM, f"expired at {format_time(expires_at)}: new readers refuse it", "cdn-release refresh"
        )
    if expires_at - now < timedelta(days=2):
        return Finding(
            check, WARNING, f"expires at {format_time(expires_at)}", "see why the app's timer does not sign again"
        )
    return Finding(check, OK, f"valid until {format_time(expires_at)}")


def _routes(patient: Patient, heads: Mapping[str, VerifiedReleases]) -> Iterator[Finding]:
    """Two active features that claim the same place: the host could mount only one of them."""
    claims: dict[tuple[str, str], str] = {}
    clashes = 0
    for feature_id, head in sorted(heads.items()):
        for claim in _claims(_active_manifest(patient, head)):
            other = claims.setdefault(claim, feature_id)
            if other != feature_id:
                clashes += 1
                yield Finding(
                    "routes", WARNING, f"{other} and {feature_id} both claim the {claim[0]} {claim[1]}",
                    "release one of them with another, or roll it back",
                )  # fmt: skip
    if not clashes:
        yield Finding("routes", OK, f"no two of {len(heads)} active features claim the same place")


def _active_manifest(patient: Patient, head: VerifiedReleases) -> VerifiedManifest:
    index = head.index
    name = f"{index.feature_id}/{index.active}/{MANIFEST}"
    found = patient.store.read(name, limit=MANIFEST_LIMIT)
    if found is None:
        raise ContentError(Code.FILE_MISSING, "W2", "the active version's manifest is gone", where=name)
    entry = index.entry(index.active)
    parsed = parse_manifest(found.data, where=name, limits=patient.limits)
    at = entry.published_at if entry is not None and entry.published_at is not None else patient.now
    return verify_manifest(parsed, patient.trust, feature_id=index.feature_id, version=index.active, at=at)


def _claims(manifest: VerifiedManifest) -> Iterator[tuple[str, str]]:
    """The places of the host that only one feature can have (M1)."""
    document: dict[str, Any] = json.loads(manifest.data)
    mount = document.get("mount")
    if isinstance(mount, dict):
        yield from ((kind, str(mount[kind])) for kind in ("pathPrefix", "domElementId") if kind in mount)
    routes = document.get("routes", ())
    yield from (("route", route) for route in routes if isinstance(route, str))


def _edge(patient: Patient, edge: Edge, heads: Mapping[str, VerifiedReleases]) -> Iterator[Finding]:
    remote = remote_chain(patient.store, patient.trust, patient.limits).head()
    if remote is not None:
        yield from _pointer(edge, "remote-index.json", remote.data, REMOTE_INDEX_LIMIT)
    late = []
    for feature_id, head in sorted(heads.items()):
        name = f"{feature_id}/releases.json"
        found = edge.get(name, limit=RELEASES_LIMIT)
        if found is None or found[0] != head.data:
            late.append(feature_id)
    if late:
        yield Finding(
            "edge", WARNING, f"does not serve the newest release index of {', '.join(late[:5])}",
            "wait for max-age (30 s by default), or purge; if it stays, look at the edge's origin",
        )  # fmt: skip
    for feature_id, head in sorted(heads.items())[:1]:
        yield from _immutable(edge, f"{feature_id}/{head.index.active}/{MANIFEST}")


def _pointer(edge: Edge, name: str, expected: bytes, limit: int) -> Iterator[Finding]:
    found = edge.get(name, limit=limit)
    if found is None:
        error = TransientError(Code.NOT_FOUND, "W1", "the edge does not serve it", where=name)
        yield Finding("edge", PROBLEM, error.message, "let the edge's origin be the container artifacts", error)
        return
    data, headers = found
    yield from _headers(name, headers)
    cache = headers.get("cache-control", "")
    if "max-age" not in cache:
        yield Finding(
            "edge", WARNING, f"{name} has Cache-Control {cache or 'none'}: it may be cached for days",
            "pass the origin's Cache-Control on",
        )  # fmt: skip
    level = OK if data == expected else WARNING
    what = "serves the newest remote index" if level == OK else "serves an older remote index"
    yield Finding("edge", level, what, "" if level == OK else "wait for max-age, or purge")


def _immutable(edge: Edge, name: str) -> Iterator[Finding]:
    found = edge.get(name, limit=MANIFEST_LIMIT)
    if found is None:
        error = TransientError(Code.NOT_FOUND, "W1", "the edge does not serve it", where=name)
        yield Finding("edge", PROBLEM, error.message, "let the edge's origin be the container artifacts", error)
        return
    yield from _headers(name, found[1])
    if found[1].get("cache-control") != IMMUTABLE:
        yield Finding(
            "edge", WARNING, f"{name} has Cache-Control {found[1].get('cache-control') or 'none'}",
            f"pass the origin's on: {IMMUTABLE}",
        )  # fmt: skip


def _headers(name: str, headers: Mapping[str, str]) -> Iterator[Finding]:
    """W3: what the edge adds, and what it must not change."""
    wanted = {"x-content-type-options": "nosniff", "access-control-allow-origin": "*"}
    for header, value in wanted.items():
        if headers.get(header, "") != value:
            seen = headers.get(header) or "none"
            yield Finding("edge", WARNING, f"{name} has {header} {seen}", f"let the edge add {header}: {value}")
    if not headers.get("content-type", "").startswith("application/json"):
        seen = headers.get("content-type") or "none"
        yield Finding("edge", WARNING, f"{name} has Content-Type {seen}", "pass the origin's Content-Type on")
