"""L3, L10: the root is made ready for a pass, and the ready file says that one has ended."""

from __future__ import annotations

import errno
import json
from pathlib import Path

from artifact.errors import ConfigurationError
from artifact.paths import MANIFEST
from artifact.releases import POINTER
from loader_cdn.durable import disk, disk_error, write_atomic
from loader_cdn.layout import Layout
from loader_cdn.report import Report

_PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""Refusals that say nothing against the setting: another try may be let."""


def open_root(layout: Layout) -> None:
    """Make the root and the loader's own directory, where they are missing.

    Raises ConfigurationError where the root is the wrong place or cannot be written, TransientError `storage_full`
    where there is no room, or the disk fails just now.
    """
    root = layout.root
    if root.resolve() == Path(root.resolve().anchor):
        raise ConfigurationError("the file system's own root is not a place for features", rule="L3", where=str(root))
    for name in (POINTER, MANIFEST):
        if (root / name).exists():
            what = "this is a feature or a version itself; --root is the directory that holds all features"
            raise ConfigurationError(what, rule="L3", where=str(root), seen=name)
    try:
        root.mkdir(parents=True, exist_ok=True)
        layout.work.mkdir(exist_ok=True)
        layout.lock.touch()
        same = layout.work.stat().st_dev == root.stat().st_dev
    except OSError as error:
        if error.errno in _PASSING:
            raise disk_error(error, root) from error
        what = "the root cannot be used; --root takes a directory that the loader may write, or may make"
        where = str(error.filename or root)
        raise ConfigurationError(what, rule="L3", where=where, seen=error.strerror) from error
    if not same:
        what = "on another file system than the root: no rename could publish from it"
        raise ConfigurationError(what, rule="L3", where=str(layout.work))


def remove_ready_file(path: Path | None) -> None:
    """L10: one from an earlier run says nothing about this one."""
    if path is not None:
        with disk(path):
            path.unlink(missing_ok=True)


def write_ready_file(path: Path, report: Report) -> None:
    """L10: every registration was tried, and is in place or reported."""
    with disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps(report.as_json()).encode("utf-8") + b"\n")
