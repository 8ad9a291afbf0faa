"""Waiting for something that happens elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable

LONGEST = 60.0
"""Seconds. What is promised within a shorter time is measured by `make bench`, not by a test on a busy machine."""


def wait_until(is_so: Callable[[], object], longest: float = LONGEST) -> None:
    """Until it is; AssertionError when it takes too long. Whoever looks while something changes may meet a file that
    goes, or a folder that is still empty: then it is not so yet.
    """
    deadline = time.monotonic() + longest
    while not _is(is_so):
        if time.monotonic() > deadline:
            assert is_so(), f"not so within {longest:g} s: {is_so}"
            return
        time.sleep(0.02)


def _is(is_so: Callable[[], object]) -> bool:
    try:
        return bool(is_so())
    except (AssertionError, OSError):
        return False
