"""Messages that piled up are worked off together, by one instance at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from artifact.errors import Code, TransientError
from publisher.adapters.memory_queue import MemoryLeases, MemoryQueue
from publisher.coalesce import HIDDEN, Coalescer, Failures, Pace
from tests.publisher.world import Clock

PACE = Pace(first=1, factor=2, longest=8, total=60)
ERROR = TransientError(Code.TRANSPORT_FAILED, "I3", "not now")


@dataclass
class Desk:
    """A queue, and the rounds in which it was worked off; `arrivals` come during the pauses, one list a pause."""

    clock: Clock = field(default_factory=Clock)
    leases: MemoryLeases = field(default_factory=MemoryLeases)
    rounds: list[list[str]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    arrivals: list[list[str]] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.queue = MemoryQueue(clock=self.clock)

    def work(self, bodies: Sequence[str]) -> Failures:
        self.rounds.append(list(bodies))
        return {body: ERROR for body in bodies if body in self.failing}

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.now += timedelta(seconds=seconds)
        for body in self.arrivals.pop(0) if self.arrivals else []:
            self.queue.put(body)

    def run(self, body: str, work: Callable[[Sequence[str]], Failures] | None = None) -> None:
        Coalescer("name", self.queue, self.leases, PACE, self.sleep, work or self.work).run(body)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_the_message_that_wakes_us_is_done_at_once_with_all_that_wait(desk: Desk) -> None:
    for number in range(100):
        desk.queue.put(f"{number}")
    desk.run("first")
    assert desk.rounds == [["first", *(f"{number}" for number in range(100))]]
    assert desk.queue.bodies == []


def test_what_comes_during_a_pause_is_one_more_round_and_pauses_grow(desk: Desk) -> None:
    desk.arrivals = [["a", "b"], ["c"], ["d"], ["e"], ["f"]]
    desk.run("first")
    assert desk.rounds == [["first"], ["a", "b"], ["c"], ["d"], ["e"], ["f"]]
    assert desk.pauses == [1, 2, 4, 8, 8, 8]


def test_when_the_burst_is_over_the_pause_is_too(desk: Desk) -> None:
    desk.arrivals = [["a"], ["b"], ["c"], ["d"]]
    pace = Pace(first=1, factor=16, longest=16, quiet=2)
    Coalescer("name", desk.queue, desk.leases, pace, desk.sleep, desk.work).run("first")
    assert desk.rounds == [["first"], ["a"], ["b", "c", "d"]]
    assert desk.pauses == [1, 2, 2, 2, 2, *(8 * [2])]


def test_it_ends_in_time_although_messages_keep_coming(desk: Desk) -> None:
    desk.arrivals = [["more"] for _ in range(100)]
    desk.run("first")
    assert sum(desk.pauses) <= PACE.total
    assert len(desk.rounds) == len(desk.pauses) + 1


def test_while_another_instance_is_at_it_the_message_is_left_to_that_one(desk: Desk) -> None:
    other = desk.leases.hold("name", patience=timedelta(0))
    with other:
        desk.run("mine")
    assert desk.rounds == []
    assert desk.queue.bodies == ["mine"]


def test_what_failed_comes_again_and_the_rest_does_not(desk: Desk) -> None:
    desk.queue.put("good")
    desk.queue.put("bad")
    desk.failing = {"bad"}
    desk.run("first")
    assert desk.queue.bodies == ["bad"]
    desk.clock.now += HIDDEN
    assert [message.tries for message in desk.queue.take(1, hidden=HIDDEN)] == [2]


def test_the_platform_delivers_the_message_again_that_woke_us_and_failed(desk: Desk) -> None:
    desk.failing = {"first"}
    desk.arrivals = [["late"]]
    with pytest.raises(TransientError, match="not now"):
        desk.run("first")
    assert desk.rounds == [["first"], ["late"]]


def test_a_death_in_a_round_loses_no_message(desk: Desk) -> None:
    desk.queue.put("waiting")

    def die(bodies: Sequence[str]) -> Failures:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        desk.run("first", die)
    desk.clock.now += HIDDEN
    desk.run("first")
    assert desk.rounds == [["first", "waiting"]]
