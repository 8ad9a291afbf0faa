"""B1: a version directory becomes one bundle: the same tree gives the same bytes, on as many cores as there are."""

from __future__ import annotations

import os
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from artifact.bundle import write_tar

BLOCK = 1024 * 1024
LEVEL = 6

_WINDOW = 32 * 1024
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def pack(manifest: bytes, files: Iterable[tuple[str, int, Iterable[bytes]]]) -> Iterator[bytes]:
    """The bundle's bytes; `files` are (path, size, content) in path order, without manifest.json."""
    return gzip(write_tar(manifest, files))


def gzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """One gzip member (RFC 1952) without name and time, deflated a block a thread.

    Each block starts from the 32 KiB before it and ends on a byte, so that the pieces joined are one deflate stream,
    whose bytes do not depend on how many threads made it.
    """
    workers = os.cpu_count() or 1
    checksum, length = 0, 0
    window = b""
    pending: deque[Future[bytes]] = deque()
    yield _HEADER
    with ThreadPoolExecutor(workers, thread_name_prefix="deflate") as pool:
        for block in _blocks(chunks):
            checksum, length = zlib.crc32(block, checksum), length + len(block)
            pending.append(pool.submit(_deflate, block, window, zlib.Z_SYNC_FLUSH))
            window = block[-_WINDOW:]
            if len(pending) > 2 * workers:
                yield pending.popleft().result()
        for piece in pending:
            yield piece.result()
    yield _deflate(b"", b"", zlib.Z_FINISH)
    yield checksum.to_bytes(4, "little") + (length % 2**32).to_bytes(4, "little")


def _deflate(block: bytes, window: bytes, flush: int) -> bytes:
    deflater = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, 8, zlib.Z_DEFAULT_STRATEGY, zdict=window)
    return deflater.compress(block) + deflater.flush(flush)


def _blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of BLOCK, the last one shorter."""
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= BLOCK:
            yield bytes(buffer[:BLOCK])
            del buffer[:BLOCK]
    if buffer:
        yield bytes(buffer)
