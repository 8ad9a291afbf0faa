"""L1: registrations in a plain directory of mounted ConfigMaps, for clusters that give no access to their API.

`<directory>/<name>/featureId` and so on, as a ConfigMap appears where it is mounted: each key is a file. The kubelet
swaps all of them by one link.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from artifact.errors import Code, DeliveryError, TransientError
from loader_cdn.registrations.configmaps import KEYS, ConfigMap

log = logging.getLogger(__name__)

MOUNTED = "mounted"
"""In place of a namespace: nothing in the directory tells it."""
LIMIT = 4096
"""Bytes of one value that are read."""


class Mounted:
    """A directory. One that cannot be read later leaves the registrations as they were (L8)."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._found: list[ConfigMap] | None = None
        self.error: DeliveryError | None = None
        """Why it cannot be read now."""

    def read(self) -> list[ConfigMap] | None:
        """What is mounted; None where that was never to be read. The age of a registration is not known here: of two
        for one feature the first by name holds.
        """
        try:
            self._found = [_config_map(path) for path in sorted(self._directory.iterdir()) if _is_one(path)]
            self.error = None
        except OSError as error:
            what = "the registrations cannot be read; those of before stand"
            self.error = TransientError(
                Code.NOT_FOUND, "L1", what, where=str(self._directory), seen=error.strerror or str(error)
            )
            log.error("%s", self.error)
        return self._found

    def state(self) -> object:
        """Another value when something is mounted anew."""
        try:
            with os.scandir(self._directory) as entries:
                return sorted((entry.name, *_identity(entry)) for entry in entries if not entry.name.startswith("."))
        except OSError:
            return None


def _identity(entry: os.DirEntry[str]) -> tuple[int, int]:
    """Of what a name leads to: the kubelet swaps links."""
    try:
        status = entry.stat()
    except OSError:
        return 0, 0
    return status.st_ino, status.st_mtime_ns


def _is_one(path: Path) -> bool:
    """An optional ConfigMap that does not exist is mounted as an empty folder; one that cannot be read is told."""
    if path.name.startswith(".") or not path.is_dir():
        return False
    try:
        return any(path.iterdir())
    except OSError:
        return True


def _config_map(path: Path) -> ConfigMap:
    data = {}
    for key in KEYS:
        try:
            with (path / key).open("rb") as file:
                data[key] = file.read(LIMIT).decode("utf-8", "replace").strip()
        except FileNotFoundError:
            continue
        except OSError as error:  # what is left of it is judged, and told
            log.error("%s cannot be read: %s", path / key, error.strerror)
    return ConfigMap(MOUNTED, path.name, data)
