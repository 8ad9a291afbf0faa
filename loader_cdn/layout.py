"""Where things stand below a root (L3): features where the host reads them, and the loader's own in `.loader/`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from artifact.manifest import VerifiedManifest
from artifact.releases import POINTER
from artifact.versions import Version

WORK = ".loader"


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths below one root. All are on one file system, so that a rename publishes (L3)."""

    root: Path

    @property
    def work(self) -> Path:
        """The loader's own directory; no feature id begins with a dot."""
        return self.root / WORK

    @property
    def lock(self) -> Path:
        """L11."""
        return self.work / "lock"

    @property
    def memory(self) -> Path:
        """L7: what was accepted before."""
        return self.work / "state.json"

    @property
    def brought(self) -> Path:
        """L15: what the loader brought."""
        return self.work / "brought.json"

    @property
    def remote_index(self) -> Path:
        """The bytes of the remote index accepted last."""
        return self.work / "remote-index.json"

    @property
    def staging(self) -> Path:
        """What is being brought; it outlives an interrupted run."""
        return self.work / "staging"

    @property
    def trash(self) -> Path:
        """What left its place by a rename and is about to be deleted."""
        return self.work / "trash"

    def feature(self, feature_id: str) -> Path:
        return self.root / feature_id

    def releases(self, feature_id: str) -> Path:
        return self.root / feature_id / POINTER

    def version(self, feature_id: str, version: Version) -> Path:
        return self.root / feature_id / version.text

    def staged_releases(self, feature_id: str) -> Path:
        return self.staging / feature_id / POINTER

    def staged(self, feature_id: str, version: Version, manifest_sha256: str) -> Path:
        """A folder for exactly this content: what lies in it from an earlier run is of use, never in the way."""
        return self.staging / feature_id / f"{version}@{manifest_sha256}"

    def staged_version(self, feature_id: str, manifest: VerifiedManifest) -> Path:
        """`staged`, for a manifest that is at hand."""
        return self.staged(feature_id, manifest.manifest.version, manifest.sha256)
