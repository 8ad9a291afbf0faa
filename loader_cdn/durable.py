"""L4: what a rename publishes is on disk before it; and what the file system's refusals mean (T32)."""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from artifact.errors import Code, ContentError, DeliveryError, TransientError

FEW = 32
"""Up to so many, fsync one by one: syncfs also waits for what others wrote to the same disk."""

EARLY_BYTES = 32 * 1024 * 1024
"""Written, and not yet asked of the disk: from here on it is worth to begin."""

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


_SHORT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})


def unreadable(error: OSError, what: str, where: Path | str) -> DeliveryError:
    """What stands and cannot be read is wrong (L6), unless it is the process or the machine that is short of something:
    that says nothing of what stands, and passes (L8).
    """
    if error.errno in _SHORT:
        return TransientError(Code.STORAGE_FULL, "L8", "nothing can be read now", where=str(where), seen=error.strerror)
    return ContentError(Code.FILE_MISSING, "L6", what, where=str(where), seen=error.strerror)


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


class Syncer:
    """Brings the files and folders of one file system, the one of `folder`, to the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._syncfs = _syncfs()
        self._unsynced = 0
        self._early: threading.Thread | None = None
        self._failed: OSError | None = None

    def wrote(self, size: int) -> None:
        """So many more bytes are in files: the disk begins with them while others arrive, and `persist` waits less."""
        self._unsynced += size
        if self._unsynced >= EARLY_BYTES and self._syncfs is not None and not self._is_busy:
            self._unsynced = 0
            self._early = threading.Thread(target=self._sync_early, name="sync", daemon=True)
            self._early.start()

    def persist(self, paths: Collection[str | Path]) -> None:
        """Return when these are on the disk. Raises OSError."""
        if self._early is not None:
            self._early.join()
        failed, self._failed = self._failed, None
        if failed is not None:  # the kernel tells a lost write only once
            raise failed
        if self._syncfs is not None and len(paths) > FEW:
            self._sync_all()
            return
        for path in paths:
            fsync(path)

    @property
    def _is_busy(self) -> bool:
        return self._early is not None and self._early.is_alive()

    def _sync_early(self) -> None:
        try:
            self._sync_all()
        except OSError as error:
            self._failed = error

    def _sync_all(self) -> None:
        assert self._syncfs is not None
        with _opened(self._folder) as descriptor:
            if self._syncfs(descriptor) != 0:
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number), str(self._folder))


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
