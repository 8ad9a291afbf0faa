"""P3, P4: the paths of a version's files, and the limits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from artifact.errors import Code, ContentError

MANIFEST = "manifest.json"
SEGMENT_BYTES = 255
PATH_BYTES = 1024

# Printable ASCII without space, and without \ : * ? " < > | # %
_ALLOWED = r"[!$&'()+,\-.0-9;=@A-Z\[\]^_`a-z{}~]"
_SEGMENT = re.compile(rf"{_ALLOWED}+")
_PATH = re.compile(rf"(?!\.){_ALLOWED}{{1,{SEGMENT_BYTES}}}(?:/(?!\.){_ALLOWED}{{1,{SEGMENT_BYTES}}})*")


@dataclass(frozen=True, slots=True)
class Limits:
    """P4; all of them can be configured."""

    files: int = 10_000
    version_bytes: int = 512 * 1024 * 1024
    file_bytes: int = 256 * 1024 * 1024
    versions: int = 200
    features: int = 10_000


def check_path(path: str, *, where: str) -> str:
    """`path` if P3 allows it on its own; else ContentError `path_invalid`. A bad path is never repaired."""
    if len(path) > PATH_BYTES:
        raise _bad(path, f"longer than {PATH_BYTES} bytes", where)
    if _PATH.fullmatch(path) is None:
        raise _bad(path, _fault(path), where)
    if path.partition("/")[0].lower() == MANIFEST:
        raise _bad(path, "manifest.json at the top is reserved", where)
    return path


def check_paths(paths: Iterable[str], *, where: str) -> None:
    """All paths of one version: each by itself, and no two in each other's way (P3).

    Judged on the lower-cased path, since a version may be unpacked where case does not count.
    """
    # With a separator that sorts below all other characters, what is under a folder directly follows the folder's name.
    folded = sorted((check_path(path, where=where).lower().replace("/", "\0"), path) for path in paths)
    for (lower, path), (higher, other) in pairwise(folded):
        if lower == higher:
            raise _bad(other, f"equal to {path!r} when case is folded", where)
        if higher.startswith(lower + "\0"):
            raise _bad(path, f"both a file and a folder (of {other!r})", where)


def _fault(path: str) -> str:
    for segment in path.split("/"):
        if segment == "":
            return "absolute, or an empty segment"
        if segment.startswith("."):
            return "a segment that begins with '.'"
        if len(segment) > SEGMENT_BYTES:
            return f"a segment longer than {SEGMENT_BYTES} bytes"
        if _SEGMENT.fullmatch(segment) is None:
            break
    return "a character that is not allowed"


def _bad(path: str, why: str, where: str) -> ContentError:
    return ContentError(Code.PATH_INVALID, "P3", f"bad path: {why}", where=where, seen=path)
