"""W4: asking for a purge. It is never needed: without it readers are late by max-age. purging.py carries it out."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta

from artifact.fields import whole_seconds
from artifact.versions import Version
from publisher import operations
from publisher.operations import QUEUED, Operation
from publisher.pipeline import Pipeline
from publisher.purgeable import check_all

REMOTE_INDEX = "/remote-index.json"
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
