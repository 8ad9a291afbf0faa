"""W4: purges that wait are carried out: together, one call in flight an endpoint, tried again for days.

What is in flight is remembered (calls.py). The lease saves work; that one instance begins a call is up to the record.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from artifact.errors import TransientError
from artifact.fields import whole_seconds
from publisher import calls, operations, telemetry
from publisher.calls import Call, OvertakenError, Record
from publisher.coalesce import Coalescer, Failures, Pace
from publisher.operations import FAILED, QUEUED, RUNNING, SUCCEEDED, Operation
from publisher.pipeline import Pipeline
from publisher.ports import CdnEndpoint, PurgeError
from publisher.purge import wake_up

ONE_ROUND = Pace(first=1.0, factor=1.0, longest=1.0, total=0.0)
"""What waits for a moment that is to come leaves a message for it: nobody sleeps."""

SPACING = timedelta(seconds=10)
"""Between the beginnings of two calls of an endpoint: what is asked for meanwhile is one call."""

FIRST_RETRY = timedelta(seconds=15)
LONGEST_RETRY = timedelta(minutes=10)
GIVE_UP = timedelta(days=7)
UNANSWERED = timedelta(minutes=1)
"""Who began a call and does not know after so long whether the CDN took it has died."""

LONGEST_CALL = timedelta(hours=1)
"""The CDN needs twenty minutes at most: nothing comes of this one any more. No pause is longer either."""

SOON = timedelta(seconds=2)

logger = logging.getLogger("favn.publisher.purging")


def run(pipeline: Pipeline, body: str) -> None:
    """Carry out all purges that wait; `body` is the message that woke us, and says nothing else."""
    Coalescer("purge", pipeline.purges, pipeline.leases, ONE_ROUND, pipeline.sleep, partial(_round, pipeline)).run(body)


def resume(pipeline: Pipeline) -> None:
    """Where purges wait, let them be looked at: the message that should do so may be lost."""
    if _is_any_open(pipeline):
        wake_up(pipeline, timedelta(0))


def _round(pipeline: Pipeline, bodies: Sequence[str]) -> Failures:
    due = [moment for endpoint in pipeline.cdn if (moment := _serve(pipeline, endpoint)) is not None]
    if due:
        wake_up(pipeline, max(timedelta(0), min(due) - pipeline.environment.clock()))
    else:
        _settle(pipeline)
    return {}


def _settle(pipeline: Pipeline) -> None:
    """End what no endpoint of today has anything to do with: there is no CDN, or it was another one."""
    for found in operations.find_open(pipeline.state):
        if not any(found.waiting(endpoint.name) for endpoint in pipeline.cdn):
            _end(pipeline, found, SUCCEEDED, None)


def _serve(pipeline: Pipeline, endpoint: CdnEndpoint) -> datetime | None:
    """Do what can be done now; when there will be something to do, or None where nothing waits."""
    record = calls.load(pipeline.state, endpoint.name)
    now = pipeline.environment.clock()
    if record.due is not None and now < record.due <= now + LONGEST_CALL:
        return _when(pipeline, record)
    record = replace(record, due=None, call=record.call and _not_of_the_future(record.call, now))
    try:
        if record.call is not None and record.call.token is not None:
            record = _advance(pipeline, endpoint, record, record.call)
        elif record.call is not None:
            record = _begin(pipeline, endpoint, record, replace(record.call, begun_at=whole_seconds(now)))
        while record.due is None:
            call = _next_call(pipeline, endpoint)
            if call is None:
                return None
            record = _begin(pipeline, endpoint, record, call)
    except OvertakenError:
        return now + SOON
    return _when(pipeline, record)


def _when(pipeline: Pipeline, record: Record) -> datetime | None:
    """When its record is due, if there is anything to do then."""
    return record.due if record.call is not None or _is_any_open(pipeline) else None


def _is_any_open(pipeline: Pipeline) -> bool:
    return next(iter(pipeline.state.list(operations.OPEN_ONES)), None) is not None


def _not_of_the_future(call: Call, now: datetime) -> Call:
    """A call that somebody has dated so would never be too old."""
    return replace(call, begun_at=min(call.begun_at, whole_seconds(now)))


def _next_call(pipeline: Pipeline, endpoint: CdnEndpoint) -> Call | None:
    """As many paths as one call takes, those first that were tried least."""
    open_ones = [found for found in operations.find_open(pipeline.state) if found.waiting(endpoint.name)]
    waiting = sorted(open_ones, key=lambda found: (found.attempts, found.requested_at))[: calls.MOST_OPERATIONS]
    paths = dict.fromkeys(path for found in waiting for path in found.waiting(endpoint.name))
    chosen = tuple(paths)[: endpoint.most]
    if not chosen:
        return None
    on_behalf = tuple(found.operation for found in waiting if not set(chosen).isdisjoint(found.waiting(endpoint.name)))
    return Call(on_behalf, chosen, whole_seconds(pipeline.environment.clock()))


def _begin(pipeline: Pipeline, endpoint: CdnEndpoint, record: Record, call: Call) -> Record:
    unanswered = whole_seconds(pipeline.environment.clock()) + UNANSWERED
    record = calls.store(pipeline.state, record, call=call, due=unanswered)
    for found in _operations(pipeline, call):
        operations.update(pipeline.state, found, state=RUNNING, attempts=found.attempts + 1)
    return _advance(pipeline, endpoint, record, call)


def _advance(pipeline: Pipeline, endpoint: CdnEndpoint, record: Record, call: Call) -> Record:
    """Ask the CDN: to take the call, or how it goes with the one that it took. What follows, as a record."""
    now = whole_seconds(pipeline.environment.clock())
    try:
        flight = endpoint.purger.purge(call.paths, call.token)
    except TransientError as error:
        goes_on = call.token is not None and not (isinstance(error, PurgeError) and error.is_over)
        if goes_on and now - call.begun_at < LONGEST_CALL:
            return calls.store(pipeline.state, record, due=now + _pause(record, error), error=str(error))
        return _failed(pipeline, record, call, error)
    if flight is None:
        return _succeeded(pipeline, record, call)
    if now - call.begun_at >= LONGEST_CALL:
        return _failed(pipeline, record, call, PurgeError("the CDN does not come to an end with it", is_over=True))
    return calls.store(
        pipeline.state, record, call=replace(call, token=flight.token), due=now + _within(flight.pause), error=None
    )


def _succeeded(pipeline: Pipeline, record: Record, call: Call) -> Record:
    """The operations first: where we die in between, the CDN is asked once more, and says the same."""
    for found in _operations(pipeline, call):
        pending = _pending(pipeline, found, record.endpoint, call)
        if pending:
            operations.update(pipeline.state, found, state=QUEUED, pending=pending, error=None)
        else:
            _end(pipeline, replace(found, pending={}), SUCCEEDED, None)
    due = call.begun_at + SPACING
    is_over = due <= pipeline.environment.clock()
    return calls.store(pipeline.state, record, call=None, due=None if is_over else due, failures=0, error=None)


def _pending(pipeline: Pipeline, found: Operation, endpoint: str, call: Call) -> Mapping[str, tuple[str, ...]]:
    """What is left of an operation when the endpoint has done the call."""
    left = {one.name: found.waiting(one.name) for one in pipeline.cdn}
    left[endpoint] = tuple(path for path in left[endpoint] if path not in call.paths)
    return {name: paths for name, paths in left.items() if paths}


def _failed(pipeline: Pipeline, record: Record, call: Call, error: TransientError) -> Record:
    now = pipeline.environment.clock()
    telemetry.retried("purge")
    logger.warning("a purge at %s failed, and is tried again: %s", record.endpoint, error)
    for found in _operations(pipeline, call):
        if now - found.requested_at >= GIVE_UP:
            _end(pipeline, found, FAILED, error)
        else:
            operations.update(pipeline.state, found, state=QUEUED, error=str(error))
    failed = replace(record, failures=record.failures + 1)
    due = whole_seconds(now) + _pause(failed, error)
    return calls.store(pipeline.state, failed, call=None, due=due, error=str(error))


def _operations(pipeline: Pipeline, call: Call) -> Iterable[Operation]:
    """Those of a call that have not ended."""
    found = (operations.find_unended(pipeline.state, operation_id) for operation_id in call.operations)
    yield from (one for one in found if one is not None)


def _end(pipeline: Pipeline, found: Operation, state: str, error: TransientError | None) -> None:
    text = None if error is None else str(error)
    operations.update(
        pipeline.state, found, state=state, error=text, ended_at=whole_seconds(pipeline.environment.clock())
    )
    telemetry.purge_ended(state)
    if error is not None:
        logger.error("purge %s was given up: %s", found.operation, error)


def _within(pause: timedelta) -> timedelta:
    """What the CDN asks for, within reason."""
    return min(max(pause, SOON), LONGEST_CALL)


def _pause(record: Record, error: TransientError) -> timedelta:
    """Twice as long after each failure; longer where the CDN says so."""
    doublings = min(max(record.failures - 1, 0), 10)
    wanted = error.pause if isinstance(error, PurgeError) else timedelta(0)
    return max(min(FIRST_RETRY * 2.0**doublings, LONGEST_RETRY), _within(wanted))
