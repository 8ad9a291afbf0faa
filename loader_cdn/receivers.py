"""Where the bytes of a body go while they arrive: into memory, or into a file that is hashed on its way.

A receiver counts decoded bytes (L9) and ends a body that is too long at the first byte too many. It may raise OSError
from the file system; what that means is said by whoever drives it.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from itertools import count
from pathlib import Path
from typing import Protocol

from artifact.errors import Code, ContentError, DeliveryError, TransientError
from loader_cdn.origin import shown

FLUSH_BYTES = 256 * 1024
"""Bytes of one file held in memory; a smaller file meets the disk only when it is right."""
FLUSH_CHUNKS = 512
"""A slow sender's small chunks are written together, below the kernel's limit of 1,024 a call."""

_RUN = secrets.token_hex(4)
_numbers = count()


class Receiver(Protocol):
    """One body's destination, used for one attempt after another."""

    @property
    def budget(self) -> int:
        """The most bytes that a right body has."""
        ...

    def restart(self) -> None:
        """Forget what came: a new attempt begins. Nothing of the old one is left on disk."""
        ...

    def write(self, data: bytes) -> None:
        """Take the next decoded bytes. ContentError where there are more than may be."""
        ...

    def finish(self, *, framed: bool) -> None:
        """Judge the whole body; `framed` says whether HTTP told its end, or only the connection's close did."""
        ...


class DocumentReceiver:
    """A small document, in memory, of at most `limit` bytes (F1)."""

    __slots__ = ("_data", "_url", "budget")

    def __init__(self, url: str, limit: int) -> None:
        self._url = url
        self.budget = limit
        self.restart()

    @property
    def data(self) -> bytes:
        """The bytes that came."""
        return bytes(self._data)

    def restart(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes) -> None:
        if len(self._data) + len(data) > self.budget:
            raise _too_long("F1", self._url, self.budget)
        self._data += data

    def finish(self, *, framed: bool) -> None:
        """Nothing to judge: what a document is worth, its signature says."""


class FileReceiver:
    """A file that is renamed to `target` only when its length (M3) and its SHA-256 (M2) are right.

    Until then its bytes are in memory or under a temporary name in the same folder: it begins with a dot, which no
    feature's file may (P3), and is never used again, so a death leaves rubbish but nothing that is in the way.
    Durability is the caller's: no fsync is made here.
    """

    __slots__ = (
        "_chunks",
        "_descriptor",
        "_hash",
        "_limit",
        "_pending",
        "_received",
        "_sha256",
        "_size",
        "_target",
        "_temporary",
        "_url",
    )

    def __init__(self, url: str, target: Path, sha256: bytes, size: int | None, limit: int) -> None:
        self._url = url
        self._target = target
        self._sha256 = sha256
        self._size = size
        self._limit = limit
        self._descriptor = -1
        self._temporary = ""
        self.restart()

    @property
    def budget(self) -> int:
        return self._limit if self._size is None else self._size

    def restart(self) -> None:
        self._chunks: list[bytes] = []
        self._pending = 0
        self._received = 0
        self._hash = hashlib.sha256()
        descriptor, self._descriptor = self._descriptor, -1
        temporary, self._temporary = self._temporary, ""
        if descriptor >= 0:
            os.close(descriptor)
        if temporary:
            Path(temporary).unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        length = len(data)
        self._received += length
        if self._size is not None and self._received > self._size:
            raise self._mismatch("M3", "the file is longer than its manifest says", self._size, f"{self._received} …")
        if self._received > self._limit:
            raise _too_long("P4", self._url, self._limit)
        self._hash.update(data)
        self._chunks.append(data)
        self._pending += length
        if self._pending >= FLUSH_BYTES or len(self._chunks) >= FLUSH_CHUNKS:
            self._flush()

    def finish(self, *, framed: bool) -> None:
        if self._size is not None and self._received != self._size:
            if not framed:  # C5: nothing tells this end from a connection that broke
                raise TransientError(
                    Code.TRANSPORT_FAILED,
                    "C5",
                    "the body was cut short",
                    where=shown(self._url),
                    expected=f"{self._size} bytes",
                    seen=f"{self._received} bytes",
                )
            raise self._mismatch("M3", "the file is shorter than its manifest says", self._size, self._received)
        digest = self._hash.digest()
        if digest != self._sha256:  # T16: an operator looks for both, in the manifest's spelling and in sha256sum's
            raise self._mismatch(
                "M2",
                "the file is not the one that was signed",
                _sri(self._sha256),
                f"{_sri(digest)}, in hex {digest.hex()}",
            )
        self._flush()
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)
        os.rename(self._temporary, self._target)  # noqa: PTH104  (making two Paths takes as long as the rename)
        self._temporary = ""

    def _flush(self) -> None:
        if self._descriptor < 0:
            self._open()
        written = os.writev(self._descriptor, self._chunks) if self._chunks else 0
        if written < self._pending:  # a disk that is filling up: the next call says so
            rest = memoryview(b"".join(self._chunks))[written:]
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        self._chunks = []
        self._pending = 0

    def _open(self) -> None:
        folder = os.path.split(self._target)[0] or "."
        temporary = f"{folder}/.{_RUN}-{next(_numbers)}.part"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            self._descriptor = os.open(temporary, flags, 0o644)
        except FileNotFoundError:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(temporary, flags, 0o644)
        self._temporary = temporary

    def _mismatch(self, rule: str, what: str, expected: object, seen: object) -> DeliveryError:
        return ContentError(Code.INTEGRITY_MISMATCH, rule, what, where=shown(self._url), expected=expected, seen=seen)


def _too_long(rule: str, url: str, limit: int) -> DeliveryError:
    return ContentError(
        Code.LIMIT_EXCEEDED,
        rule,
        "the body is too long",
        where=shown(url),
        expected=f"at most {limit} bytes",
        seen="more",
    )


def _sri(digest: bytes) -> str:
    return f"sha256-{base64.b64encode(digest).decode()}"
