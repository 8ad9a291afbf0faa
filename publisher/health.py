"""Does the app work, and if not, what is wrong, in words for people. Anybody may read it: no address, no secret."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from threading import Lock
from typing import Any

from artifact.errors import ConfigurationError, DeliveryError
from artifact.freshness import is_expired
from publisher.indexes import remote_of
from publisher.operations import find_open
from publisher.pipeline import Pipeline
from publisher.ports import MessageQueue
from publisher.release_key import check_release_key

OK, DEGRADED, FAILING = "ok", "degraded", "failing"
LATE = timedelta(minutes=5)
FRESH = timedelta(seconds=10)
SEEN_PURGES = 20

logger = logging.getLogger("favn.publisher.health")


@dataclass(frozen=True, slots=True)
class Health:
    """`status` is `ok`, `degraded` (it works, but somebody should look) or `failing`."""

    status: str
    problems: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """As it is served."""
        return {"status": self.status, "problems": list(self.problems)}


@dataclass(frozen=True, slots=True)
class _Problem:
    level: str
    text: str


def check(pipeline: Callable[[], Pipeline]) -> Health:
    """All checks; none of them raises."""
    try:
        found = list(_problems(pipeline()))
    except ConfigurationError as error:
        found = [_Problem(FAILING, f"the app is not configured: {error.what}")]
    except DeliveryError as error:
        found = [_Problem(FAILING, f"the app cannot start: {error.what}")]
    levels = {problem.level for problem in found}
    status = FAILING if FAILING in levels else DEGRADED if levels else OK
    return Health(status, tuple(problem.text for problem in found))


def _problems(pipeline: Pipeline) -> Iterator[_Problem]:
    now = pipeline.environment.clock()
    checks: tuple[Callable[[], Iterator[_Problem]], ...] = (
        lambda: _release_key(pipeline),
        lambda: _remote_index(pipeline, now),
        lambda: _queue(pipeline.changes, "the remote index does not follow the releases", now),
        lambda: _queue(pipeline.purges, "purges are not carried out", now),
        lambda: _poison(pipeline),
        lambda: _purges(pipeline),
    )
    for run in checks:
        try:
            yield from run()
        except DeliveryError as error:
            logger.error("a health check failed: %s", error)
            yield _Problem(FAILING, error.what)


def _release_key(pipeline: Pipeline) -> Iterator[_Problem]:
    try:
        check_release_key(pipeline.environment.signer, pipeline.environment.trust)
    except ConfigurationError as error:
        yield _Problem(FAILING, error.what)


def _remote_index(pipeline: Pipeline, now: datetime) -> Iterator[_Problem]:
    head = remote_of(pipeline.environment).head()
    if head is None or head.index.expires_at is None:
        return
    index = head.index
    validity = pipeline.environment.policy.remote_validity or timedelta(0)
    if is_expired(index.expires_at, now):
        yield _Problem(FAILING, "the remote index has expired: new readers refuse it; does the timer run?")
    elif index.expires_at is not None and index.expires_at - now < validity / 4:
        yield _Problem(DEGRADED, "the remote index expires soon and was not signed again; does the timer run?")


def _queue(queue: MessageQueue, meaning: str, now: datetime) -> Iterator[_Problem]:
    oldest = queue.oldest()
    if oldest is not None and now - oldest > LATE:
        yield _Problem(DEGRADED, f"{meaning}: a message has waited for {int((now - oldest).total_seconds())} s")


def _poison(pipeline: Pipeline) -> Iterator[_Problem]:
    count = pipeline.poison.count()
    if count:
        yield _Problem(DEGRADED, f"{count} bundles could not be taken in and are tried again; see their receipts")


def _purges(pipeline: Pipeline) -> Iterator[_Problem]:
    failing = sum(1 for found in islice(find_open(pipeline.state), SEEN_PURGES) if found.error is not None)
    if failing:
        yield _Problem(DEGRADED, f"{failing} purges fail and are tried again: readers may be late by max-age")


class Cached:
    """The last answer for some seconds: anybody may ask, as often as they like."""

    def __init__(self, look: Callable[[], Health], clock: Callable[[], datetime]) -> None:
        self._look, self._clock = look, clock
        self._lock = Lock()
        self._last: tuple[datetime, Health] | None = None

    def __call__(self) -> Health:
        """The health now, or a few seconds ago."""
        with self._lock:
            now = self._clock()
            if self._last is None or now - self._last[0] >= FRESH:
                self._last = now, self._look()
            return self._last[1]
