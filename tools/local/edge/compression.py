"""What the edge compresses, for whom."""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping

SMALLEST, LARGEST = 1024, 8 * 1024 * 1024
"""Front Door's bounds for compression at the edge, in bytes."""

_TYPES = frozenset(
    {
        "application/javascript",
        "application/json",
        "application/manifest+json",
        "application/vnd.ms-fontobject",
        "application/xhtml+xml",
        "application/xml",
        "font/otf",
        "font/ttf",
        "image/svg+xml",
    }
)

_ZERO = re.compile(r"q\s*=\s*0(\.0*)?")


def compressible(headers: Mapping[str, str], size: int) -> bool:
    """Whether an object of this type and size is compressed at all."""
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    known = kind in _TYPES or kind.startswith("text/")
    return known and SMALLEST <= size <= LARGEST and "Content-Encoding" not in headers


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether the client's Accept-Encoding takes gzip (RFC 9110, 12.5.3)."""
    weights: dict[str, bool] = {}
    for item in accept_encoding.lower().split(","):
        name, _, weight = item.strip().partition(";")
        weights[name.strip()] = _ZERO.fullmatch(weight.strip()) is None
    return weights.get("gzip", weights.get("*", False))


def compress(body: bytes) -> bytes:
    """Gzip at the fastest level (as most edges do), with equal bytes for equal bodies."""
    return gzip.compress(body, compresslevel=1, mtime=0)
