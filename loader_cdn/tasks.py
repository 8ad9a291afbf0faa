"""Coroutines of one thread that wait for the network, for time and for each other; whoever turns the loop runs them.

The standard library's event loop would cost 3 MiB and does not drive libcurl; this is the little of it that is needed.
A coroutine that raises ends the loop's caller: what may go wrong with a feature is told in its row, not raised.
"""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Coroutine, Generator, Iterable
from itertools import count
from typing import Any, Generic, TypeVar

T = TypeVar("T")

TURN_SECONDS = 0.05
"""How long coroutines may run one after the other."""


class Event:
    """Something that happens once; coroutines `await` it."""

    __slots__ = ("_tasks", "_waiting", "has_happened")

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._waiting: list[Task[Any]] = []
        self.has_happened = False

    def happen(self) -> None:
        """Those who wait go on when the loop turns next."""
        self.has_happened = True
        self._tasks.ready.extend(self._waiting)
        self._waiting.clear()

    def add(self, task: Task[Any]) -> None:
        """This task goes on when it has happened."""
        self._waiting.append(task)

    def __await__(self) -> Generator[Event, None, None]:
        if not self.has_happened:
            yield self


class Task(Generic[T]):
    """A coroutine that has been started."""

    __slots__ = ("_coroutine", "_end", "_result", "_tasks", "is_over")

    def __init__(self, coroutine: Coroutine[Event, None, T], tasks: Tasks) -> None:
        self._coroutine = coroutine
        self._tasks = tasks
        self._end = Event(tasks)
        self._result: T
        self.is_over = False

    def step(self) -> None:
        """Run to the next `await` of something that has not happened yet. Raises what the coroutine raises."""
        if self.is_over:
            return
        try:
            self._coroutine.send(None).add(self)
        except StopIteration as ended:
            self._result, self.is_over = ended.value, True
            self._tasks.alive.discard(self)
            self._end.happen()

    def close(self) -> None:
        """End it where it waits; its `finally` blocks run."""
        self.is_over = True
        self._coroutine.close()

    @property
    def result(self) -> T:
        """What it returned, when it is over."""
        return self._result

    def __await__(self) -> Generator[Event, None, T]:
        yield from self._end.__await__()
        return self._result


class Tasks:
    """All coroutines of one thread."""

    def __init__(self) -> None:
        self.ready: deque[Task[Any]] = deque()
        self.alive: set[Task[Any]] = set()
        self._timers: list[tuple[float, int, Event]] = []
        self._numbers = count()

    def start(self, coroutine: Coroutine[Event, None, T]) -> Task[T]:
        """It runs when the loop turns next."""
        task = Task(coroutine, self)
        self.ready.append(task)
        self.alive.add(task)
        return task

    def close(self) -> None:
        """End all of them where they wait."""
        while self.alive:
            self.alive.pop().close()
        self.ready.clear()
        self._timers.clear()

    async def together(self, coroutines: Iterable[Coroutine[Event, None, T]]) -> list[T]:
        """All at once: what each returned, in order."""
        started = [self.start(coroutine) for coroutine in coroutines]
        return [await task for task in started]

    def event(self) -> Event:
        """A new one, which has not happened."""
        return Event(self)

    def after(self, seconds: float) -> Event:
        """One that happens when this time is over."""
        event = Event(self)
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._numbers), event))
        return event

    def run_ready(self) -> None:
        """Run what can go on, for a while: the network, signals and probes have their turn, too. Raises what a
        coroutine raises.
        """
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2].happen()
        while self.ready and time.monotonic() < now + TURN_SECONDS:
            self.ready.popleft().step()

    def seconds_left(self) -> float | None:
        """Until the next timer that somebody waits for; None where there is none."""
        while self._timers and self._timers[0][2].has_happened:
            heapq.heappop(self._timers)
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None
