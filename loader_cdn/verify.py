"""C3: `verify DIR`: a root on disk, offline, down to each byte; nothing is written."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from artifact.errors import Code, ConfigurationError, ContentError, DeliveryError
from artifact.freshness import check_expiry
from artifact.manifest import VerifiedManifest, verify_manifest
from artifact.paths import MANIFEST, Limits
from artifact.releases import POINTER
from artifact.versions import Version, check_feature_id
from loader_cdn.disk import Checker, FeatureOnDisk, is_folder
from loader_cdn.hashing import Hasher
from loader_cdn.known import Known
from loader_cdn.layout import WORK, Layout
from loader_cdn.report import Report, Result, Row
from loader_cdn.settings import load_trust

log = logging.getLogger(__name__)


def verify(directory: Path, trust_keys: str, *, now: datetime, limits: Limits | None = None) -> Report:
    """Check every index, manifest and file below a root.

    Whole versions that no index lists are no fault, partial ones are. An index that has expired is told and decides
    nothing (L13).
    """
    try:
        trust = load_trust(trust_keys)
        with Hasher.start() as hasher:
            checker = Checker(
                Layout(directory), trust, limits if limits is not None else Limits(), now, hasher, Known()
            )
            return Report(
                str(directory), None, [_row(name, checker) for name in _features(directory)], is_complete=True
            )
    except DeliveryError as error:
        log.error("%s", error)
        return Report(str(directory), error)


def _features(root: Path) -> list[str]:
    """The directories of a root that are features': by name, and by what is in them. Raises ConfigurationError."""
    if (root / POINTER).exists() or (root / MANIFEST).exists():
        what = "this is a feature or a version itself; give the directory that holds all features"
        raise ConfigurationError(what, rule="C3", where=str(root))
    try:
        found = sorted(path.name for path in root.iterdir() if _is_feature(path))
    except OSError as error:
        raise ConfigurationError("no directory to verify", rule="C3", where=str(root), seen=error.strerror) from error
    if not found and not (root / WORK).exists():
        raise ConfigurationError("no feature is in this directory", rule="C3", where=str(root))
    return found


def _is_feature(path: Path) -> bool:
    try:
        check_feature_id(path.name, where=str(path))
    except ContentError:
        return False
    return is_folder(path) and ((path / POINTER).exists() or any(_versions(path)))


def _versions(folder: Path) -> Iterator[Version]:
    """The versions that have a directory here; what has another name is not looked at."""
    for path in sorted(folder.iterdir()):
        try:
            version = Version(path.name)
        except ContentError:
            continue
        if is_folder(path):
            yield version


def _row(feature_id: str, checker: Checker) -> Row:
    standing = checker.survey(feature_id)
    fault = next(iter([*standing.faults, *_unlisted_faults(standing, checker)]), None)
    if standing.releases is None:
        missing = ContentError(
            Code.FILE_MISSING, "L3", "no release index", where=str(checker.layout.releases(feature_id))
        )
        return Row(feature_id, Result.FAILED, None, fault or missing)
    index = standing.releases.index
    if fault is not None:
        return Row(feature_id, Result.FAILED, index if standing.is_in_place else None, fault)
    try:
        check_expiry(index.expires_at, checker.now, where=str(checker.layout.releases(feature_id)))
    except ContentError as error:
        return Row(feature_id, Result.UNCHANGED, index, error, counts=False)
    return Row(feature_id, Result.UNCHANGED, index)


def _unlisted_faults(standing: FeatureOnDisk, checker: Checker) -> Iterator[ContentError]:
    """Versions that the index does not list, and that are not whole either."""
    listed = standing.versions.keys() | standing.wrong_versions.keys()
    for version in _versions(checker.layout.feature(standing.feature_id)):
        if version not in listed:
            try:
                checker.files(
                    checker.layout.version(standing.feature_id, version), _manifest(standing, version, checker)
                )
            except ContentError as error:
                yield error


def _manifest(standing: FeatureOnDisk, version: Version, checker: Checker) -> VerifiedManifest:
    """No index says when an unlisted version was published: it is held against no key's `validUntil`."""
    parsed = checker.manifest(standing.feature_id, version)
    return verify_manifest(parsed, checker.trust, feature_id=standing.feature_id, version=version, at=None)
