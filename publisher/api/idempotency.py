"""C6: `Idempotency-Key`. The same request under the same key is carried out once, whoever dies in between."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from artifact.documents import canonical
from artifact.errors import DeliveryError
from artifact.fields import format_time, parse_time
from publisher.api.messages import Response
from publisher.api.problems import problem, status_of
from publisher.cleanup import IDEMPOTENCY
from publisher.content_types import private
from publisher.pipeline import Pipeline
from publisher.ports import Created

KEY_LENGTH = 255
LIMIT = 64 * 1024
ABANDONED = timedelta(minutes=1)
"""Nothing here takes so long: whoever began has died."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request under a key. `scope` is what it is about: the route with its parameters.

    `sequence` is the feature's before it began; `run` carries it out; `committed` finds its outcome where an earlier
    attempt, begun at that sequence, has died after its commit.
    """

    scope: str
    key: str
    body: bytes
    sequence: int
    run: Callable[[], Response]
    committed: Callable[[int], Response | None]

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


def check_key(key: str) -> Response | None:
    """A problem where the key is none."""
    if 1 <= len(key) <= KEY_LENGTH and key.isascii() and key.isprintable():
        return None
    return problem(HTTPStatus.BAD_REQUEST, f"an Idempotency-Key has 1 to {KEY_LENGTH} printable ASCII characters")


def once(pipeline: Pipeline, attempt: Attempt) -> Response:
    """The response of the first request under this key; carried out now where this is the first.

    What was refused or failed is not remembered: it changed nothing, and may be tried again under the same key.
    """
    now = pipeline.environment.clock()
    if _begin(pipeline, attempt, now):
        return _finish(pipeline, attempt, attempt.run)
    found = pipeline.state.read(attempt.name, limit=LIMIT)
    if found is None:
        return _busy()  # the first one has just failed
    record = json.loads(found.data)
    if record["body"] != attempt.sha256:
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "this Idempotency-Key was used with another body", rule="C6")
    if "status" in record:
        if now - parse_time(record["at"]) >= pipeline.retention.idempotency:
            pipeline.state.delete(attempt.name)
            return once(pipeline, attempt)
        headers = {**record["headers"], "Idempotent-Replayed": "true"}
        return Response(record["status"], record["document"], headers)
    if now - parse_time(record["at"]) < ABANDONED or not _take_over(pipeline, attempt, record, now, found.etag):
        return _busy()
    return _finish(pipeline, attempt, lambda: attempt.committed(int(record["sequence"])) or attempt.run())


def _begin(pipeline: Pipeline, attempt: Attempt, now: datetime) -> bool:
    record = _running(attempt.sha256, attempt.sequence, now)
    return pipeline.state.create(attempt.name, canonical(record), private(attempt.name)) is Created.NEW


def _take_over(pipeline: Pipeline, attempt: Attempt, record: Mapping[str, Any], now: datetime, etag: str) -> bool:
    ours = _running(attempt.sha256, int(record["sequence"]), now)
    return pipeline.state.replace(attempt.name, canonical(ours), private(attempt.name), etag=etag) is not None


def _running(sha256: str, sequence: int, now: datetime) -> dict[str, Any]:
    # The owner makes two records differ, so that a create of the same moment is not taken for an own lost answer.
    return {"body": sha256, "sequence": sequence, "at": format_time(now), "owner": secrets.token_hex(16)}


def _finish(pipeline: Pipeline, attempt: Attempt, run: Callable[[], Response]) -> Response:
    try:
        response = run()
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
    return problem(HTTPStatus.CONFLICT, "the first request under this Idempotency-Key is still at work", retry_after=5)
