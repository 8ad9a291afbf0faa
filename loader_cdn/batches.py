"""Who waits for fetches, and in which order they begin: each origin has lanes of its own (L8)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from loader_cdn.exchange import Fetch
from loader_cdn.tasks import Event, Tasks

T = TypeVar("T")


class Runner(Protocol):
    """What begins fetches."""

    tasks: Tasks

    def has_room(self, batch: Batch[Any]) -> None:
        """A batch may begin more of its fetches."""
        ...

    def abandon(self, batch: Batch[Any]) -> None:
        """End what a batch has in flight, and begin no more of it."""
        ...


class Batch(Generic[T]):
    """Fetches with one origin, for one caller, who takes them with `async for` as they end, in any order.

    They are taken from `source` as there is room. `urgent` ones go before others with the same origin. What is in
    flight at `deadline`, a moment of `time.monotonic`, ends as `transport_slow`.
    """

    __slots__ = (
        "_ended",
        "_runner",
        "active",
        "deadline",
        "done",
        "exhausted",
        "failure",
        "is_queued",
        "open",
        "origin",
        "source",
        "urgent",
    )

    def __init__(
        self, runner: Runner, source: Iterator[Fetch[T]], origin: str, *, urgent: bool, deadline: float | None
    ) -> None:
        self._runner = runner
        self._ended: Event | None = None
        self.source = source
        self.origin = origin
        self.urgent = urgent
        self.deadline = deadline
        self.open = 0
        self.active = 0
        self.done: deque[Fetch[T]] = deque()
        self.exhausted = False
        self.is_queued = False
        self.failure: Exception | None = None

    def ended(self, fetch: Fetch[T]) -> None:
        """One more is there."""
        self.done.append(fetch)
        self.wake()

    def wake(self) -> None:
        """Whoever waits looks again."""
        if self._ended is not None:
            self._ended.happen()
            self._ended = None

    def close(self) -> None:
        """End what is in flight."""
        self._runner.abandon(self)

    def __aiter__(self) -> Batch[T]:
        return self

    async def __anext__(self) -> Fetch[T]:
        """Raises what the source raised; StopAsyncIteration when all have ended."""
        while not self.done:
            if self.failure is not None:
                raise self.failure
            if self.exhausted and not self.open:
                raise StopAsyncIteration
            self._ended = self._runner.tasks.event()
            await self._ended
        fetch = self.done.popleft()
        self._runner.has_room(self)
        return fetch


@dataclass(slots=True)
class Line:
    """What one origin has: how many exchanges may be on their way at once (few until an answer shows that it is far),
    how many are, and who waits to begin more.
    """

    lanes: int
    active: int = 0
    urgent: deque[Batch[Any]] = field(default_factory=deque)
    others: deque[Batch[Any]] = field(default_factory=deque)

    def queue(self, batch: Batch[Any]) -> deque[Batch[Any]]:
        return self.urgent if batch.urgent else self.others


def next_of(batch: Batch[Any]) -> Fetch[Any] | None:
    """The next fetch of a batch; None where there is none any more. What its source raises is its caller's to hear."""
    try:
        return next(batch.source)
    except StopIteration:
        batch.exhausted = True
    except Exception as error:  # noqa: BLE001
        batch.exhausted, batch.failure = True, error
    return None
