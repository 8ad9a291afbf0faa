"""Two bundles in a process of its own, which tells in MiB how its memory grew from the small one to the large one."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from publisher.ingest import ingest
from publisher.wiring import pipeline


def peak_mib() -> float:
    """The largest resident set so far, in MiB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def main() -> None:
    small, large = sys.argv[1:]
    opened = pipeline()
    assert ingest(opened, small) is not None  # all libraries are loaded, all pools are there
    before = peak_mib()
    assert ingest(opened, large) is not None
    print(f"{peak_mib() - before:.1f}")


main()
