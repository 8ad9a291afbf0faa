"""Streams to upload."""

from __future__ import annotations

import io
from functools import partial
from typing import BinaryIO, cast

from artifact.errors import Code, ContentError
from publisher.content_types import immutable
from publisher.ports import Upload


def upload(name: str, data: bytes) -> Upload:
    return Upload(name, len(data), partial(io.BytesIO, data), immutable(name))


class Wrong(io.BytesIO):
    """Bytes that are found to be others than were verified: at the end, as a hash finds it."""

    def read(self, size: int | None = -1, /) -> bytes:
        chunk = super().read(size)
        if not chunk:
            raise ContentError(Code.INTEGRITY_MISMATCH, "M2", "other bytes than were verified")
        return chunk


def wrong(name: str, size: int) -> Upload:
    return Upload(name, size, lambda: Wrong(b"x" * size), immutable(name))


class Zeros:
    """A stream of many bytes that are nowhere all at once."""

    def __init__(self, size: int) -> None:
        self._size = self._left = size

    def read(self, size: int) -> bytes:
        count = min(size, self._left)
        self._left -= count
        return bytes(count)

    def tell(self) -> int:
        return self._size - self._left

    def seek(self, position: int) -> None:
        self._left = self._size - position

    def close(self) -> None:
        """Nothing is open."""


def zeros(size: int) -> BinaryIO:
    return cast("BinaryIO", Zeros(size))
