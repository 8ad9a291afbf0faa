"""A local folder as a destination: a tree that any web server can serve as it is."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

from artifact.errors import Code, ContentError, TransientError
from publisher.adapters.bodies import upload_chunks
from publisher.adapters.names import check_name
from publisher.adapters.parallel import create_in_parallel
from publisher.ports import ContentSettings, Created, ObjectData, ObjectInfo, Upload

WORK = ".favn-work"
"""Below the root: files that are being written, and the lock. Names in the tree never begin with a dot (P3)."""

LOCK = "lock"
LEFT_SECONDS = 24 * 60 * 60
THREADS = 8
RACES = 10
_FULL = {errno.ENOSPC, errno.EDQUOT}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


class FolderStore:
    """A BulkStore whose objects are the files below `root`, which is made when the first one is written.

    An object appears whole, on disk and under its name by one link or rename, also to a reader that knows nothing of
    this program; several processes may write. An ETag is the content's SHA-256, and listings know no MD5. A plain file
    keeps no headers: the content settings (W3) are those of the web server that serves the tree.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._work = root / WORK
        self._is_prepared = False

    def ensure(self) -> None:
        """Make the folder where it is not there."""
        with self._reporting(""):
            self._root.mkdir(parents=True, exist_ok=True)

    def read(self, name: str, *, limit: int) -> ObjectData | None:
        with self._reporting(name):
            try:
                with self._path(name).open("rb") as file:
                    size = os.fstat(file.fileno()).st_size
                    data = file.read() if size <= limit else b""
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return None
        if size > limit:
            raise ContentError(
                Code.LIMIT_EXCEEDED, "F1", "too large", where=name, expected=f"at most {limit}", seen=size
            )
        return ObjectData(data, hashlib.sha256(data).hexdigest())

    def create(self, name: str, data: bytes, settings: ContentSettings) -> Created:
        with self._reporting(name):
            path = self._path(name)
            if not path.exists():
                with self._written([data]) as temporary:
                    if self._link(temporary, path):
                        self._sync_folders({path.parent})
                        return Created.NEW
            return _compared(path, [data])

    def replace(self, name: str, data: bytes, settings: ContentSettings, *, etag: str | None) -> str | None:
        with self._reporting(name), self._locked():
            path = self._path(name)
            if _etag(path) != etag:
                return None
            with self._written([data]) as temporary:
                if etag is not None:
                    temporary.replace(path)
                elif not self._link(temporary, path):
                    return None
            self._sync_folders({path.parent})
            return hashlib.sha256(data).hexdigest()

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        folder = prefix.rpartition("/")[0]
        with self._reporting(prefix):
            top = self._path(folder) if folder else self._root
            names = sorted(name for name in _names(self._root, top) if name.startswith(prefix))
        for name in names:
            with self._reporting(name):
                info = self._info(name)
            if info is not None:
                yield info

    def folders(self, prefix: str) -> Iterator[str]:
        top = self._path(prefix.removesuffix("/")) if prefix else self._root
        with self._reporting(prefix):
            try:
                names = sorted(path.name for path in top.iterdir() if path.is_dir() and not path.is_symlink())
            except (FileNotFoundError, NotADirectoryError):
                names = []
        return iter(f"{prefix}{name}/" for name in names if not name.startswith("."))

    def delete(self, name: str) -> bool:
        with self._reporting(name), self._locked():
            path = self._path(name)
            try:
                path.unlink()
            except (FileNotFoundError, NotADirectoryError):
                return False
            self._remove_empty(path.parent)
            return True

    def create_all(self, uploads: Iterable[Upload]) -> Iterator[tuple[Upload, Created]]:
        folders: set[Path] = set()

        def create(upload: Upload) -> Created:
            with self._reporting(upload.name):
                path = self._path(upload.name)
                if not path.exists():
                    with self._written(upload_chunks(upload)) as temporary:
                        if self._link(temporary, path):
                            folders.add(path.parent)
                            return Created.NEW
                return _compared(path, upload_chunks(upload))

        try:
            yield from create_in_parallel(uploads, create, THREADS)
        finally:
            with self._reporting(""):
                self._sync_folders(folders)

    def _path(self, name: str) -> Path:
        """Where the object is. ContentError `path_invalid` where its name hides or leads out of the folder."""
        if any(segment.startswith(".") for segment in check_name(name).split("/")):
            raise ContentError(Code.PATH_INVALID, "P3", "a hidden segment", where=str(self._root), seen=name)
        path = self._root / name
        if not path.resolve().is_relative_to(self._root.resolve()):
            raise ContentError(Code.PATH_INVALID, "P3", "a link out of the folder", where=str(self._root), seen=name)
        return path

    @contextmanager
    def _written(self, chunks: Iterable[bytes]) -> Iterator[Path]:
        """A new file with these bytes, on disk, under a name of its own; whatever happens it leaves that name."""
        self._make_work()
        temporary = self._work / uuid4().hex
        try:
            with temporary.open("xb") as file:
                file.writelines(chunks)
                file.flush()
                os.fsync(file.fileno())
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)

    def _make_work(self) -> None:
        """The working folder, without what somebody left there who died long ago."""
        if self._is_prepared:
            return
        self._work.mkdir(parents=True, exist_ok=True)
        for leftover in self._work.iterdir():
            with suppress(FileNotFoundError):
                if leftover.name != LOCK and time.time() - leftover.stat().st_mtime > LEFT_SECONDS:
                    leftover.unlink()
        self._is_prepared = True

    def _link(self, temporary: Path, path: Path) -> bool:
        """Give the file its name, on condition that nothing has it: a link, unlike a rename, replaces nothing."""
        for _ in range(RACES):
            try:
                path.hardlink_to(temporary)
            except FileExistsError:
                return False
            except FileNotFoundError:  # the folder is not there yet, or a delete has just taken it away
                path.parent.mkdir(parents=True, exist_ok=True)
            else:
                return True
        raise TransientError(Code.CONFLICT, "W2", "its folder comes and goes", where=str(path))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone among those who replace and delete, in all processes; the kernel lets go of it on death."""
        self._make_work()
        with (self._work / LOCK).open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _info(self, name: str) -> ObjectInfo | None:
        path = self._root / name
        try:
            with path.open("rb") as file:
                stat = os.fstat(file.fileno())
                etag = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:  # gone since the folder was read
            return None
        return ObjectInfo(name, stat.st_size, None, etag, datetime.fromtimestamp(stat.st_mtime, UTC))

    def _remove_empty(self, folder: Path) -> None:
        """A web server shows folders, so none stays without a file."""
        with suppress(OSError):  # not empty, or gone already
            while folder != self._root:
                folder.rmdir()
                folder = folder.parent

    def _sync_folders(self, folders: set[Path]) -> None:
        """The names are on disk, up to the root's own."""
        pending = set(folders)
        for folder in folders:
            pending.update(parent for parent in folder.parents if parent.is_relative_to(self._root.parent))
        for folder in pending:
            with suppress(FileNotFoundError, PermissionError):  # taken away by a delete; above the root and not ours
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)

    @contextmanager
    def _reporting(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            _fail(error, str(self._root / name))


def _names(root: Path, top: Path) -> Iterator[str]:
    """The names of all regular files below `top`, but for what is hidden."""
    for folder, folders, files in os.walk(top, onerror=_raise_unless_gone):
        folders[:] = [name for name in folders if not name.startswith(".")]
        prefix = Path(folder).relative_to(root).as_posix() + "/"
        for name in files:
            if not name.startswith(".") and not Path(folder, name).is_symlink():
                yield name if prefix == "./" else prefix + name


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise error


def _etag(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def _compared(path: Path, chunks: Iterable[bytes]) -> Created:
    """What stands against the bytes that should."""
    is_same = True
    with path.open("rb") as file:
        for chunk in chunks:  # to its end in any case: the stream may find that its own bytes are wrong
            is_same = is_same and file.read(len(chunk)) == chunk
        is_same = is_same and file.read(1) == b""
    return Created.SAME if is_same else Created.OTHER


def _fail(error: OSError, where: str) -> NoReturn:
    what = error.strerror or type(error).__name__
    if error.errno in _FULL:
        raise TransientError(Code.STORAGE_FULL, "W1", what, where=where) from error
    if error.errno in _DENIED:
        raise TransientError(Code.UNAUTHORIZED, "W1", what, where=where) from error
    if isinstance(error, (FileExistsError, NotADirectoryError, IsADirectoryError)):
        raise ContentError(Code.PATH_INVALID, "P3", "both a file and a folder", where=where) from error
    raise TransientError(Code.TRANSPORT_FAILED, "W1", what, where=where) from error
