"""The keys of a local pipeline: signing keys made at the first run and kept, function keys made at every run."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from artifact.keys import PrivateKey

from .endpoints import write_private

BUILD_KEY_ID = "build-local"
RELEASE_KEY_ID = "release-local"

POWERS = ("read", "purge", "release")
"""What a function key may open (C6): the functions whose names begin with `read_`, `purge_` or `release_`."""


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """Files: two private keys (PKCS #8 PEM, mode 0600) and the trust store in its full form (S3)."""

    build: Path
    release: Path
    trust: Path


def signing_keys(folder: Path) -> SigningKeys:
    """The keys in `folder`, made where they are missing; the trust store is written with them and may be edited."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys = SigningKeys(folder / "build.pem", folder / "release.pem", folder / "trust.json")
    missing = [path for path in (keys.build, keys.release) if not path.exists()]
    for path in missing:
        write_private(path, PrivateKey.generate().pem())
    if missing or not keys.trust.exists():
        keys.trust.write_text(json.dumps(_trust_store(keys), indent=2) + "\n", "utf-8")
    return keys


def _trust_store(keys: SigningKeys) -> dict[str, Any]:
    def entry(key: Path, roles: list[str], features: list[str]) -> dict[str, Any]:
        public = PrivateKey.parse(key.read_text("utf-8"), where=str(key)).public()
        return {"publicKey": public.pem(), "roles": roles, "features": features}

    return {
        BUILD_KEY_ID: entry(keys.build, ["manifest"], ["feature-*"]),
        RELEASE_KEY_ID: entry(keys.release, ["releases", "index"], ["*"]),
    }


@dataclass(frozen=True, slots=True)
class FunctionKeys:
    """`everything` opens all functions, each of `powers` those of its power; `file` is what the host reads."""

    everything: str
    powers: Mapping[str, str]
    file: Path


def function_keys(folder: Path) -> FunctionKeys:
    """New keys, written to `folder` as the development host reads them."""
    powers = {power: secrets.token_urlsafe(30) for power in POWERS}
    keys = FunctionKeys(secrets.token_urlsafe(30), powers, folder / "functions.json")
    document = {
        "masterKey": secrets.token_urlsafe(30),
        "functionKeys": {"default": keys.everything},
        "functions": {f"{power}_*": {power: key} for power, key in powers.items()},
    }
    write_private(keys.file, json.dumps(document, indent=2) + "\n")
    return keys
