"""W4: purging is queued, coalesced, tried again for days, and never needed: without it readers are late by max-age."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial

from artifact.errors import Code, ContentError, DeliveryError
from artifact.fields import whole_seconds
from artifact.versions import Version, check_feature_id
from publisher import operations, telemetry
from publisher.coalesce import Coalescer, Failures, Pace
from publisher.operations import FAILED, QUEUED, RUNNING, SUCCEEDED, Operation
from publisher.pipeline import Pipeline

REMOTE_INDEX = "/remote-index.json"
PATHS_A_CALL = 100
PACE = Pace(first=5.0, factor=4.0, longest=60.0)
"""After a minute without a purge most readers have passed max-age by themselves."""

FIRST_RETRY = timedelta(seconds=15)
LONGEST_RETRY = timedelta(minutes=10)
GIVE_UP = timedelta(days=7)

logger = logging.getLogger("favn.publisher.purge")


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


def request(pipeline: Pipeline, paths: Sequence[str], *, actor: str, reason: str | None) -> Operation:
    """Ask for a purge of these paths; it is carried out soon, together with others.

    Raises ContentError `path_invalid`, or `limit_exceeded` above 100 paths.
    """
    unique = tuple(dict.fromkeys(check_purgeable(path) for path in paths))
    if not 1 <= len(unique) <= PATHS_A_CALL:
        raise ContentError(
            Code.LIMIT_EXCEEDED, "W4", "too many or no paths", where="purge", expected="1 to 100", seen=len(unique)
        )
    now = whole_seconds(pipeline.environment.clock())
    asked = Operation(secrets.token_hex(16), QUEUED, unique, actor, reason, now)
    operations.store(pipeline.state, asked)
    _enqueue(pipeline, asked, timedelta(0))
    return asked


def operation(pipeline: Pipeline, operation_id: str) -> Operation | None:
    """The state of an operation; None where there is none of that id."""
    return operations.find(pipeline.state, operation_id)


def run(pipeline: Pipeline, body: str) -> None:
    """Carry out the operation that a message names, with all others that wait."""
    work = partial(_run, pipeline)
    Coalescer("purge", pipeline.purges, pipeline.leases, PACE, pipeline.sleep, work).run(body)


def resume(pipeline: Pipeline) -> int:
    """Enqueue again what waits for longer than any retry would: its message was lost. How many there were."""
    now = pipeline.environment.clock()
    lost = [found for found in operations.find_open(pipeline.state) if _due(found) + LONGEST_RETRY < now]
    for found in lost:
        _enqueue(pipeline, found, timedelta(0))
    return len(lost)


def _run(pipeline: Pipeline, bodies: Sequence[str]) -> Failures:
    open_ = [found for body in dict.fromkeys(bodies) if (found := _open(pipeline, body)) is not None]
    for batch in _batches(open_):
        running = [
            operations.update(pipeline.state, found, state=RUNNING, attempts=found.attempts + 1) for found in batch
        ]
        try:
            pipeline.purger.purge(sorted({path for found in batch for path in found.paths}))
        except DeliveryError as error:
            for found in running:
                _try_again(pipeline, found, error)
        else:
            for found in running:
                _end(pipeline, found, SUCCEEDED, None)
    return {}


def _open(pipeline: Pipeline, body: str) -> Operation | None:
    """The operation that a message names, unless it has ended."""
    try:
        found = operation(pipeline, str(json.loads(body)["operation"]))
    except (ValueError, KeyError, TypeError):
        found = None
    if found is None:
        logger.error("a message that names no purge operation was dropped")
        return None
    return None if found.has_ended else found


def _batches(waiting: Iterable[Operation]) -> Iterator[list[Operation]]:
    """As many operations together as fit into one call."""
    batch: list[Operation] = []
    paths: set[str] = set()
    for found in waiting:
        if batch and len(paths.union(found.paths)) > PATHS_A_CALL:
            yield batch
            batch, paths = [], set()
        batch.append(found)
        paths.update(found.paths)
    if batch:
        yield batch


def _try_again(pipeline: Pipeline, found: Operation, error: DeliveryError) -> None:
    waited = pipeline.environment.clock() - found.requested_at
    if waited >= GIVE_UP:
        _end(pipeline, found, FAILED, error)
        return
    telemetry.retried("purge")
    logger.warning("purge %s failed, and is tried again: %s", found.operation, error)
    operations.update(pipeline.state, found, state=QUEUED, error=str(error))
    _enqueue(pipeline, found, _pause(found.attempts))


def _end(pipeline: Pipeline, found: Operation, state: str, error: DeliveryError | None) -> None:
    text = None if error is None else str(error)
    operations.update(
        pipeline.state, found, state=state, error=text, ended_at=whole_seconds(pipeline.environment.clock())
    )
    telemetry.purge_ended(state)
    if error is not None:
        logger.error("purge %s was given up: %s", found.operation, error)


def _pause(attempts: int) -> timedelta:
    doublings = min(max(attempts - 1, 0), 10)
    return min(FIRST_RETRY * 2.0**doublings, LONGEST_RETRY)


def _due(found: Operation) -> datetime:
    """When at the latest it should have been tried for the last time, had no message been lost."""
    spent = sum((_pause(attempt) for attempt in range(1, found.attempts + 1)), timedelta(0))
    return found.requested_at + spent


def _enqueue(pipeline: Pipeline, found: Operation, delay: timedelta) -> None:
    pipeline.purges.put(json.dumps({"operation": found.operation}), delay=delay)


def _not_purgeable(path: str) -> ContentError:
    expected = "/remote-index.json, /<featureId>/releases.json, /<featureId>/* or /<featureId>/<version>/*"
    return ContentError(Code.PATH_INVALID, "W4", "not a path to purge", where="purge", expected=expected, seen=path)
