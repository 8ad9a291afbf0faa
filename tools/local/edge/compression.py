"""What the edge compresses, for whom."""

from __future__ import annotations

import gzip
from collections.abc import Mapping

from werkzeug.http import parse_accept_header

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


def compressible(headers: Mapping[str, str], size: int) -> bool:
    """Whether an object of this type and size is compressed at all."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    known = kind in _TYPES or kind.startswith("text/")
    return known and SMALLEST <= size <= LARGEST and "content-encoding" not in headers


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether the client's Accept-Encoding takes gzip (RFC 9110, 12.5.3)."""
    accepted = dict(parse_accept_header(accept_encoding.lower()))
    return accepted.get("gzip", accepted.get("*", 0.0)) > 0


def compress(body: bytes) -> bytes:
    """Gzip at the fastest level (as most edges do), with equal bytes for equal bodies."""
    return gzip.compress(body, compresslevel=1, mtime=0)
