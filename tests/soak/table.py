"""What came of a run, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.soak.loaders import Vitals
from tests.soak.soak import Outcome


def lines(outcome: Outcome) -> Iterator[str]:
    """The summary, and at its end whether all was right."""
    tally = outcome.tally
    for title, counted in (("actions", tally.actions), ("faults", tally.faults), ("starts", tally.starts)):
        yield from _counted(title, counted)
    yield from _counted("checks", tally.checks)
    yield from (f"left out: {what}" for what in tally.left_out)
    longest = max(tally.recoveries, default=(0.0, "nothing"))
    yield f"API faults recovered from: {len(tally.recoveries)}; the longest took {longest[0]:.1f} s, after {longest[1]}"
    yield f"slowest of {len(tally.stops)} ends by SIGTERM: {max(tally.stops, default=0.0):.2f} s"
    yield f"right state after the last fault: {outcome.converged:.1f} s"
    if outcome.growth is not None:
        first, last = outcome.growth
        yield f"steady loader after a minute: {_vitals(first)}; at {last.age:.0f} s: {_vitals(last)}"
    yield from (f"NOT RIGHT: {offence}" for offence in tally.offences)
    yield f"seed {outcome.seed}: {'all was right' if outcome.is_right else f'{len(tally.offences)} things were not'}"


def _counted(title: str, counted: Counter[str]) -> Iterator[str]:
    yield f"{title}: {counted.total()}"
    yield from (f"  {count:6}  {name}" for name, count in sorted(counted.items()))


def _vitals(one: Vitals) -> str:
    return f"{one.resident / 2**20:.1f} MiB, {one.threads} threads, {one.files} open files"
