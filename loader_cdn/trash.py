"""L6, L8: what leaves its place goes at once, by a rename; it is deleted when there is time."""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path

log = logging.getLogger(__name__)


class Trash:
    """A folder beside the features. Nobody reads in it, so that deleting file by file shows nothing half-deleted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, path: Path) -> Path:
        """Move a file or folder here, and say where it is until `empty`. Raises OSError."""
        self._folder.mkdir(exist_ok=True)
        target = Path(tempfile.mkdtemp(dir=self._folder)) / path.name
        path.rename(target)
        return target

    def empty(self) -> None:
        """Delete all, also what a killed run left."""
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._folder.exists():
            log.warning("cannot delete all of %s; it is tried again at the next pass", self._folder)
