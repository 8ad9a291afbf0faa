"""The time of faults: steps of the plan are taken, faults are healed when their time is over, all are looked at."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from tests.soak import registrations, releases
from tests.soak.faults import API, Fault
from tests.soak.plan import Kind, Step
from tests.soak.releases import FEATURES
from tests.soak.stage import Stage
from tests.soak.tally import Tally

TICK = 0.1
READ_SECONDS = 0.5
PROBE_SECONDS = 1.0

ACTIONS: Mapping[str, Kind] = {
    name: Kind(weight) for actions in (releases.ACTIONS, registrations.ACTIONS) for name, (_, weight) in actions.items()
}


class Play:
    """Takes the steps one after the other; `faults` are all that there are, by name."""

    def __init__(self, stage: Stage, faults: Mapping[str, Fault]) -> None:
        self._stage, self._faults = stage, faults
        self._active: dict[str, tuple[float, str, ExitStack]] = {}
        """By where a fault is: until when, its name, and what heals it."""
        self._awaited: tuple[float, str, str] | None = None
        """Since when a mark is to be heard, which, and after what."""

    def run(self, steps: Sequence[Step], seconds: float, minute: Callable[[int], None]) -> None:
        """`minute` is called with each minute that is over."""
        began, left, minutes = time.monotonic(), list(steps), 0
        while (now := time.monotonic() - began) < seconds:
            self._heal_until(now)
            while left and left[0].at <= now:
                self._take(left.pop(0), began)
            self._listen()
            if now >= 60 * (minutes + 1):
                minutes += 1
                minute(minutes)
            time.sleep(TICK)

    def heal(self) -> None:
        """End all faults."""
        self._heal_until(float("inf"))

    def _take(self, step: Step, began: float) -> None:
        if step.name in self._faults:
            self._begin(step, began)
            return
        if step.name in releases.ACTIONS:
            act = partial(releases.ACTIONS[step.name][0], self._stage.releases)
        elif self._stage.control_plane.is_stopped:
            return
        else:
            act = partial(registrations.ACTIONS[step.name][0], self._stage.registrations)
        features = step.rng.sample(FEATURES, len(FEATURES))
        if any(act(feature_id, step.rng) for feature_id in features):
            self._stage.tally.actions[step.name] += 1

    def _begin(self, step: Step, began: float) -> None:
        fault = self._faults[step.name]
        if fault.where in self._active:
            return
        if fault.where == API:
            self._awaited = None
        stack = ExitStack()
        stack.enter_context(fault.begin(self._stage, step.rng))
        self._active[fault.where] = (time.monotonic() - began + step.seconds, step.name, stack)
        self._stage.tally.faults[step.name] += 1

    def _heal_until(self, now: float) -> None:
        over = [where for where, (until, _, _) in self._active.items() if until <= now]
        for where in over:
            _, name, stack = self._active.pop(where)
            stack.close()
            if where == API:
                self._awaited = (time.monotonic(), self._stage.registrations.mark(), name)

    def _listen(self) -> None:
        """Whether the steady loader has heard of the mark that was made when the API server was well again."""
        if self._awaited is None:
            return
        since, mark, after = self._awaited
        status = self._stage.steady.status()
        if status is not None and mark in {one["configMap"] for one in status["registrations"]["problems"]}:
            self._stage.tally.recoveries.append((time.monotonic() - since, after))
            self._awaited = None


@contextmanager
def looking(stage: Stage) -> Iterator[None]:
    """During the block every root is read and every loader is asked, all the time."""
    over = threading.Event()
    works = [(reader.read, READ_SECONDS) for reader in stage.readers.values()]
    works += [(loader.probe, PROBE_SECONDS) for loader in stage.loaders.values()]
    threads = [threading.Thread(target=_again, args=(work, pause, over, stage.tally)) for work, pause in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _again(work: Callable[[], None], pause: float, over: threading.Event, tally: Tally) -> None:
    while not over.wait(pause):
        try:
            work()
        except Exception as error:  # noqa: BLE001 (a look that fails is an offence, and no end of looking)
            tally.offend(f"{work.__qualname__}: {error!r}")
