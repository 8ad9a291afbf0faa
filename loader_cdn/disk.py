"""L6: what is on disk is trusted only after it was verified, to the last byte, with today's trust store."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from artifact.documents import MANIFEST_LIMIT, RELEASES_LIMIT
from artifact.errors import Code, ContentError
from artifact.manifest import ParsedManifest, VerifiedManifest, parse_manifest, verify_manifest
from artifact.paths import MANIFEST, Limits
from artifact.releases import Entry, VerifiedReleases, parse_releases, verify_releases
from artifact.trust import TrustStore
from artifact.versions import Version
from loader_cdn.durable import unreadable
from loader_cdn.hashing import Hasher
from loader_cdn.known import Known
from loader_cdn.layout import Layout


@dataclass(slots=True)
class FeatureOnDisk:
    """What stands of one feature. `versions` are the whole ones among those that `releases` lists.

    `releases` is what verified, even where `moved_aside` says that it is out of sight until its versions are mended.
    """

    feature_id: str
    releases: VerifiedReleases | None = None
    versions: dict[Version, VerifiedManifest] = field(default_factory=dict)
    wrong_releases: ContentError | None = None
    wrong_versions: dict[Version, ContentError] = field(default_factory=dict)
    moved_aside: bool = False

    @property
    def is_in_place(self) -> bool:
        """Whether a host finds a right index here, and all that it lists."""
        return self.releases is not None and not self.wrong_versions and not self.moved_aside

    @property
    def faults(self) -> list[ContentError]:
        """All that is wrong, the index first."""
        index = [] if self.wrong_releases is None else [self.wrong_releases]
        return index + list(self.wrong_versions.values())


@dataclass(frozen=True, slots=True)
class Checker:
    """Verifies what is on disk. Its methods raise ContentError for what is wrong, also where it cannot be read, and
    TransientError where nothing can be read just now.
    """

    layout: Layout
    trust: TrustStore
    limits: Limits
    now: datetime
    hasher: Hasher
    known: Known

    def survey(self, feature_id: str) -> FeatureOnDisk:
        """One feature: its release index, and every version that it lists. Faults are found, not raised."""
        found = FeatureOnDisk(feature_id)
        try:
            found.releases = self.releases(feature_id)
        except ContentError as error:
            found.wrong_releases = error
        if found.releases is None:
            return found
        for entry in found.releases.index.entries:
            try:
                found.versions[entry.version] = self.version(feature_id, entry)
            except ContentError as error:
                found.wrong_versions[entry.version] = error
        return found

    def releases(self, feature_id: str) -> VerifiedReleases | None:
        """The release index in place; None where there is none. It was accepted once: its expiry is not judged."""
        path = self.layout.releases(feature_id)
        data = read(path, RELEASES_LIMIT)
        if data is None:
            return None
        parsed = parse_releases(data, where=str(path), limits=self.limits)
        return verify_releases(parsed, self.trust, feature_id=feature_id, at=None)

    def version(self, feature_id: str, entry: Entry) -> VerifiedManifest:
        """A version that an index lists: exactly its manifest and the files that this declares, each right (M2)."""
        parsed = self.manifest(feature_id, entry.version)
        seen = hashlib.sha256(parsed.data).hexdigest()
        if seen != entry.manifest_sha256:
            raise ContentError(
                Code.INTEGRITY_MISMATCH,
                "R2",
                "not the manifest that the release index lists",
                where=parsed.where,
                expected=entry.manifest_sha256,
                seen=seen,
            )
        manifest = self.vouched(parsed, feature_id, entry)
        folder = self.layout.version(feature_id, entry.version)
        if not self.known.has(folder, seen, self.now):
            self.files(folder, manifest)
            self.known.note(folder, seen, self.now)
        return manifest

    def manifest(self, feature_id: str, version: Version) -> ParsedManifest:
        """The manifest in a version directory, of the right form and nothing more."""
        folder = self.layout.version(feature_id, version)
        if not is_folder(folder):
            raise ContentError(Code.FILE_MISSING, "L3", "no version directory", where=str(folder))
        path = folder / MANIFEST
        data = read(path, MANIFEST_LIMIT)
        if data is None:
            raise ContentError(Code.FILE_MISSING, "M2", "the manifest is missing", where=str(path))
        return parse_manifest(data, where=str(path), limits=self.limits)

    def vouched(self, parsed: ParsedManifest, feature_id: str, entry: Entry) -> VerifiedManifest:
        """The manifest of a listed version, signed by a key that might when it was published (S6)."""
        manifest = verify_manifest(
            parsed,
            self.trust,
            feature_id=feature_id,
            version=entry.version,
            # Without a `publishedAt` nothing says that a retired key signed in its time.
            at=entry.published_at if entry.published_at is not None else self.now,
        )
        entry.check(manifest.manifest, where=parsed.where)
        return manifest

    def files(self, folder: Path, manifest: VerifiedManifest) -> None:
        """M2: the files in `folder` are those of the manifest, no more and no fewer, each with its hash."""
        declared = manifest.manifest.files
        check_names(folder, declared.keys() | {MANIFEST})
        faults = self.hasher.faults([(f"{folder}/{path}", entry) for path, entry in declared.items()])
        for fault in faults:
            if fault is not None:
                raise fault


def check_names(folder: Path, expected: set[str]) -> None:
    """Below `folder` there are exactly the regular files `expected`, and only the folders that they need (L3)."""
    folders = folders_of(expected)
    missing = set(expected)
    for path, is_dir in _walk(folder):
        if path in (folders if is_dir else expected):
            missing.discard(path)
        else:
            raise ContentError(
                Code.FILE_UNDECLARED, "M2", "not in the manifest, or no regular file", where=str(folder), seen=path
            )
    if missing:
        raise ContentError(Code.FILE_MISSING, "M2", "a declared file is missing", where=str(folder), seen=min(missing))


def read(path: Path, limit: int) -> bytes | None:
    """A small regular file, at most one byte more than `limit`; None where there is nothing.

    ContentError `file_missing` where it is something else, or cannot be read (TransientError: just now).
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ContentError(Code.FILE_MISSING, "L3", "not a regular file", where=str(path))
            return file.read(limit + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise unreadable(error, "a file cannot be read", path) from error


def _walk(folder: Path) -> Iterator[tuple[str, bool]]:
    """All that is below `folder`, by relative path, and whether it is a folder; links are neither."""
    pending = [""]
    while pending:
        prefix = pending.pop()
        try:
            with os.scandir(folder / prefix) as entries:
                found = [(prefix + entry.name, _kind(entry)) for entry in entries]
        except OSError as error:
            raise unreadable(error, "a folder cannot be read", folder / prefix) from error
        for path, kind in found:
            if kind is None:
                raise ContentError(
                    Code.FILE_UNDECLARED, "L3", "neither a regular file nor a folder", where=str(folder), seen=path
                )
            if kind:
                pending.append(path + "/")
            yield path, kind


def _kind(entry: os.DirEntry[str]) -> bool | None:
    if entry.is_dir(follow_symlinks=False):
        return True
    return False if entry.is_file(follow_symlinks=False) else None


def folders_of(paths: Iterable[str]) -> set[str]:
    """All folders that files at these paths need, by their own paths."""
    found: set[str] = set()
    for path in paths:
        parent = path.rpartition("/")[0]
        while parent and parent not in found:
            found.add(parent)
            parent = parent.rpartition("/")[0]
    return found


def is_folder(path: Path) -> bool:
    """Whether this is a folder itself, and no link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False
