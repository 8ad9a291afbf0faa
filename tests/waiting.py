"""Waiting for something that happens elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable

LONGEST = 15.0
"""Seconds. What is promised within a shorter time is measured by who promises it, not by a test on a busy machine."""


def wait_until(is_so: Callable[[], object], longest: float = LONGEST) -> None:
    """Until it is; AssertionError when it takes too long."""
    deadline = time.monotonic() + longest
    while not is_so():
        assert time.monotonic() < deadline, f"not so within {longest:g} s: {is_so}"
        time.sleep(0.02)
