"""C1: a progress bar for people who wait at a terminal, and silence for all others."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from loader_cdn.around import Progress

BAR = 30


class Silent:
    """Shows nothing."""

    def planned(self, files: int, size: int) -> None:
        """Nothing is shown."""

    def fetched(self, size: int) -> None:
        """Nothing is shown."""


class Bar:
    """One line that is drawn again as files arrive."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._files = self._size = self._done_files = self._done_size = 0
        self._drawn = ""

    def planned(self, files: int, size: int) -> None:
        self._files += files
        self._size += size
        self._draw()

    def fetched(self, size: int) -> None:
        self._done_files += 1
        self._done_size += size
        self._draw()

    def clear(self) -> None:
        """Take the line away: what follows stands in its place."""
        if self._drawn:
            self._out.write("\r" + " " * len(self._drawn) + "\r")
            self._out.flush()
            self._drawn = ""

    def _draw(self) -> None:
        if self._files == 0:
            return
        # Files and bytes count alike: many small files take long, and so does one large one.
        part = (self._done_files / self._files + (self._done_size / self._size if self._size else 1.0)) / 2
        filled = int(part * BAR)
        line = (
            f"{'█' * filled}{'░' * (BAR - filled)} {part:4.0%}  {self._done_files}/{self._files} files  "
            f"{self._done_size / 2**20:.1f}/{self._size / 2**20:.1f} MiB"
        )
        if line != self._drawn:
            self._out.write("\r" + line)
            self._out.flush()
            self._drawn = line


@contextmanager
def shown(*, quiet: bool) -> Iterator[Progress]:
    """A bar on standard output where that is a terminal, and not `quiet`."""
    if quiet or not sys.stdout.isatty():
        yield Silent()
        return
    bar = Bar(sys.stdout)
    try:
        yield bar
    finally:
        bar.clear()
