"""L11: one writer at a time on a root, by a lock that the kernel frees when its holder dies."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from artifact.errors import Code, TransientError

LOOK_AGAIN = 0.1
"""Seconds."""

log = logging.getLogger(__name__)


@contextmanager
def locked(path: Path, *, deadline: float, stop: Callable[[], bool]) -> Iterator[None]:
    """Hold the lock. `deadline` is a moment of `time.monotonic`; TransientError `conflict` when it has passed, or when
    `stop` says so.

    The file stays: to delete it would let two loaders lock two files of one name. Raises OSError.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _wait(descriptor, path, deadline, stop)
        yield
    finally:
        os.close(descriptor)


def _wait(descriptor: int, path: Path, deadline: float, stop: Callable[[], bool]) -> None:
    told = False
    while not _try(descriptor):
        if time.monotonic() >= deadline or stop():
            raise TransientError(
                Code.CONFLICT,
                "L11",
                "another loader works on this root; wait for it to end, or give a longer --timeout",
                where=str(path),
            )
        if not told:
            log.warning("another loader works on this root: waiting for %s", path)
            told = True
        time.sleep(LOOK_AGAIN)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
