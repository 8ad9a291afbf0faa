"""Version directories, keys and trust stores for tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from artifact.keys import KeySigner, PrivateKey
from artifact.paths import Limits
from artifact.trust import TrustStore
from publisher.authoring import sign_directory

FILES: Mapping[str, bytes] = {
    "index.js": b"export const mount = () => {};\n",
    "assets/app.css": b".app { color: teal }\n",
    "assets/chunk.js": b"export default 1;\n",
    "empty.txt": b"",
}


@dataclass(frozen=True, slots=True)
class Keys:
    """One build key (manifests of feature-*), one release key (everything else), one that nobody trusts."""

    build: KeySigner
    release: KeySigner
    stranger: KeySigner

    @classmethod
    def new(cls) -> Keys:
        """Fresh keys."""
        labels = ("build-test", "release-test", "stranger")
        return cls(*(KeySigner(label, PrivateKey.generate()) for label in labels))

    def trust_document(self) -> dict[str, Any]:
        """The trust store in the full form."""
        return {
            self.build.key_id: {
                "publicKey": self.build.key.public().pem(),
                "roles": ["manifest"],
                "features": ["feature-*"],
            },
            self.release.key_id: {
                "publicKey": self.release.key.public().pem(),
                "roles": ["releases", "index"],
                "features": ["*"],
            },
        }

    def trust(self) -> TrustStore:
        """The same, parsed."""
        return TrustStore.parse(json.dumps(self.trust_document()).encode(), source="trust.json")

    def write(self, folder: Path) -> None:
        """`trust.json`, `build.pem`, `release.pem` and `stranger.pem` in a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "trust.json").write_text(json.dumps(self.trust_document()))
        for name, signer in (("build", self.build), ("release", self.release), ("stranger", self.stranger)):
            (folder / f"{name}.pem").write_text(signer.key.pem())


def draft(feature_id: str, version: str, channel: str = "stable", **members: Any) -> dict[str, Any]:
    """A manifest as a build leaves it."""
    return {
        "id": feature_id,
        "version": version,
        "displayName": feature_id.removeprefix("feature-"),
        "featureType": "facet",
        "channel": channel,
        "entrypoints": {"js": ["index.js"]},
        **members,
    }


def version_directory(
    root: Path,
    signer: KeySigner,
    feature_id: str = "feature-patientlist",
    version: str = "1.0.0",
    *,
    channel: str = "stable",
    files: Mapping[str, bytes] = FILES,
    **members: Any,
) -> Path:
    """A signed version directory `<root>/<featureId>/<version>`."""
    folder = root / feature_id / version
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    (folder / "manifest.json").write_text(json.dumps(draft(feature_id, version, channel, **members)))
    sign_directory(folder, signer, Limits())
    return folder
