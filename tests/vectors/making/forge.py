"""Fixed keys, signatures and documents to start from. Uses nothing of `artifact`, which the vectors are to judge."""

from __future__ import annotations

import base64
import copy
import hashlib
from typing import Any

import rfc8785
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

JSON = dict[str, Any]

MOMENT = "2026-11-23T12:00:00Z"
FEATURE = "feature-patientlist"
OTHER_FEATURE = "feature-lab-results"
VERSION = "1.0.0"
LONG = "lib/" + "n" * 120 + "/chunk.js"
"""A path that only a pax record can hold."""

FILES = {
    "assets/app.css": b"body { margin: 0 }\n",
    "assets/chunk.js": b"export default 1\n",
    "empty.txt": b"",
    "index.js": b'import("./assets/chunk.js")\n',
}

DELETE = object()


def key(name: str) -> Ed25519PrivateKey:
    """The test key of that name: its seed is a hash of the name."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"favn-delivery test vectors: {name}".encode()).digest())


def public_base64(name: str) -> str:
    raw = key(name).public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return base64.b64encode(raw).decode()


def public_pem(name: str) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key(name).public_key().public_bytes(encoding, form).decode()


def private_pem(name: str) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key(name).private_bytes(encoding, form, serialization.NoEncryption()).decode()


def text(document: Any) -> str:
    """The RFC 8785 form."""
    return rfc8785.dumps(document).decode()


def sign(document: JSON, by: str, *, key_id: str | None = None) -> JSON:
    """The document with a signature of key `by`, under its own name or another."""
    unsigned = {name: value for name, value in document.items() if name != "signature"}
    value = base64.b64encode(key(by).sign(rfc8785.dumps(unsigned))).decode()
    return {**unsigned, "signature": {"algorithm": "ed25519", "keyId": key_id or by, "value": value}}


def edit(document: JSON, *path: str | int, to: Any) -> JSON:
    """A copy with one member or item replaced, added, or (DELETE) taken out."""
    changed = copy.deepcopy(document)
    target: Any = changed
    for step in path[:-1]:
        target = target[step]
    if to is DELETE:
        del target[path[-1]]
    else:
        target[path[-1]] = to
    return changed


def integrity(content: bytes) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content).digest()).decode()


def sha256(data: bytes | str) -> str:
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def manifest(files: dict[str, bytes] | None = None, *, feature: str = FEATURE, version: str = VERSION) -> JSON:
    """A small manifest of a facet, unsigned."""
    content = FILES if files is None else files
    return {
        "id": feature,
        "version": version,
        "displayName": "Pasientliste – æøå",
        "featureType": "facet",
        "channel": "stable",
        "entrypoints": {"js": ["index.js"]},
        "integrity": {path: integrity(data) for path, data in content.items()},
        "sizes": {path: len(data) for path, data in content.items()},
    }


def domain() -> JSON:
    """A manifest with all that M1 names, and members that nobody knows; unsigned."""
    return {
        **manifest(),
        "featureType": "domain",
        "entrypoints": {"js": ["index.js", "assets/chunk.js"], "css": ["assets/app.css"]},
        "mount": {"pathPrefix": "/patients", "domElementId": "patients"},
        "routes": ["/patients", {"path": "/patients/:id", "title": "Pasient"}],
        "serverFunctions": {"module": "index.js", "exports": ["list"]},
        "metadata": {"gitSha": "0123456789abcdef0123456789abcdef01234567", "buildUrl": "https://ci.example/runs/7"},
        "x-unknown": {"kept": [True, None, -1]},
    }


def entry(version: str, **more: Any) -> JSON:
    """A listed version."""
    return {"version": version, "manifestSha256": sha256(f"manifest of {version}"), **more}


def releases(*versions: str, active: str | None = None, sequence: int = 1, feature: str = FEATURE) -> JSON:
    """A release index with only what R1 demands, unsigned."""
    listed = versions or (VERSION,)
    return {
        "schemaVersion": 1,
        "featureId": feature,
        "sequence": sequence,
        "activeVersion": active or listed[0],
        "versions": [entry(version) for version in listed],
    }


def full_releases() -> JSON:
    """A release index with all that R3 names, and members that nobody knows; unsigned."""
    return {
        **releases("2.0.0-rc.1", "1.1.0", "1.0.0", active="1.1.0", sequence=7),
        "versions": [
            entry("2.0.0-rc.1", publishedAt="2026-11-20T08:00:00Z", bytes=64, files=4, **{"x-entry": 1}),
            entry("1.1.0", serverFunctionsSha256=sha256("server"), publishedAt="2026-11-19T08:00:00.250000Z"),
            entry("1.0.0", gitSha="0123abc", buildUrl="https://ci.example/runs/1", bytes=0, files=1),
        ],
        "previousSha256": sha256("the state before"),
        "channels": {"stable": "1.1.0", "canary": "2.0.0-rc.1", "x-beta": "1.0.0"},
        "withdrawn": [
            {
                "version": "1.0.1",
                "manifestSha256": sha256("bad"),
                "at": "2026-11-18T08:00:00Z",
                "reason": "leaks names",
                "x-case": 12,
            }
        ],
        "updatedAt": "2026-11-20T08:00:00Z",
        "expiresAt": "2027-02-18T08:00:00Z",
        "change": {"action": "canary", "version": "2.0.0-rc.1", "actor": "ci", "reason": "try it", "ticket": "T-2"},
        "x-unknown": {"kept": "æ"},
    }


def remote_entry(feature: str, *, sequence: int = 1, active: str = VERSION, digest: str | None = None) -> JSON:
    """A feature of a remote index."""
    return {
        "featureId": feature,
        "baseUrl": f"{feature}/",
        "releasesUrl": f"{feature}/releases.{sequence}.json",
        "releasesSha256": digest or sha256(f"releases of {feature}"),
        "sequence": sequence,
        "activeVersion": active,
        "channels": {"stable": active},
    }


def remote(*entries: JSON, sequence: int = 1) -> JSON:
    """A remote index, unsigned."""
    return {
        "schemaVersion": 1,
        "kind": "remote-index",
        "sequence": sequence,
        "generatedAt": "2026-11-22T12:00:00Z",
        "expiresAt": "2026-11-29T12:00:00Z",
        "features": list(entries),
    }


def vector(name: str, rule: str, code: str, document: JSON | str | bytes, **context: Any) -> JSON:
    """One vector; a document becomes its canonical text, bytes that are no text become base64."""
    if isinstance(document, bytes):
        content = {"base64": base64.b64encode(document).decode()}
    else:
        content = {"text": document if isinstance(document, str) else text(document)}
    return {"name": name, "rule": rule, "code": code, **context, **content}
