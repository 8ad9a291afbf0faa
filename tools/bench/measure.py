"""Races: whole processes, one at a time, in turn with their competitors, so that a machine's moods meet all of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

SPAWN = Path(__file__).with_name("spawn.py")
LIMIT_SECONDS = 300
_HIDDEN = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
"""Variables that would make each start of an editable install compile it again, or start something else."""


class BenchError(Exception):
    """A process failed or left something else than it should; `str()` says which and how."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: seconds by the clock, seconds of CPU in it and all its children, bytes of the largest resident set."""

    seconds: float
    cpu: float
    peak: int


@dataclass(frozen=True, slots=True)
class Contestant:
    """Somebody who does the work: `commands`, one after the other, are timed together. `prepare` is called before, and
    `check` after it; it raises BenchError where the work was not done.
    """

    name: str
    commands: Sequence[Sequence[str | Path]]
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], None] = lambda: None
    check: Callable[[], None] = lambda: None


Field = Callable[[], AbstractContextManager[Sequence[Contestant]]]
"""Opens one round: those who run in it, with servers as they need them."""


@dataclass(slots=True)
class Results:
    """What came of a race: samples by name, and who was left out, and why."""

    samples: dict[str, list[Sample]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def seconds(self, name: str) -> float | None:
        """The median; None for one that did not run."""
        return self._median(name, lambda sample: sample.seconds)

    def cpu(self, name: str) -> float | None:
        """The median of the seconds of CPU."""
        return self._median(name, lambda sample: sample.cpu)

    def peak(self, name: str) -> float | None:
        """The largest of all runs, in bytes."""
        return max((sample.peak for sample in self.samples.get(name, ())), default=None)

    def ratio(self, name: str, others: Sequence[str]) -> float | None:
        """The time of one, divided by that of the fastest of others; None where either side did not run."""
        mine = self.seconds(name)
        theirs = [seconds for other in others if (seconds := self.seconds(other)) is not None]
        return None if mine is None or not theirs else mine / min(theirs)

    def _median(self, name: str, value: Callable[[Sample], float]) -> float | None:
        samples = self.samples.get(name)
        return median(map(value, samples)) if samples else None


def race(runs: int, field: Field) -> Results:
    """`runs` rounds, each begun by another contestant. Who fails is left out from then on, by name."""
    results = Results()
    for number in range(runs):
        with field() as contestants:
            for contestant in _rotated(contestants, number):
                if contestant.name not in results.left_out:
                    _enter(results, contestant)
    return results


def _enter(results: Results, contestant: Contestant) -> None:
    try:
        results.samples.setdefault(contestant.name, []).append(run(contestant))
    except BenchError as error:
        results.samples.pop(contestant.name)
        results.left_out[contestant.name] = str(error)


def _rotated(contestants: Sequence[Contestant], number: int) -> Iterator[Contestant]:
    start = number % len(contestants)
    yield from contestants[start:]
    yield from contestants[:start]


def run(contestant: Contestant) -> Sample:
    """One run, from `prepare` to `check`. BenchError where a command fails."""
    contestant.prepare()
    os.sync()  # what others left to be written is not this one's to wait for
    environment = {name: value for name, value in os.environ.items() if name not in _HIDDEN}
    request = {
        "commands": [[str(word) for word in command] for command in contestant.commands],
        "environment": environment | dict(contestant.environment),
    }
    answer = json.loads(_spawn(contestant.name, json.dumps(request)))
    contestant.check()
    return Sample(answer["seconds"], answer["cpu"], answer["peak"])


def _spawn(name: str, request: str) -> str:
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", SPAWN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        answer, said = process.communicate(request, LIMIT_SECONDS)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise BenchError(f"not done in {LIMIT_SECONDS} s") from error
        raise
    if process.returncode != 0:
        raise BenchError(f"could not be started: {_last(said)}")
    status = json.loads(answer)["status"]
    if status != 0:
        raise BenchError(f"ended with status {status}: {_last(said)}")
    return answer


def _last(said: str) -> str:
    lines = said.strip().splitlines()
    return lines[-1] if lines else "it said nothing"
