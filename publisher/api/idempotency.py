"""C6: `Idempotency-Key`. The same request under the same key is carried out once, whoever dies in between."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from artifact.documents import canonical
from artifact.errors import Code, DeliveryError
from artifact.fields import format_time, parse_time
from publisher.api.messages import Response
from publisher.api.problems import problem, status_of
from publisher.cleanup import IDEMPOTENCY
from publisher.content_types import private
from publisher.pipeline import Pipeline
from publisher.ports import Created

LIMIT = 64 * 1024
ABANDONED = timedelta(minutes=1)
"""Whoever began has most likely died. Where it is only slow, the commit of one finds that of the other."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request under a key. `scope` is what it is about: the route with its parameters.

    `sequence` is the feature's before it began. `run` carries it out, unless it has been carried out since the sequence
    that it is given: then it answers with that outcome.
    """

    scope: str
    key: str
    body: bytes
    sequence: int
    run: Callable[[int], Response]

    @property
    def name(self) -> str:
        """The record's object in `state`."""
        return f"{IDEMPOTENCY}{_digest(self.scope, self.key)}.json"

    @property
    def sha256(self) -> str:
        """What is compared: the body's hash."""
        return hashlib.sha256(self.body).hexdigest()


def _digest(scope: str, key: str) -> str:
    return hashlib.sha256(f"{scope}\n{key}".encode()).hexdigest()


def once(pipeline: Pipeline, attempt: Attempt) -> Response:
    """The response of the first request under this key; carried out now where this is the first.

    What was refused or failed is not remembered: it changed nothing, and may be tried again under the same key.
    """
    now = pipeline.environment.clock()
    if _begin(pipeline, attempt, now):
        return _finish(pipeline, attempt, attempt.sequence)
    found = pipeline.state.read(attempt.name, limit=LIMIT)
    if found is None:
        return _busy()  # the first one has just failed
    record = json.loads(found.data)
    age = now - parse_time(record["at"])
    if age >= pipeline.retention.idempotency:
        return _take_over(pipeline, attempt, attempt.sequence, now, found.etag)
    if record["body"] != attempt.sha256:
        return _other_body()
    if "status" in record:
        headers = {**record["headers"], "Idempotent-Replayed": "true"}
        return Response(record["status"], record["document"], headers)
    if age < ABANDONED:
        return _busy()
    return _take_over(pipeline, attempt, int(record["sequence"]), now, found.etag)


def _begin(pipeline: Pipeline, attempt: Attempt, now: datetime) -> bool:
    record = _running(attempt.sha256, attempt.sequence, now)
    return pipeline.state.create(attempt.name, canonical(record), private(attempt.name)) is Created.NEW


def _take_over(pipeline: Pipeline, attempt: Attempt, since: int, now: datetime, etag: str) -> Response:
    """Carry it out in place of who began it, or who had this key before; of several who try, one does."""
    ours = canonical(_running(attempt.sha256, since, now))
    if pipeline.state.replace(attempt.name, ours, private(attempt.name), etag=etag) is None:
        return _busy()
    return _finish(pipeline, attempt, since)


def _running(sha256: str, sequence: int, now: datetime) -> dict[str, Any]:
    # The owner makes two records differ, so that a create of the same moment is not taken for an own lost answer.
    return {"body": sha256, "sequence": sequence, "at": format_time(now), "owner": secrets.token_hex(16)}


def _finish(pipeline: Pipeline, attempt: Attempt, since: int) -> Response:
    try:
        response = attempt.run(since)
    except DeliveryError as error:
        if status_of(error) < HTTPStatus.INTERNAL_SERVER_ERROR:
            pipeline.state.delete(attempt.name)  # it was refused; any other may have been committed
        raise
    if response.status >= HTTPStatus.BAD_REQUEST:
        pipeline.state.delete(attempt.name)
        return response
    there = pipeline.state.read(attempt.name, limit=LIMIT)
    record = {
        "body": attempt.sha256,
        "at": format_time(pipeline.environment.clock()),
        "status": response.status,
        "document": response.document,
        "headers": dict(response.headers),
    }
    etag = None if there is None else there.etag
    pipeline.state.replace(attempt.name, canonical(record), private(attempt.name), etag=etag)
    return response


def _busy() -> Response:
    return problem(
        HTTPStatus.CONFLICT,
        "the first request under this Idempotency-Key is still at work",
        code=Code.CONFLICT,
        rule="C6",
        headers={"Retry-After": "5"},
    )


def _other_body() -> Response:
    what = "this Idempotency-Key was used with another body"
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, what, code=Code.CONFLICT, rule="C6")
