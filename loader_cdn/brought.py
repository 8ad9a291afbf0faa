"""L15: what the loader brought to a root, in `.loader/brought.json`. All else there is somebody else's.

It is written before anything appears in its place, so that what a killed run left is still known as the loader's own.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from artifact.documents import canonical, parse
from artifact.errors import ContentError
from artifact.fields import Fields
from artifact.versions import Version, check_feature_id
from loader_cdn.durable import write_atomic
from loader_cdn.state import LIMIT

log = logging.getLogger(__name__)


class Origin(StrEnum):
    """Who registered a feature: that decides what its absence means (I3, L12)."""

    FLAG = "flag"
    CLUSTER = "cluster"
    MOUNTED = "mounted"
    REMOTE_INDEX = "remote-index"


@dataclass(slots=True)
class Brought:
    """What was brought of one feature: versions, and release indexes by the hex SHA-256 of their bytes. `by` are the
    ConfigMaps that have registered it rightly and are still there, the one that holds first.
    """

    origin: Origin
    versions: set[Version] = field(default_factory=set)
    releases: list[str] = field(default_factory=list)
    by: tuple[str, ...] = ()

    def will_bring(self, versions: Iterable[Version], *, before: str | None, after: str) -> None:
        """Note what is about to appear: versions, and index `after` where now index `before` stands (SHA-256, hex)."""
        self.versions.update(versions)
        self.releases = [sha256 for sha256 in self.releases if sha256 == before != after] + [after]


class Inventory:
    """All that was brought to one root, by feature id."""

    def __init__(self, path: Path, features: dict[str, Brought], stored: bytes) -> None:
        self.features = features
        self._path = path
        self._stored = stored

    @classmethod
    def load(cls, path: Path) -> Inventory:
        """What `path` says; where it is damaged nothing is known as ours, and that is said. Raises OSError."""
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return cls(path, {}, b"")
        try:
            document = parse(data, limit=LIMIT, where=str(path))
            return cls(path, _features(Fields(document, where=str(path), rule="L15")), data)
        except ContentError as error:
            log.error("%s; what is on disk is used where it is right, and otherwise left alone", error)
            return cls(path, {}, b"")

    def save(self) -> None:
        """Write it, if it changed: atomically and durably. Raises OSError."""
        data = canonical({"schemaVersion": 1, "features": {name: _document(b) for name, b in self.features.items()}})
        if data != self._stored:
            write_atomic(self._path, data)
            self._stored = data

    def by_config_map(self) -> dict[str, list[str]]:
        """Feature ids by each ConfigMap that registered them."""
        found: dict[str, list[str]] = {}
        for feature_id, brought in self.features.items():
            for reference in brought.by:
                found.setdefault(reference, []).append(feature_id)
        return found

    def has_version(self, feature_id: str, version: Version) -> bool:
        """Whether the loader brought this version."""
        brought = self.features.get(feature_id)
        return brought is not None and version in brought.versions

    def has_releases(self, feature_id: str, sha256: str | None) -> bool:
        """Whether the loader brought the release index in place; `sha256` None: it is damaged, and no hash tells."""
        brought = self.features.get(feature_id)
        return brought is not None and (bool(brought.releases) if sha256 is None else sha256 in brought.releases)


def _document(brought: Brought) -> dict[str, Any]:
    document: dict[str, Any] = {
        "origin": str(brought.origin),
        "versions": sorted(version.text for version in brought.versions),
        "releases": brought.releases,
    }
    if brought.by:
        document["by"] = list(brought.by)
    return document


def _features(fields: Fields) -> dict[str, Brought]:
    fields.constant("schemaVersion", 1)
    features = fields.object("features")
    # The names become paths that may be deleted: they are judged, as all that comes from a disk.
    return {check_feature_id(name, where=fields.where): _brought(features.object(name)) for name in features.members}


def _brought(fields: Fields) -> Brought:
    return Brought(
        origin=Origin(fields.choice("origin", tuple(Origin))),
        versions={Version(text, where=fields.where) for text in fields.texts("versions")},
        releases=list(fields.texts("releases")),
        by=tuple(fields.texts("by")) if fields.has("by") else (),
    )
