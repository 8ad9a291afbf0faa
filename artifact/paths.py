"""P3, P4: the paths of a version's files, and the limits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from artifact.errors import Code, ContentError

MANIFEST = "manifest.json"
SEGMENT_BYTES = 255
PATH_BYTES = 1024

# Printable ASCII without space, and without \ : * ? " < > | # %
_SEGMENT = re.compile(r"[!$&'()+,\-.0-9;=@A-Z\[\]^_`a-z{}~]+")


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
    for segment in path.split("/"):
        if segment == "":
            raise _bad(path, "absolute, or an empty segment", where)
        if segment.startswith("."):
            raise _bad(path, "a segment that begins with '.'", where)
        if len(segment) > SEGMENT_BYTES:
            raise _bad(path, f"a segment longer than {SEGMENT_BYTES} bytes", where)
        if _SEGMENT.fullmatch(segment) is None:
            raise _bad(path, "a character that is not allowed", where)
    if path.lower() == MANIFEST or path.lower().startswith(MANIFEST + "/"):
        raise _bad(path, "manifest.json at the top is reserved", where)
    return path


def check_paths(paths: Iterable[str], *, where: str) -> None:
    """All paths of one version: each by itself, and no two in each other's way (P3).

    Judged on the lower-cased path, since a version may be unpacked where case does not count.
    """
    seen: dict[str, str] = {}
    folders: dict[str, str] = {}
    for path in paths:
        folded = check_path(path, where=where).lower()
        if folded in seen:
            raise _bad(path, f"equal to {seen[folded]!r} when case is folded", where)
        seen[folded] = path
        parent = folded.rpartition("/")[0]
        while parent and parent not in folders:
            folders[parent] = path
            parent = parent.rpartition("/")[0]
    for folded in folders.keys() & seen.keys():
        raise _bad(seen[folded], f"both a file and a folder (of {folders[folded]!r})", where)


def _bad(path: str, why: str, where: str) -> ContentError:
    return ContentError(Code.PATH_INVALID, "P3", f"bad path: {why}", where=where, seen=path)
