"""C3: `sync`, one pass and then the end; what an init container runs."""

from __future__ import annotations

import errno
import json
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from artifact.errors import ConfigurationError, DeliveryError
from artifact.paths import MANIFEST
from artifact.releases import POINTER
from artifact.trust import TrustStore
from loader_cdn.around import Around, Progress
from loader_cdn.durable import disk, disk_error, write_atomic
from loader_cdn.hashing import Hasher
from loader_cdn.known import Known
from loader_cdn.layout import Layout
from loader_cdn.lock import locked
from loader_cdn.passes import Pass
from loader_cdn.report import Report
from loader_cdn.settings import Settings, load_trust
from loader_cdn.transfer import Transfer

log = logging.getLogger(__name__)

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


def sync(
    settings: Settings,
    *,
    progress: Progress,
    stop: Callable[[], bool] = lambda: False,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Report:
    """Bring all registered features to the root, as far as that is possible within the time limit.

    What keeps the pass from being made at all (a wrong setting, a root that cannot be used, another loader that works
    on it) is the report's `error`.
    """
    deadline = time.monotonic() + settings.timeout
    layout = Layout(settings.root)
    try:
        trust = load_trust(settings.trust_keys)
        remove_ready_file(settings.ready_file)
        open_root(layout)
        with disk(layout.lock), locked(layout.lock, deadline=deadline, stop=stop):
            report = _pass(settings, trust, deadline, progress, stop, clock())
            if report.is_complete and settings.ready_file is not None and not stop():
                write_ready_file(settings.ready_file, report)
    except DeliveryError as error:
        log.error("%s", error)
        return Report(str(settings.root), error)
    return report


def open_root(layout: Layout) -> None:
    """Make the root and the loader's own directory, where they are missing.

    Raises ConfigurationError where the root is the wrong place or cannot be written, TransientError `storage_full`
    where there is no room.
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
        if error.errno in _NO_ROOM:
            raise disk_error(error, root) from error
        what = "the root cannot be used; --root takes a directory that the loader may write, or may make"
        where = str(error.filename or root)
        raise ConfigurationError(what, rule="L3", where=where, seen=error.strerror) from error
    if not same:
        what = "on another file system than the root: no rename could publish from it"
        raise ConfigurationError(what, rule="L3", where=str(layout.work))


def _pass(
    settings: Settings,
    trust: TrustStore,
    deadline: float,
    progress: Progress,
    stop: Callable[[], bool],
    now: datetime,
) -> Report:
    with Transfer(settings.transfer, deadline=deadline, stop=stop) as transfer, Hasher.start() as hasher:
        return Pass(Around(settings, trust, now, transfer, hasher, progress, Known(), stop)).run()


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
