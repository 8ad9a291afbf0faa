"""The closed form beside the simulation: the same setting, the same quantities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context

from tools.model.freshness import bound, quantile
from tools.model.load import Setting, refreshes, seen_changed
from tools.model.mixture import mixed_updates
from tools.model.simulation import Outcome, Run, simulate
from tools.model.tables import Table

HOUR = 3_600.0
_FRESH = Setting(purge=10.0)
_FEW = Setting(readers=2_000, edges=4)
FEW_FEATURES = replace(_FEW, features=5, carried=5)
_EACH = Setting(remote=False, features=20, carried=20, poll=900.0)

SCENARIOS: Mapping[str, tuple[Setting, Run]] = {
    "30 s": (Setting(), Run(HOUR)),
    "30 s, every tenth poll at another edge": (Setting(), Run(HOUR, wandering=0.1)),
    "30 s, purge after 10 s": (_FRESH, Run(HOUR)),
    "30 s, purge reaches half of the edges": (replace(_FRESH, reach=0.5), Run(HOUR)),
    "30 s, max-age 300 s": (Setting(max_age=300.0), Run(HOUR)),
    "the same, every tenth poll at another edge": (Setting(max_age=300.0), Run(HOUR, wandering=0.1)),
    "300 s": (Setting(poll=300.0), Run(3 * HOUR)),
    "900 s": (Setting(poll=900.0), Run(3 * HOUR)),
    "900 s, without a remote index: one of 20 features": (_EACH, Run(24 * HOUR)),
    "30 s, only 2,000 readers on 4 edges, for a day": (_FEW, Run(24 * HOUR)),
}
"""The pointer is the remote index, but for one; nothing is purged where no purge is named."""

STARTS: Mapping[str, tuple[Setting, Run]] = {
    "none": (Setting(jitter=0.0), Run(HOUR / 3, starting=1.0)),
    "± 10 %": (Setting(), Run(HOUR / 3, starting=1.0)),
}
"""All pods start within one second, as after an outage."""


@dataclass(frozen=True, slots=True)
class Line:
    """One quantity, computed and simulated."""

    computed: float
    simulated: float

    @property
    def off(self) -> float:
        """How far the closed form is from the simulation, as a share of that."""
        return self.computed / self.simulated - 1


def lines(setting: Setting, outcome: Outcome) -> dict[str, Line]:
    """Each quantity twice. The closed form is told how many commits there happened to be: their number is chance."""
    share = outcome.commits / outcome.seconds / setting.rate
    seen = replace(setting, publishes=setting.publishes * share)
    answers = outcome.polls
    return {
        "edge requests/s": Line(setting.readers / setting.poll, answers / outcome.seconds),
        "changed": Line(seen_changed(seen, seen.rate), (outcome.changed + outcome.refused) / answers),
        "origin requests/s": Line(refreshes(seen).total, outcome.origin_requests / outcome.seconds),
        "p50": Line(quantile(setting, 0.5), outcome.lateness(0.5)),
        "p99": Line(quantile(setting, 0.99), outcome.lateness(0.99)),
    }


def compare(names: Iterable[str] = SCENARIOS) -> Table:
    """Run these scenarios, on all cores."""
    columns = (
        "readers poll every", "hours", "commits", "edge requests/s", "polls that find a change", "origin requests/s",
        "p50 s", "p99 s", "latest s", "bound s", "older index offered", "went back",
    )  # fmt: skip
    chosen = {name: SCENARIOS[name] for name in names}
    rows = [
        _row(name, setting, run, outcome)
        for (name, (setting, run)), outcome in zip(chosen.items(), _outcomes(chosen), strict=True)
    ]
    title = "Closed form / simulation of 50,000 readers, and how far apart"
    return Table(title, columns, tuple(rows))


def compare_starts() -> Table:
    """The largest number of requests in one second, after all pods started within one."""
    columns = ("jitter", "in the first minute", "in the fifth", "in the twentieth")
    rows = []
    for name, outcome in zip(STARTS, _outcomes(STARTS), strict=True):
        peaks = (_peak(outcome, start, start + 60) for start in (0, 240, 1_140))
        rows.append((name, *(f"{peak:,}" for peak in peaks)))
    return Table("Most edge requests in one second, poll 30 s, when all start at once", columns, tuple(rows))


def compare_pinning() -> Table:
    """I2: what the remote index names does not change any more."""
    columns = ("the remote index names", "updates of readers", "of them with features of another moment")
    rows = []
    for name, is_pinned in (("`releases.<n>.json`, as it does", True), ("`releases.json`", False)):
        found = mixed_updates(FEW_FEATURES, Run(6 * HOUR), is_pinned=is_pinned)
        rows.append((name, f"{found.updates:,}", f"{found.mixed:,}"))
    return Table("2,000 readers of 5 features on 4 edges, for 6 hours", columns, tuple(rows))


def _outcomes(scenarios: Mapping[str, tuple[Setting, Run]]) -> list[Outcome]:
    settings, runs = zip(*scenarios.values(), strict=True)
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        return list(pool.map(simulate, settings, runs))


def _row(name: str, setting: Setting, run: Run, outcome: Outcome) -> tuple[str, ...]:
    both = lines(setting, outcome)
    return (
        name,
        f"{run.seconds / HOUR:.0f}",
        f"{outcome.commits}",
        _both(both["edge requests/s"], ",.1f"),
        _both(both["changed"], ".1%"),
        _both(both["origin requests/s"], ",.2f"),
        _both(both["p50"], ".1f"),
        _both(both["p99"], ".1f"),
        f"{outcome.latest:.1f}",
        f"{bound(setting):.1f}",
        f"{outcome.refused:,}",
        f"{outcome.went_back}",
    )


def _both(line: Line, form: str) -> str:
    text = f"{line.computed:{form}} / {line.simulated:{form}} ({line.off:+.1%})"
    return text.replace("%", " %")


def _peak(outcome: Outcome, start: int, end: int) -> int:
    return max(outcome.polls_in_second.get(second, 0) for second in range(start, end))
