"""Hashing files on disk: on more than one core, in bounded memory, following no link."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from artifact.errors import Code, ContentError
from artifact.manifest import FileEntry
from loader_cdn.durable import unreadable

CHUNK = 256 * 1024
BATCH = 64
"""Files a task: a task costs about as much as hashing a small file."""

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class Hasher:
    """Compares files with what a manifest says of them."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool

    @classmethod
    @contextmanager
    def start(cls) -> Iterator[Hasher]:
        """A hasher with threads of its own; hashlib and the file system let go of the interpreter while they work."""
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="hash") as pool:
            yield cls(pool)

    def faults(self, files: Sequence[tuple[str, FileEntry]]) -> list[ContentError | None]:
        """What is wrong with the file at each path, in order; None where it is as its manifest says. TransientError
        where nothing can be read just now.

        Paths are text here and wherever there is one a file: a `Path` costs more to make than a small file to hash.
        """
        batches = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]
        checked = self._pool.map(lambda batch: [_fault(path, entry) for path, entry in batch], batches)
        return [found for batch in checked for found in batch]


def _fault(path: str, entry: FileEntry) -> ContentError | None:
    """M2, M3: what is wrong with one file on disk; None where it is as its manifest says. Raises TransientError."""
    try:
        size, digest = _digest(path, entry.size)
    except FileNotFoundError:
        return ContentError(Code.FILE_MISSING, "M2", "a declared file is missing", where=path)
    except OSError as error:
        fault = unreadable(error, "a file cannot be read", path)
        if isinstance(fault, ContentError):
            return fault
        raise fault from error
    if entry.size is not None and size != entry.size:
        return _mismatch("M3", "another size than the manifest says", path, entry.size, size)
    if digest != entry.sha256:
        return _mismatch("M2", "not the file that the manifest declares", path, entry.sha256.hex(), digest.hex())
    return None


def _mismatch(rule: str, what: str, path: str, expected: object, seen: object) -> ContentError:
    return ContentError(Code.INTEGRITY_MISMATCH, rule, what, where=path, expected=expected, seen=seen)


def _digest(path: str, expected: int | None) -> tuple[int, bytes]:
    """Size and SHA-256 of a regular file (not read where its size is another than expected); OSError for all else."""
    descriptor = os.open(path, _FLAGS)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "not a regular file")
        hasher = hashlib.sha256()
        if expected is not None and status.st_size != expected:
            return status.st_size, b""
        size = 0
        while chunk := os.read(descriptor, CHUNK):
            hasher.update(chunk)
            size += len(chunk)
        return size, hasher.digest()
    finally:
        os.close(descriptor)
