"""Queues and leases in this process's memory: for tests and the simulator."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Condition, Lock

from publisher.ports import Message


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class _Entry:
    body: str
    inserted_at: datetime
    visible_at: datetime
    tries: int = 0
    receipt: int = 0


class MemoryQueue:
    """A MessageQueue, thread-safe. `clock` hides messages and shows them again."""

    def __init__(self, *, clock: Callable[[], datetime] = _now) -> None:
        self._clock = clock
        self._lock = Lock()
        self._entries: list[_Entry] = []
        self._receipts = itertools.count(1)

    def put(self, body: str, *, delay: timedelta = timedelta(0)) -> None:
        with self._lock:
            now = self._clock()
            self._entries.append(_Entry(body, now, now + delay))

    def take(self, count: int, *, hidden: timedelta) -> Sequence[Message]:
        with self._lock:
            now = self._clock()
            visible = [entry for entry in self._entries if entry.visible_at <= now][:count]
            for entry in visible:
                entry.visible_at = now + hidden
                entry.tries += 1
                entry.receipt = next(self._receipts)
            return [Message(entry.body, entry.tries, entry.inserted_at, entry.receipt) for entry in visible]

    def drop(self, message: Message) -> None:
        """As in real storage, a receipt is good until the message is taken again."""
        with self._lock:
            self._entries = [entry for entry in self._entries if entry.receipt != message.receipt or not entry.receipt]

    def count(self) -> int:
        with self._lock:
            return len(self._entries)

    def oldest(self) -> datetime | None:
        with self._lock:
            now = self._clock()
            return min((entry.inserted_at for entry in self._entries if entry.visible_at <= now), default=None)

    @property
    def bodies(self) -> list[str]:
        """All messages that are not dropped, hidden ones too."""
        with self._lock:
            return [entry.body for entry in self._entries]


class MemoryLeases:
    """Leases among the threads of this process."""

    def __init__(self) -> None:
        self._held: set[str] = set()
        self._changed = Condition()

    @contextmanager
    def hold(self, name: str, *, patience: timedelta) -> Iterator[bool]:
        with self._changed:
            is_held = self._changed.wait_for(lambda: name not in self._held, patience.total_seconds())
            if is_held:
                self._held.add(name)
        try:
            yield is_held
        finally:
            if is_held:
                with self._changed:
                    self._held.discard(name)
                    self._changed.notify_all()
