"""A private temporary file that is written once and then read at many places at once."""

from __future__ import annotations

import io
import os
import tempfile
from types import TracebackType
from typing import BinaryIO, Self


class Spool:
    """Holds a bundle's files outside memory (B2). It has no name and goes with its owner, also on a death."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="cdn-release-")  # noqa: SIM115 (closed in __exit__)
        self.size = 0

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self.size += len(data)

    def flush(self) -> None:
        """To be called between the last write and the first read."""
        self._file.flush()

    def view(self, start: int, size: int) -> BinaryIO:
        """A stream of `size` bytes from `start`, independent of all others."""
        return io.BufferedReader(_View(self._file.fileno(), start, size), 256 * 1024)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


class _View(io.RawIOBase):
    def __init__(self, descriptor: int, start: int, size: int) -> None:
        self._descriptor = descriptor
        self._at = start
        self._end = start + size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = os.pread(self._descriptor, min(len(buffer), self._end - self._at), self._at)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
