"""The bytes of uploads, in chunks."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import BinaryIO

from artifact.errors import Code, ContentError, TransientError
from publisher.ports import Upload

CHUNK = 256 * 1024


def upload_chunks(upload: Upload) -> Generator[bytes, None, None]:
    """The bytes of a new stream of `upload`; raises what the stream raises, and what `exact_chunks` does."""
    with closing(upload.open()) as stream:
        yield from exact_chunks(stream, upload.size, upload.name)


def exact_chunks(stream: BinaryIO, size: int, where: str) -> Generator[bytes, None, None]:
    """The stream's bytes. ContentError `integrity_mismatch` where they are not exactly `size`.

    A chunk is handed out when the next one has been read, the last one at the stream's end. So a stream that finds at
    its end that its bytes are wrong raises before all of them have been handed out, and a request that carries them
    stays cut short: the storage keeps nothing of it.
    """
    held = b""
    seen = 0
    while chunk := _read(stream, where):
        seen += len(chunk)
        if seen > size:
            break
        if held:
            yield held
        held = chunk
    if seen != size:
        shown = f"at least {seen}" if seen > size else seen
        raise ContentError(Code.INTEGRITY_MISMATCH, "M3", "another length", where=where, expected=size, seen=shown)
    if held:
        yield held


def _read(stream: BinaryIO, where: str) -> bytes:
    try:
        return stream.read(CHUNK)
    except OSError as error:  # else an HTTP client takes it for its connection's
        raise TransientError(
            Code.TRANSPORT_FAILED, "W2", f"the file to upload cannot be read: {error.strerror}", where=where
        ) from error
