"""L4: what a rename publishes is on disk before it; and what the file system's refusals mean (T32)."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from artifact.errors import Code, TransientError

FEW = 32
"""Up to so many, fsync one by one: syncfs also waits for what others wrote to the same disk."""

_ADVICE = {
    errno.ENOSPC: "the disk is full, or has no inodes left; make room and the next pass goes on",
    errno.EDQUOT: "the disk quota is used up; make room and the next pass goes on",
    errno.EROFS: "the file system is read-only; mount it writable for the loader",
    errno.EACCES: "no permission; the loader's user must be able to write here",
    errno.EPERM: "no permission; the loader's user must be able to write here",
    errno.EXDEV: "on another file system than the root; a rename must be able to publish it",
}


_IN_THE_WAY = frozenset({errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR})


def disk_error(error: OSError, where: Path | str) -> TransientError:
    """What the file system's refusal means; the message says which path, why, and what to do.

    `conflict` where something else stands in the place, `storage_full` for all else: it passes when the disk is put
    right (T32).
    """
    reason = error.strerror or str(error)
    path = str(error.filename2 or error.filename or where)
    if error.errno in _IN_THE_WAY:
        what = "something that the loader did not bring is in the way; move it away"
        return TransientError(Code.CONFLICT, "L15", what, where=path, seen=reason)
    advice = _ADVICE.get(error.errno or 0)
    what = "cannot write" + (f": {advice}" if advice else "")
    return TransientError(Code.STORAGE_FULL, "L8", what, where=path, seen=reason)


@contextmanager
def disk(where: Path) -> Iterator[None]:
    """OSError from the block becomes `disk_error`."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, where) from error


def write_atomic(path: Path, data: bytes) -> None:
    """Replace a small file so that a kill or a power cut leaves the old bytes or the new ones. Raises OSError.

    The temporary name is fixed: one loader writes at a time (L11), and what a dead one left is overwritten.
    """
    temporary = path.with_name(path.name + ".new")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    fsync(path.parent)


def persist(paths: Collection[str | Path]) -> None:
    """Bring files and folders of one file system to the disk. Raises OSError."""
    syncfs = _syncfs()
    if syncfs is None or len(paths) <= FEW:
        for path in paths:
            fsync(path)
        return
    with _opened(next(iter(paths))) as descriptor:
        if syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(next(iter(paths))))


def fsync(path: str | Path) -> None:
    """Bring one file's content, or one folder's entries, to the disk. Raises OSError."""
    with _opened(path) as descriptor:
        os.fsync(descriptor)


@contextmanager
def _opened(path: str | Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _syncfs() -> Callable[[int], int] | None:
    """Linux has it, the standard library does not."""
    try:
        function: Callable[[int], int] = ctypes.CDLL(None, use_errno=True).syncfs
    except (AttributeError, OSError):
        return None
    return function
