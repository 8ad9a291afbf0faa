"""How it has to end: all faults healed, every root holds what it should, to the byte, and no loader has grown."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from tests.loader_cdn.command import run
from tests.simulator.environment import tree
from tests.soak.loaders import Loader, Vitals
from tests.soak.stage import Stage

LOOK_SECONDS = 0.5
CONVERGE_SECONDS = 240.0
"""At the longest: a watch that is silent for 75 s is given up, a list is tried again after 20 s at most, a feature that
failed after 8 s, one that leaves goes after 5 s; and a machine may be busy."""
SETTLED = (60.0, 120.0)
"""Ages of a process, in seconds, between which its memory is measured first."""
LAST = 30
"""Looks, one a second, by which it is measured last."""
MAY_GROW = Vitals(0.0, 16 * 1024 * 1024, 4, 8)
"""Memory that a busy Python holds back, threads that answer a probe, and connections come and go; a leak in twenty
minutes is larger."""


def await_right_state(stage: Stage) -> float:
    """Wait until every root is as it should be; how many seconds that took. What is not in time is an offence."""
    began = time.monotonic()
    while wrong := [fault for loader in stage.loaders.values() if (fault := _fault(stage, loader)) is not None]:
        if time.monotonic() - began > CONVERGE_SECONDS:
            for fault in wrong:
                stage.tally.offend(f"at the end: {fault}")
            break
        time.sleep(LOOK_SECONDS)
    return time.monotonic() - began


def _fault(stage: Stage, loader: Loader) -> str | None:
    """What is not as it should be of a root and its loader."""
    expected = stage.releases.published(stage.registrations.features)
    try:
        found = tree(loader.root)
    except (AssertionError, OSError) as error:
        return f"{loader.name}: its root cannot be read: {error}"
    different = sorted(
        name for name in expected.keys() | found.keys() if name not in found or found[name] != expected.get(name)
    )
    if different:
        return f"{loader.name}: its root differs in {len(different)} files, the first is {different[0]}"
    return _complaint(stage, loader)


def _complaint(stage: Stage, loader: Loader) -> str | None:
    """What a loader says that is not as it should be."""
    status = loader.status()
    if status is None:
        return f"{loader.name}: it does not answer"
    told = [status["error"], status["registrations"]["error"], *status["registrations"]["problems"]]
    told += [one["error"] for one in status["features"]]
    if any(told):
        return f"{loader.name}: it tells of {next(one for one in told if one)}"
    if {one["featureId"] for one in status["features"]} != stage.registrations.features:
        return f"{loader.name}: it tells of other features than are registered"
    return None if loader.ask("/readyz")[0] == 200 else f"{loader.name}: it is not ready"


def verify(stage: Stage) -> None:
    """The command finds nothing wrong, too."""
    for loader in stage.loaders.values():
        ended = run("verify", "--trust-keys", stage.trust, loader.root)
        stage.tally.checked("feature-loader verify")
        if ended.status != 0:
            stage.tally.offend(f"{loader.name}: verify ends with {ended.status}: {ended.out}{ended.err}")


def growth(loader: Loader) -> tuple[Vitals, Vitals] | None:
    """The vitals of its process when it had settled, and now; None where it is too young."""
    settled = [one for one in loader.vitals if SETTLED[0] <= one.age < SETTLED[1]]
    if not settled or loader.vitals[-1].age < SETTLED[1] + LAST:
        return None
    return _median(settled), _median(loader.vitals[-LAST:])


def judge_growth(stage: Stage) -> None:
    """Of the loader that nothing was done to."""
    found = growth(stage.steady)
    if found is None:
        return
    first, last = found
    for name in ("resident", "threads", "files"):
        if getattr(last, name) - getattr(first, name) > getattr(MAY_GROW, name):
            stage.tally.offend(f"{stage.steady.name}: {name} grew from {getattr(first, name)} to {getattr(last, name)}")


def end_all(stage: Stage, within: float) -> None:
    """SIGTERM for each: L11. `within` are the seconds that it may take."""
    for loader in stage.loaders.values():
        if loader.process is not None:
            loader.end()
    if stage.tally.stops and max(stage.tally.stops) > within:
        stage.tally.offend(f"SIGTERM: the slowest end took {max(stage.tally.stops):.1f} s")


def _median(samples: Sequence[Vitals]) -> Vitals:
    def of(name: str) -> int:
        return int(statistics.median(getattr(one, name) for one in samples))

    return Vitals(samples[-1].age, of("resident"), of("threads"), of("files"))
