"""L14: versions whose files were hashed before in this process, and that nobody has touched since.

What is on disk is still not trusted for ever: an edit in place shows in no folder, so after `again` a version is hashed
once more (T34). Signatures are not known here: they are verified at every pass. Nothing of this outlives the process
(L6).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from artifact.paths import MANIFEST

AGAIN = timedelta(hours=1)

Identity = tuple[int, int, int]
"""Inode, bytes and time of change (ns)."""


@dataclass(frozen=True, slots=True)
class _Hashed:
    sha256: str
    identity: tuple[Identity, Identity]
    at: datetime


class Known:
    """Version folders by path: with which manifest (its SHA-256, hex) they were found right, and when."""

    def __init__(self, again: timedelta = AGAIN) -> None:
        self.again = again
        self._hashed: dict[Path, _Hashed] = {}

    def forget(self) -> None:
        """Everything is hashed again."""
        self._hashed.clear()

    def note(self, folder: Path, sha256: str, now: datetime) -> None:
        """The folder holds exactly what the manifest of this hash declares."""
        identity = _identity(folder)
        if identity is not None:
            self._hashed[folder] = _Hashed(sha256, identity, now)

    def has(self, folder: Path, sha256: str, now: datetime) -> bool:
        """Whether that is still so, as far as the folder and its manifest show."""
        known = self._hashed.get(folder)
        if known is None:
            return False
        # A clock that went back says nothing of how long ago it was (T38).
        is_young = timedelta(0) <= now - known.at < self.again
        if is_young and known.sha256 == sha256 and known.identity == _identity(folder):
            return True
        del self._hashed[folder]
        return False

    def until(self, folders: Iterable[Path], now: datetime) -> datetime | None:
        """When one of these folders is to be hashed again: `now` where one was not hashed yet; None without any."""
        known = [self._hashed[folder].at + self.again if folder in self._hashed else now for folder in folders]
        return min(known, default=None)


def identity(path: Path) -> Identity | None:
    """What shows that a file or folder is another one, or was written; None where there is nothing."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _identity(folder: Path) -> tuple[Identity, Identity] | None:
    of_folder, of_manifest = identity(folder), identity(folder / MANIFEST)
    return None if of_folder is None or of_manifest is None else (of_folder, of_manifest)
