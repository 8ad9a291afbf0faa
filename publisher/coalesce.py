"""What piled up in a queue is done at once, and ever more rarely while more keeps coming: bursts are cheap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from artifact.errors import DeliveryError
from publisher.ports import Leases, Message, MessageQueue

PATIENCE = timedelta(seconds=2)
HIDDEN = timedelta(minutes=2)
"""After a death in the middle of a round, its messages come again so much later."""

BATCH = 32
MOST = 2000
"""Messages of one round: a bound for its time, which HIDDEN has to cover."""

Failures = Mapping[str, DeliveryError]
"""Bodies that could not be done, and why: these come again."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between two rounds: `first`, then `factor` times more after each, at most `longest`.

    No round begins more than `total` seconds after the first one. `quiet`: a pause is over where messages wait and no
    other came for so long; None where it is never cut short.
    """

    first: float
    factor: float
    longest: float
    quiet: float | None = None
    total: float = 300.0

    def pauses(self) -> Iterator[float]:
        """The pauses between rounds."""
        pause, passed = self.first, 0.0
        while passed + pause <= self.total:
            yield pause
            passed += pause
            pause = min(pause * self.factor, self.longest)


@dataclass(frozen=True, slots=True)
class Coalescer:
    """One queue whose messages are worked off together, by one instance at a time (the lease `name`).

    `work` gets the bodies of one round and returns those that failed. It may be called twice for one message.
    """

    name: str
    queue: MessageQueue
    leases: Leases
    pace: Pace
    sleep: Callable[[float], None]
    work: Callable[[Sequence[str]], Failures]

    def run(self, body: str) -> None:
        """Work off the message that woke us and all that wait, until none came during a pause.

        Where another instance is at it, the message is left to that one. Raises the error of `body` where that failed,
        so that the platform delivers it again.
        """
        with self.leases.hold(self.name, patience=PATIENCE) as is_held:
            if not is_held:
                self.queue.put(body, delay=PATIENCE)
                return
            error = self._round([body], self._waiting()).get(body)
            for pause in self.pace.pauses():
                self._pause(pause)
                messages = self._waiting()
                if not messages:
                    break
                self._round([], messages)
        if error is not None:
            raise error

    def _pause(self, seconds: float) -> None:
        quiet = self.pace.quiet
        if quiet is None or quiet >= seconds:
            self.sleep(seconds)
            return
        seen = self.queue.count()
        for _ in range(int(seconds / quiet)):
            self.sleep(quiet)
            before, seen = seen, self.queue.count()
            if seen == before and self.queue.oldest() is not None:
                return

    def _round(self, first: list[str], messages: Sequence[Message]) -> Failures:
        failed = self.work([*first, *(message.body for message in messages)])
        for message in messages:
            if message.body not in failed:
                self.queue.drop(message)
        return failed

    def _waiting(self) -> list[Message]:
        taken: list[Message] = []
        while len(taken) < MOST:
            messages = self.queue.take(BATCH, hidden=HIDDEN)
            if not messages:
                break
            taken += messages
        return taken
