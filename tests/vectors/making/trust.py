"""S3: trust stores, those that the other vectors name and those that are refused."""

from __future__ import annotations

import json

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from tests.vectors.making.forge import JSON, OTHER_FEATURE, private_pem, public_base64, public_pem, vector

KEYS = ["build", "team-lab", "release", "team-release", "index", "retired", "nothing", "plain", "stranger"]


def _full(name: str, roles: list[str], features: list[str], **more: str) -> JSON:
    return {"publicKey": public_base64(name), "roles": roles, "features": features, **more}


FULL: JSON = {
    "build": _full("build", ["manifest"], ["feature-*"]),
    "team-lab": _full("team-lab", ["manifest"], [OTHER_FEATURE, "feature-lab-*"]),
    "release": {**_full("release", ["releases", "index"], ["*"]), "publicKey": public_pem("release")},
    "team-release": _full("team-release", ["releases"], [OTHER_FEATURE]),
    "index": _full("index", ["index"], []),
    "retired": _full("retired", ["manifest"], ["*"], validUntil="2026-06-01T00:00:00Z"),
    "nothing": _full("nothing", [], ["*"]),
}

STORES: dict[str, JSON] = {
    "full": FULL,
    "plain": {"plain": public_base64("plain")},
    "mixed": {"plain": public_pem("plain"), "build": FULL["build"]},
    "rotated": {"build": public_base64("stranger")},
}


def _x25519_pem() -> str:
    key = X25519PrivateKey.from_private_bytes(bytes(range(32))).public_key()
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(encoding, form).decode()


def _unknown_algorithm_pem() -> str:
    """An SPKI whose algorithm is 1.3.101.127, which nobody has defined."""
    return public_pem("build").replace("MCowBQYDK2VwAyEA", "MCowBQYDK2V/AyEA")


def _bad() -> dict[str, str]:
    raw = public_base64("build")
    entry = FULL["build"]
    values: JSON = {
        "no key at all": {},
        "an empty key id": {"": raw},
        "a number for a key": {"k": 1},
        "an empty key": {"k": ""},
        "31 bytes": {"k": "AAAA" * 10 + "AA=="},
        "base64 without padding": {"k": raw.rstrip("=")},
        "base64 that is not canonical": {"k": raw[:-2] + chr(ord(raw[-2]) + 1) + "="},
        "base64 of the URL alphabet": {"k": "-_" + raw[2:]},
        "white space inside": {"k": raw[:20] + "\n" + raw[20:]},
        "a private key": {"k": private_pem("build")},
        "a key of another algorithm": {"k": _x25519_pem()},
        "a key of an unknown algorithm": {"k": _unknown_algorithm_pem()},
        "a damaged PEM": {"k": public_pem("build").replace("MCow", "MDow")},
        "unknown role": {"k": {**entry, "roles": ["manifest", "admin"]}},
        "role of another case": {"k": {**entry, "roles": ["Manifest"]}},
        "roles are no array": {"k": {**entry, "roles": "manifest"}},
        "no roles": {"k": {name: value for name, value in entry.items() if name != "roles"}},
        "no features": {"k": {name: value for name, value in entry.items() if name != "features"}},
        "no public key": {"k": {"roles": [], "features": []}},
        "a star in the middle": {"k": {**entry, "features": ["feature-*-lab"]}},
        "two stars": {"k": {**entry, "features": ["feature-**"]}},
        "an empty pattern": {"k": {**entry, "features": [""]}},
        "a time with an offset": {"k": {**entry, "validUntil": "2027-01-31T00:00:00+01:00"}},
        "a misspelt member": {"k": {**entry, "validuntil": "2027-01-31T00:00:00Z"}},
    }
    texts = {name: json.dumps(value) for name, value in values.items()}
    return texts | {
        "nothing": "",
        "an array": "[]",
        "a duplicate key id": f'{{"k":"{raw}","k":"{raw}"}}',
        "a byte-order mark": "\ufeff" + json.dumps(FULL),
    }


def files() -> dict[str, JSON]:
    stores = [vector(name, "S3", "ok", json.dumps(store, indent=1)) for name, store in STORES.items()]
    stores += [vector(name, "S3, S5", "configuration_invalid", text) for name, text in _bad().items()]
    keys = {name: {"privateKey": private_pem(name), "publicKey": public_base64(name)} for name in KEYS}
    return {"keys.json": keys, "trust.json": {"vectors": stores}}
