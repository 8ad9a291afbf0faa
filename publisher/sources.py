"""Where a version comes from: a directory that a build left, or a bundle. Both are verified whole before use (B2)."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol

from artifact.bundle import CHUNK, BundleReader
from artifact.documents import MANIFEST_LIMIT
from artifact.errors import Code, ConfigurationError, ContentError
from artifact.manifest import FileEntry, Manifest, VerifiedManifest
from artifact.paths import MANIFEST, Limits, check_paths
from publisher.spool import Spool


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One verified file. `open` gives a new stream of it, which raises ContentError where it is no longer the same."""

    entry: FileEntry
    size: int
    open: Callable[[], BinaryIO]


@dataclass(frozen=True, slots=True)
class VerifiedVersion:
    """A version whose manifest is signed and whose files are all there and right: the only thing that is published."""

    manifest: VerifiedManifest
    files: tuple[SourceFile, ...]

    @property
    def total_bytes(self) -> int:
        """The bytes of all files, without manifest.json."""
        return sum(file.size for file in self.files)


class VersionSource(Protocol):
    """A version that nobody has verified yet."""

    where: str

    def manifest(self) -> bytes:
        """The bytes of manifest.json."""
        ...

    def files(self, manifest: Manifest) -> tuple[SourceFile, ...]:
        """All files that `manifest` declares, each checked, and no others. Raises ContentError."""
        ...


class DirectorySource:
    """A version directory. It is not ours alone, so that each file is hashed once more while it is sent."""

    def __init__(self, root: Path, limits: Limits) -> None:
        self.root = root
        self.where = str(root)
        self._limits = limits

    def manifest(self) -> bytes:
        path = self.root / MANIFEST
        try:
            with path.open("rb") as file:
                return file.read(MANIFEST_LIMIT + 1)
        except OSError as error:
            raise ConfigurationError(
                f"cannot read the manifest: {error.strerror}; expected a version directory with {MANIFEST}",
                where=str(path),
            ) from error

    def files(self, manifest: Manifest) -> tuple[SourceFile, ...]:
        present = list_files(self.root, self.where)
        check_complete(present, manifest, self.where)
        entries = sorted(manifest.files.values(), key=lambda entry: entry.path)
        with ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="hash") as pool:
            return tuple(pool.map(self._file, entries))

    def _file(self, entry: FileEntry) -> SourceFile:
        path = self.root / entry.path
        size = path.stat().st_size
        check_file_size(entry, size, self._limits, self.where)
        source = SourceFile(entry, size, partial(_open_verified, path, entry, size))
        with source.open() as stream:
            while stream.read(CHUNK):
                pass
        return source


class BundleSource:
    """A bundle, read once from its chunks; its files wait in a spool, which the caller closes."""

    def __init__(self, chunks: Iterable[bytes], spool: Spool, *, where: str, limits: Limits) -> None:
        self.where = where
        self._spool = spool
        self._reader = BundleReader(chunks, where=where, limits=limits)

    def manifest(self) -> bytes:
        return self._reader.manifest()

    def files(self, manifest: Manifest) -> tuple[SourceFile, ...]:
        files = tuple(self._spooled(entry, content) for entry, content in self._reader.files(manifest))
        self._spool.flush()
        return files

    def _spooled(self, entry: FileEntry, content: Iterator[bytes]) -> SourceFile:
        start = self._spool.size
        for chunk in content:
            self._spool.write(chunk)
        size = self._spool.size - start
        return SourceFile(entry, size, partial(self._spool.view, start, size))


def list_files(root: Path, where: str) -> set[str]:
    """The paths of all regular files below `root`, but for manifest.json. Raises ContentError for anything else."""
    found: set[str] = set()
    pending = [(root, "")]
    while pending:
        folder, prefix = pending.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                path = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    pending.append((Path(entry.path), path + "/"))
                elif entry.is_file(follow_symlinks=False):
                    found.add(path)
                else:
                    raise ContentError(
                        Code.PATH_INVALID, "L3", "neither a regular file nor a folder", where=where, seen=path
                    )
    found.discard(MANIFEST)
    return found


def check_complete(present: set[str], manifest: Manifest, where: str) -> None:
    """M2: the files are those of the manifest. Raises `file_undeclared`, `file_missing` or `path_invalid`."""
    undeclared = present - manifest.files.keys()
    if undeclared:
        check_paths(sorted(undeclared), where=where)
        raise ContentError(
            Code.FILE_UNDECLARED, "M2", "a file that the manifest does not declare", where=where, seen=min(undeclared)
        )
    missing = manifest.files.keys() - present
    if missing:
        raise ContentError(Code.FILE_MISSING, "M2", "a declared file is missing", where=where, seen=min(missing))


def check_file_size(entry: FileEntry, size: int, limits: Limits, where: str) -> None:
    """M3, P4: the size that the manifest says, or at most what the limits allow."""
    if entry.size is not None and size != entry.size:
        raise ContentError(
            Code.INTEGRITY_MISMATCH,
            "M3",
            f"{entry.path} has another size than the manifest says",
            where=where,
            expected=entry.size,
            seen=size,
        )
    if size > limits.file_bytes:
        raise ContentError(
            Code.LIMIT_EXCEEDED,
            "P4",
            f"{entry.path} is too large",
            where=where,
            expected=f"at most {limits.file_bytes}",
            seen=size,
        )


def _open_verified(path: Path, entry: FileEntry, size: int) -> BinaryIO:
    return io.BufferedReader(_Verifying(path, entry, size), CHUNK)


class _Verifying(io.RawIOBase):
    """A file's bytes; ContentError instead of its last ones where they are not those of the manifest."""

    def __init__(self, path: Path, entry: FileEntry, size: int) -> None:
        self._file = path.open("rb", buffering=0)
        self._path = path
        self._entry = entry
        self._left = size
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        view = memoryview(buffer)
        count = self._file.readinto(view) or 0
        self._digest.update(view[:count])
        self._left -= count
        if (self._left <= 0 or count == 0) and not self._is_right():
            raise ContentError(
                Code.INTEGRITY_MISMATCH,
                "M2",
                "not the file that the manifest declares",
                where=str(self._path),
                expected=self._entry.sha256.hex(),
                seen=self._digest.hexdigest(),
            )
        return count

    def _is_right(self) -> bool:
        return self._left == 0 and self._digest.digest() == self._entry.sha256

    def close(self) -> None:
        self._file.close()
        super().close()
