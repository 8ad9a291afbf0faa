"""Object names that mean the same object to every storage and every client."""

from __future__ import annotations

from artifact.errors import Code, ContentError

LONGEST = 1024
"""Blob Storage's own limit, in characters."""


def check_name(name: str) -> str:
    """`name` where it can be addressed; else ContentError `path_invalid`.

    HTTP clients resolve `.` and `..` in a URL before they send it, so such a name would be another object.
    """
    if not 1 <= len(name) <= LONGEST:
        raise ContentError(Code.PATH_INVALID, "P3", f"a name has 1 to {LONGEST} characters", seen=name)
    if any(segment in {"", ".", ".."} for segment in name.split("/")):
        raise ContentError(Code.PATH_INVALID, "P3", "a name has no empty, '.' or '..' segment", seen=name)
    return name
