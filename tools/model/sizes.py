"""What is on the wire, in bytes: measured on documents that the real code made (`documents.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes as stored, and as an edge sends them to a loader, which asks for gzip (ADR 0004)."""

    plain: int
    gzip: int


@dataclass(frozen=True, slots=True)
class Update:
    """What one published version makes a reader fetch that has the version before (L5): a manifest, changed files."""

    what: str
    manifest: Size
    files: int
    bytes: int


REMOTE_INDEX: Mapping[int, Size] = {
    20: Size(6_115, 1_817),
    100: Size(29_093, 7_069),
    1_000: Size(287_626, 60_938),
    10_000: Size(2_873_146, 572_961),
}
"""By the number of features in it. More than half of a packed one is hashes, which do not pack."""

RELEASE_INDEX = Size(1_634, 808)
"""With five versions (R7)."""

HEAD_304 = 471
HEAD_200 = 579
"""Heads of answers, over HTTP/1.1."""

TLS_RECORD = 22
"""What TLS 1.3 adds to an answer of one record; larger bodies add less than 0.2 %."""

HANDSHAKE = 4_000
"""About what a server sends for a new TLS connection, mostly certificates; no part of the totals."""

SMALL_UPDATE = Update("2 of 40 files (set a, every twentieth file changed)", Size(5_506, 2_406), 2, 133_875)
LARGE_UPDATE = Update("100 of 2,000 files (set b to b2)", Size(261_654, 106_483), 100, 7_800_287)
"""The sets of BENCHMARKS.md. The files that change in them are images, which do not pack."""
