"""What happens when: chosen by a seed before anything begins, so that the same seed makes the same choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

GAP = (0.3, 2.0)
"""Seconds between two steps."""
FAULTY = 0.4
"""Of the steps are faults, the others are actions."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How often it comes beside the others of its sort, and how many seconds it lasts."""

    weight: int
    shortest: float = 0.0
    longest: float = 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """At `at` seconds, `name` begins and lasts `seconds`; `rng` is for what it has to choose itself."""

    at: float
    name: str
    seconds: float
    rng: Random


def plan(seed: int, seconds: float, actions: Mapping[str, Kind], faults: Mapping[str, Kind]) -> list[Step]:
    """All steps of a run of so many seconds."""
    rng = Random(seed)
    steps, at = [], 0.0
    while (at := at + rng.uniform(*GAP)) < seconds:
        kinds = faults if rng.random() < FAULTY else actions
        (name,) = rng.choices(list(kinds), [kind.weight for kind in kinds.values()])
        length = rng.uniform(kinds[name].shortest, kinds[name].longest)
        steps.append(Step(at, name, length, Random(rng.getrandbits(64))))
    return steps
