"""Realistic documents, made by the code that makes the real ones, and their sizes in bytes.

What `sizes.py` states was measured here; a test measures again. Everything is fixed, keys included, so that only
another zlib can move the figures, and by little.
"""

from __future__ import annotations

import gzip
import hashlib
from base64 import b64encode
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from artifact.keys import KeySigner, PrivateKey
from artifact.manifest import parse_manifest
from artifact.paths import Limits
from artifact.releases import Change, Entry, ReleaseIndex
from artifact.remote_index import RemoteEntry, RemoteIndex
from artifact.signing import signed
from artifact.versions import Version
from tools.model.sizes import Size

_NOW = datetime(2026, 11, 28, 9, 0, 0, tzinfo=UTC)
_WORDS = ("patientlist", "lab-results", "notifications", "medication", "calendar", "billing", "imaging", "referrals")

_COMMON = (
    "Date: Sat, 28 Nov 2026 09:00:00 GMT",
    "Connection: keep-alive",
    "Cache-Control: public, max-age=30, s-maxage=30",
    'ETag: "0x8DE2A1B2C3D4E5F"',
    "Last-Modified: Sat, 28 Nov 2026 08:59:31 GMT",
    "X-Content-Type-Options: nosniff",
    "x-ms-request-id: 6f0c1d7e-401e-0052-1f3a-5a8b6c000000",
    "x-ms-version: 2025-07-05",
    "x-azure-ref: 20261128T090000Z-r17c8b9d4f6abcdefhC1AMSxyz0000000a2g000000001bcd",
    "x-fd-int-roxy-purgeid: 0",
    "X-Cache: TCP_HIT",
    "Accept-Ranges: bytes",
)
_WITH_BODY = ("Content-Type: application/json; charset=utf-8", "Content-Encoding: gzip", "Vary: Accept-Encoding")


def remote_index(features: int) -> bytes:
    """A remote index (I1) of so many features."""
    entries = tuple(
        RemoteEntry(
            _feature_id(n), _hash(f"releases {n}"), 1 + n * 7 % 300, Version(f"{1 + n % 4}.{n * 5 % 40}.{n % 9}")
        )
        for n in range(features)
    )
    return RemoteIndex(
        sequence=48211,
        generated_at=_NOW,
        entries=tuple(sorted(entries, key=lambda entry: entry.feature_id)),
        expires_at=_NOW + timedelta(days=7),
        previous_sha256=_hash("previous"),
    ).signed(_signer())


def release_index(versions: int = 5) -> bytes:
    """A release index (R1, R3) that lists so many versions."""
    listed = [_entry(minor) for minor in range(40, 40 - versions, -1)]
    return ReleaseIndex(
        feature_id=_feature_id(0),
        sequence=41,
        active=listed[0].version,
        entries=tuple(listed),
        previous_sha256=_hash("previous"),
        updated_at=_NOW,
        expires_at=_NOW + timedelta(days=90),
        change=Change("publish", listed[0].version.text, "ingest"),
    ).signed(_signer())


def manifest(files: int) -> bytes:
    """A manifest (M1-M3) of so many files, named as bundlers name them."""
    names = [f"assets/group-{n % 16}/chunk-{_hash(f'name {n}')[:8]}.js" for n in range(1, files)]
    digests = {name: b64encode(hashlib.sha256(name.encode()).digest()).decode() for name in ("index.js", *names)}
    document = {
        "id": _feature_id(0),
        "version": "2.40.0",
        "displayName": "Patient list",
        "featureType": "facet",
        "channel": "stable",
        "entrypoints": {"js": ["index.js"]},
        "integrity": {name: f"sha256-{digest}" for name, digest in digests.items()},
        "sizes": {name: 4096 + 7919 * number % 90_000 for number, name in enumerate(digests)},
    }
    data = signed(document, _signer())
    parse_manifest(data, where="manifest", limits=Limits())
    return data


def heads() -> tuple[int, int]:
    """Bytes of the head of a 304 and of a 200 over HTTP/1.1, with the fields that Front Door and Blob Storage send."""
    unchanged = ("HTTP/1.1 304 Not Modified", *_COMMON)
    full = ("HTTP/1.1 200 OK", *_COMMON, *_WITH_BODY, "Content-Length: 123456")
    return _wire(unchanged), _wire(full)


def measured(data: bytes) -> Size:
    """Bytes as they are, and packed as an edge packs them."""
    return Size(len(data), len(gzip.compress(data, 6, mtime=0)))


def _entry(minor: int) -> Entry:
    return Entry(
        version=Version(f"2.{minor}.0"),
        manifest_sha256=_hash(f"manifest {minor}"),
        published_at=_NOW - timedelta(hours=41 - minor),
        bytes=6_291_456 + minor,
        files=40,
        git_sha=_hash(f"commit {minor}")[:40],
    )


def _wire(lines: tuple[str, ...]) -> int:
    return len("\r\n".join((*lines, "", "")).encode())


def _feature_id(number: int) -> str:
    return f"feature-{_WORDS[number % len(_WORDS)]}-{number:04}" if number else "feature-patientlist"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _signer() -> KeySigner:
    """A key that everybody knows, for documents that nobody reads."""
    return KeySigner("release-2026", PrivateKey(Ed25519PrivateKey.from_private_bytes(bytes(32))))
