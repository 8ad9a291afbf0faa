"""A purge without the app: by the identity of whoever runs it, straight at the endpoints of the CDN."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from artifact.errors import Code
from publisher.operations import QUEUED, RUNNING, SUCCEEDED
from publisher.ports import CdnEndpoint, PurgeError

RETRY = timedelta(seconds=15)


@dataclass(slots=True)
class _Part:
    """One endpoint, until `due` nothing is asked of it."""

    endpoint: CdnEndpoint
    batches: list[tuple[str, ...]]
    due: datetime
    token: str | None = None
    error: str | None = None

    @property
    def state(self) -> str:
        if not self.batches:
            return SUCCEEDED
        return QUEUED if self.token is None else RUNNING


class DirectPurge:
    """`step` does what can be done now, and is called again after `pause`, until `state` is `succeeded`.

    What an endpoint refuses, as when another purge is in flight there, is asked again: when to stop is the caller's.
    """

    def __init__(self, endpoints: Sequence[CdnEndpoint], paths: Sequence[str], clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._paths = tuple(paths)
        now = clock()
        self._parts = [
            _Part(one, [self._paths[start : start + one.most] for start in range(0, len(paths), one.most)], now)
            for one in endpoints
        ]

    @property
    def state(self) -> str:
        """That of the endpoint which is furthest behind."""
        states = {part.state for part in self._parts}
        return next((state for state in (QUEUED, RUNNING) if state in states), SUCCEEDED)

    @property
    def has_begun_all(self) -> bool:
        """Whether each endpoint has taken its last call."""
        return all(not part.batches or (len(part.batches) == 1 and part.token is not None) for part in self._parts)

    @property
    def pause(self) -> timedelta:
        """Until there is something to do."""
        waiting = [part.due for part in self._parts if part.batches]
        return max(timedelta(0), min(waiting) - self._clock()) if waiting else timedelta(0)

    def step(self) -> None:
        """Ask each endpoint that is due, once. Raises PurgeError `unauthorized`, which no waiting mends."""
        for part in self._parts:
            if part.batches and part.due <= self._clock():
                self._ask(part)

    def document(self) -> dict[str, Any]:
        """As `--json` shows it."""
        return {
            "state": self.state,
            "paths": list(self._paths),
            "endpoints": [{"name": p.endpoint.name, "state": p.state, "error": p.error} for p in self._parts],
        }

    def errors(self) -> list[str]:
        """What went wrong last, by endpoint."""
        return [f"{part.endpoint.name}: {part.error}" for part in self._parts if part.error is not None]

    def _ask(self, part: _Part) -> None:
        try:
            flight = part.endpoint.purger.purge(part.batches[0], part.token)
        except PurgeError as error:
            if error.code is Code.UNAUTHORIZED:
                raise
            part.error, part.due = error.message, self._clock() + max(RETRY, error.pause)
            if error.is_over:
                part.token = None
            return
        part.error = None
        if flight is None:
            part.token = None
            part.batches.pop(0)
        else:
            part.token, part.due = flight.token, self._clock() + flight.pause
