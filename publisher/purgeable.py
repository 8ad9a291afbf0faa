"""W4: which paths may be purged, and how many of them at once."""

from __future__ import annotations

from collections.abc import Sequence

from artifact.errors import Code, ContentError
from artifact.versions import Version, check_feature_id

PATHS_A_CALL = 100


def check_purgeable(path: str) -> str:
    """W4: only the two kinds of pointers, a feature, or a version of one. Raises ContentError `path_invalid`."""
    segments = path.split("/")[1:] if path.startswith("/") else []
    try:
        match segments:
            case ["remote-index.json"]:
                return path
            case [feature_id, "releases.json" | "*"]:
                check_feature_id(feature_id, where="purge")
                return path
            case [feature_id, version, "*"]:
                check_feature_id(feature_id, where="purge")
                Version(version, where="purge")
                return path
    except ContentError as error:
        raise _not_purgeable(path) from error
    raise _not_purgeable(path)


def check_all(paths: Sequence[str]) -> tuple[str, ...]:
    """Each path once. Raises ContentError `path_invalid`, or `limit_exceeded` where they are none or more than 100."""
    unique = tuple(dict.fromkeys(check_purgeable(path) for path in paths))
    if not 1 <= len(unique) <= PATHS_A_CALL:
        raise ContentError(
            Code.LIMIT_EXCEEDED, "W4", "too many or no paths", where="purge", expected="1 to 100", seen=len(unique)
        )
    return unique


def _not_purgeable(path: str) -> ContentError:
    expected = "/remote-index.json, /<featureId>/releases.json, /<featureId>/* or /<featureId>/<version>/*"
    return ContentError(Code.PATH_INVALID, "W4", "not a path to purge", where="purge", expected=expected, seen=path)
