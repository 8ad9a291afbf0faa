"""L6, L8: what leaves its place goes at once, by a rename; it is deleted when there is time."""

from __future__ import annotations

import contextlib
import logging
import shutil
import tempfile
from pathlib import Path

log = logging.getLogger(__name__)


class Trash:
    """A folder beside the features. Nobody reads in it, so that deleting file by file shows nothing half-deleted. Each
    pass empties what it has put there itself.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._put: list[Path] = []

    def put(self, path: Path) -> Path:
        """Move a file or folder here, and say where it is until `empty`. Raises OSError."""
        self._folder.mkdir(exist_ok=True)
        place = Path(tempfile.mkdtemp(dir=self._folder))
        self._put.append(place)
        target = place / path.name
        path.rename(target)
        return target

    def empty(self) -> None:
        """Delete what was put here."""
        for place in self._put:
            _delete(place)
        self._put.clear()
        with contextlib.suppress(OSError):
            self._folder.rmdir()


def empty(folder: Path) -> None:
    """Delete all, also what a killed run left; while no pass is made."""
    if folder.exists():
        _delete(folder)


def _delete(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        log.warning("cannot delete all of %s; it is tried again later", path)
