"""L3, L5: a version is made whole in `.loader/staging/` before it is moved to where a host reads.

A file that an earlier, interrupted run left there is used if it is right; one whose hash is on disk in another version
is linked; the rest is fetched. A staging folder is named by its content and begun anew in each pass, out of the right
files of the one before, so that nothing wrong can wait in it.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from artifact.errors import Code, ContentError
from artifact.manifest import FileEntry, VerifiedManifest
from artifact.paths import MANIFEST, Limits
from artifact.releases import Entry
from loader_cdn.cdn import file_url
from loader_cdn.disk import check_names, folders_of
from loader_cdn.hashing import Hasher
from loader_cdn.layout import Layout
from loader_cdn.transfer import FileDownload
from loader_cdn.trash import Trash
from loader_cdn.work import Work

_NO_LINK = frozenset({errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.ENOSYS})
"""Another file system, a full link count, a file of another user's: a copy does as well."""

Sources = dict[bytes, str]
"""Where a file with some SHA-256 may be on disk already. It may have changed since: it is hashed when it is used."""


def add_sources(sources: Sources, folder: Path, files: Mapping[str, FileEntry]) -> None:
    """The files of one version in `folder`; what was added before stands."""
    for path, entry in files.items():
        sources.setdefault(entry.sha256, f"{folder}/{path}")


@dataclass(slots=True)
class Staging:
    """One version on its way. `to_fetch` says by hash what is still missing, and where it belongs: a file that stands
    in the version more than once is fetched once.
    """

    work: Work
    entry: Entry
    manifest: VerifiedManifest
    folder: Path
    to_fetch: dict[bytes, list[FileEntry]] = field(default_factory=dict)

    def downloads(self, limits: Limits) -> Iterator[FileDownload]:
        """What to fetch, as long as the feature has not failed."""
        for first, *_ in list(self.to_fetch.values()):
            if not self.work.is_wanted:
                return
            url = file_url(self.work, self.entry, first.path)
            yield FileDownload(url, self.folder / first.path, first.sha256, first.size, limits.file_bytes)

    def fetched(self, sha256: bytes) -> None:
        """The file with this hash is in its first place: put it in the others. Raises OSError."""
        first, *others = self.to_fetch.pop(sha256)
        for other in others:
            _link(f"{self.folder}/{first.path}", f"{self.folder}/{other.path}")

    def seal(self, limits: Limits) -> None:
        """Exactly what the manifest declares is there, and no more bytes than P4 allows. Raises ContentError."""
        declared = self.manifest.manifest.files
        check_names(self.folder, declared.keys() | {MANIFEST})
        if self.manifest.manifest.total_bytes is not None:
            return
        total = sum((self.folder / path).stat().st_size for path in declared)
        if total > limits.version_bytes:
            raise ContentError(
                Code.LIMIT_EXCEEDED,
                "P4",
                "the version is too large",
                where=f"{self.work.feature_id}/{self.entry.version}",
                expected=f"at most {limits.version_bytes} bytes",
                seen=total,
            )

    def paths(self) -> list[str]:
        """All files and folders that have to be on disk before the folder is moved (L4)."""
        declared = self.manifest.manifest.files
        return [f"{self.folder}/{path}" for path in (MANIFEST, "", *declared, *folders_of(declared))]


def prepare(
    work: Work, entry: Entry, layout: Layout, *, aside: Path | None, sources: Sources, hasher: Hasher, trash: Trash
) -> Staging:
    """The staging folder of a version whose manifest is known, with all that needs no fetching. Raises OSError.

    `aside` is where the same version is now that stood wrong in its place, if one did.
    """
    manifest = work.manifests[entry.version]
    declared = manifest.manifest.files
    staging = Staging(work, entry, manifest, layout.staged_version(work.feature_id, manifest))
    staged: Sources = {}
    if os.path.lexists(staging.folder):
        add_sources(staged, trash.put(staging.folder), declared)
    again: Sources = {}
    if aside is not None:
        add_sources(again, aside, declared)
    staging.folder.mkdir(parents=True)
    for path in sorted(folders_of(declared)):
        (staging.folder / path).mkdir()
    (staging.folder / MANIFEST).write_bytes(manifest.data)
    placed = [file for file in declared.values() if _place(file, staging.folder, (staged, again, sources))]
    wrong = _remove_wrong(placed, staging.folder, hasher)
    right = {file.path for file in placed} - wrong
    for file in declared.values():
        if file.path not in right:
            staging.to_fetch.setdefault(file.sha256, []).append(file)
    return staging


def _remove_wrong(files: list[FileEntry], folder: Path, hasher: Hasher) -> set[str]:
    """L5: the hash of what was linked is checked now; the paths of those that are not what they were said to be."""
    faults = hasher.faults([(f"{folder}/{file.path}", file) for file in files])
    wrong = {file.path for file, fault in zip(files, faults, strict=True) if fault is not None}
    for path in wrong:
        (folder / path).unlink()
    return wrong


def _place(file: FileEntry, folder: Path, candidates: tuple[Sources, ...]) -> bool:
    for sources in candidates:
        source = sources.get(file.sha256)
        if source is not None:
            try:
                _link(source, f"{folder}/{file.path}")
            except (FileNotFoundError, NotADirectoryError):
                continue
            return True
    return False


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        shutil.copyfile(source, target, follow_symlinks=False)
