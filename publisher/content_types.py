"""W3: the headers that objects are served with."""

from __future__ import annotations

import mimetypes
import posixpath

from publisher.ports import ContentSettings

IMMUTABLE = "public, max-age=31536000, immutable"
PRIVATE = "no-store"
FALLBACK = "application/octet-stream"

# What the platform's own table leaves out or spells differently from machine to machine.
_TYPES = {
    ".avif": "image/avif",
    ".cjs": "text/javascript",
    ".gz": "application/gzip",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".otf": "font/otf",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
}
_TEXT = {"application/json", "application/manifest+json", "application/xml", "image/svg+xml"}
_TABLE = mimetypes.MimeTypes()


def content_type(name: str) -> str:
    """The content type that a name's extension means, with UTF-8 for text."""
    extension = posixpath.splitext(name)[1].lower()
    kind = _TYPES.get(extension) or _TABLE.types_map[True].get(extension, FALLBACK)
    return f"{kind}; charset=utf-8" if kind.startswith("text/") or kind in _TEXT else kind


def immutable(name: str) -> ContentSettings:
    """For what never changes once it is there."""
    return ContentSettings(content_type(name), IMMUTABLE)


def pointer(name: str, max_age: int) -> ContentSettings:
    """For the two pointers; `max_age` in seconds."""
    return ContentSettings(content_type(name), f"public, max-age={max_age}, s-maxage={max_age}")


def private(name: str) -> ContentSettings:
    """For what no edge serves: bundles, receipts, quarantine."""
    return ContentSettings(content_type(name), PRIVATE)
