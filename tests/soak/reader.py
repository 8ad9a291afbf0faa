"""What a host sees of a root at any moment (T33): what an index lists is there, whole and right; no index goes back."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.soak.releases import FEATURES
from tests.soak.tally import Tally


@dataclass
class Reader:
    """Reads one root again and again, as its host does. `must_stand` says whether a feature may not be absent once it
    stood.
    """

    name: str
    root: Path
    tally: Tally
    must_stand: Callable[[str], bool]
    _stood: set[str] = field(default_factory=set)
    _sequences: dict[str, int] = field(default_factory=dict)
    _excused: dict[str, bool] = field(default_factory=dict)
    """Features that the harness has damaged, and whether the loader has been told to look."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def excuse(self, *feature_ids: str) -> None:
        """What is wrong or absent from now on was done by hand."""
        with self._lock:
            self._excused.update(dict.fromkeys(feature_ids, False))

    def expect(self, *feature_ids: str) -> None:
        """It was done, and the loader looks: once it is right again, it has to stay so."""
        with self._lock:
            self._excused.update(dict.fromkeys(feature_ids, True))

    def read(self) -> None:
        """All features once; what is not as promised is told to the tally."""
        for feature_id in FEATURES:
            with self._lock:
                self._read(feature_id)

    def _read(self, feature_id: str) -> None:
        index = self.root / feature_id / "releases.json"
        data = _bytes(index)
        if data is None:
            self._is_absent(feature_id, index)
            return
        fault = _fault(self.root / feature_id, data)
        if fault is not None and _bytes(index) == data:
            fault = _fault(self.root / feature_id, data)  # a version that is new appears before its index does
        if fault is None:
            self._is_right(feature_id, data)
        elif feature_id not in self._excused and _bytes(index) == data:
            self.tally.offend(f"{self.name}: {feature_id}: {fault}")

    def _is_right(self, feature_id: str, data: bytes) -> None:
        self.tally.checked("features read whole")
        self._stood.add(feature_id)
        if self._excused.get(feature_id):
            del self._excused[feature_id]
        sequence, before = int(json.loads(data)["sequence"]), self._sequences.get(feature_id, 0)
        self._sequences[feature_id] = sequence
        if sequence < before:
            self.tally.offend(f"{self.name}: {feature_id}: sequence {sequence} after {before}")

    def _is_absent(self, feature_id: str, index: Path) -> None:
        if feature_id not in self._stood or feature_id in self._excused:
            return
        if not self.must_stand(feature_id):
            self._stood.discard(feature_id)
        elif not index.exists():
            self._stood.discard(feature_id)
            self.tally.offend(f"{self.name}: {feature_id} is absent, though it stood and is registered")


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _fault(folder: Path, data: bytes) -> str | None:
    """What is wrong with a feature whose index is `data`, or None."""
    try:
        listed = json.loads(data)["versions"]
    except (ValueError, KeyError) as error:
        return f"releases.json: {error!r}"
    for entry in listed:
        version = folder / entry["version"]
        manifest = _bytes(version / "manifest.json")
        if manifest is None or hashlib.sha256(manifest).hexdigest() != entry["manifestSha256"]:
            return f"{entry['version']}: its manifest is {'missing' if manifest is None else 'another one'}"
        fault = _fault_of_files(version, json.loads(manifest))
        if fault is not None:
            return f"{entry['version']}: {fault}"
    return None


def _fault_of_files(version: Path, manifest: Any) -> str | None:
    for path, digest in manifest["integrity"].items():
        content = _bytes(version / path)
        if content is None:
            return f"{path} is missing"
        if len(content) != manifest["sizes"][path]:
            return f"{path} has {len(content)} bytes"
        if "sha256-" + base64.b64encode(hashlib.sha256(content).digest()).decode() != digest:
            return f"{path} has other bytes"
    found = {str(Path(folder, name).relative_to(version)) for folder, _, names in os.walk(version) for name in names}
    strange = found - manifest["integrity"].keys() - {"manifest.json"}
    return f"{min(strange)} is in no manifest" if strange else None
