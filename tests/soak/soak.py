"""One run from its beginning to its end, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.kubernetes.control_plane import ControlPlane
from tests.soak.end import await_right_state, end_all, growth, judge_growth, verify
from tests.soak.faults import FAULTS, Fault
from tests.soak.loaders import Vitals
from tests.soak.meddling import meddling
from tests.soak.plan import Kind, Step, plan
from tests.soak.play import ACTIONS, Play, looking
from tests.soak.stage import Stage, staged
from tests.soak.tally import Tally

Say = Callable[[str], None]

STOP_SECONDS = 2.0
"""L11."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`converged` are the seconds from the end of the last fault to the right state; `growth` is the steady loader's,
    settled and at the end.
    """

    seed: int
    seconds: float
    tally: Tally
    converged: float
    growth: tuple[Vitals, Vitals] | None

    @property
    def is_right(self) -> bool:
        return not self.tally.offences

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        tally = self.tally
        return {
            "seed": self.seed,
            "seconds": self.seconds,
            "actions": dict(sorted(tally.actions.items())),
            "faults": dict(sorted(tally.faults.items())),
            "leftOut": tally.left_out,
            "checks": dict(sorted(tally.checks.items())),
            "starts": dict(tally.starts),
            "recoveries": [{"after": after, "seconds": round(seconds, 1)} for seconds, after in tally.recoveries],
            "slowestStopSeconds": round(max(tally.stops, default=0.0), 2),
            "convergedSeconds": round(self.converged, 1),
            "steady": None if self.growth is None else [asdict(one) for one in self.growth],
            "offences": tally.offences,
        }


def soak(
    folder: Path,
    control_plane: ControlPlane,
    *,
    seed: int,
    seconds: float,
    say: Say,
    without: Callable[[str], bool] = lambda name: False,
    stop_seconds: float = STOP_SECONDS,
) -> Outcome:
    """Run it in an empty folder; faults that are `without` do not come."""
    tally = Tally()
    with staged(folder, control_plane, seed, tally) as stage:
        faults = {name: fault for name, fault in {**FAULTS, **meddling(stage)}.items() if not without(name)}
        steps = plan(seed, seconds, ACTIONS, {name: _kind(fault) for name, fault in faults.items()})
        say(f"seed {seed}, {seconds:g} s, {len(steps)} steps, {len(faults)} kinds of faults")
        with looking(stage):
            converged = _played(stage, Play(stage, faults), steps, seconds, say)
            grown = growth(stage.steady)
            end_all(stage, stop_seconds)
    return Outcome(seed, seconds, tally, converged, grown)


def _played(stage: Stage, play: Play, steps: Sequence[Step], seconds: float, say: Say) -> float:
    """Start, faults, healing, and the end's checks; how long the right state took to come."""
    for loader in stage.loaders.values():
        loader.start()
    say(f"start: every root was right after {await_right_state(stage):.1f} s")
    began = time.monotonic()
    play.run(steps, seconds, lambda minutes: say(f"{minutes} min: {_so_far(stage.tally)}"))
    say(f"faults: {time.monotonic() - began:.0f} s, {_so_far(stage.tally)}")
    play.heal()
    stage.registrations.mend()
    converged = await_right_state(stage)
    say(f"healed: every root was right after {converged:.1f} s")
    verify(stage)
    judge_growth(stage)
    return converged


def _so_far(tally: Tally) -> str:
    return f"{tally.actions.total()} actions, {tally.faults.total()} faults, {len(tally.offences)} offences"


def _kind(fault: Fault) -> Kind:
    return Kind(fault.weight, fault.shortest, fault.longest)
