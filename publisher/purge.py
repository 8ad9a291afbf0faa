"""W4: asking for a purge. It is never needed: without it readers are late by max-age. purging.py carries it out."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta

from artifact.errors import Code, ContentError
from artifact.fields import whole_seconds
from artifact.versions import Version, check_feature_id
from publisher import operations
from publisher.operations import QUEUED, Operation
from publisher.pipeline import Pipeline

REMOTE_INDEX = "/remote-index.json"
PATHS_A_CALL = 100
WAKE_UP = "{}"
"""A message of the queue only says that there is something to do: what, is in the operations."""


def release_index(feature_id: str) -> str:
    """The path of a feature's pointer."""
    return f"/{feature_id}/releases.json"


def whole_feature(feature_id: str) -> str:
    """The path of all that a feature has."""
    return f"/{feature_id}/*"


def whole_version(feature_id: str, version: Version) -> str:
    """The path of all files of a version."""
    return f"/{feature_id}/{version}/*"


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


def request(pipeline: Pipeline, paths: Sequence[str], *, actor: str, reason: str | None) -> Operation:
    """Ask for a purge of these paths; it is carried out soon, together with others (purging.py).

    Raises ContentError as `check_all` does.
    """
    now = whole_seconds(pipeline.environment.clock())
    asked = Operation(secrets.token_hex(16), QUEUED, check_all(paths), actor, reason, now)
    operations.store(pipeline.state, asked)
    wake_up(pipeline, timedelta(0))
    return asked


def operation(pipeline: Pipeline, operation_id: str) -> Operation | None:
    """The state of an operation; None where there is none of that id."""
    return operations.find(pipeline.state, operation_id)


def wake_up(pipeline: Pipeline, delay: timedelta) -> None:
    """Let purges that wait be looked at after `delay`."""
    pipeline.purges.put(WAKE_UP, delay=delay)


def _not_purgeable(path: str) -> ContentError:
    expected = "/remote-index.json, /<featureId>/releases.json, /<featureId>/* or /<featureId>/<version>/*"
    return ContentError(Code.PATH_INVALID, "W4", "not a path to purge", where="purge", expected=expected, seen=path)
