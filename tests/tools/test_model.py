"""The performance model: its document holds what it computes, and its closed form what a simulation shows."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tools.model import comparison, documents, report, sizes, tables
from tools.model.freshness import bound, quantile
from tools.model.load import Setting, asking, bill, break_even, updating
from tools.model.mixture import mixed_updates
from tools.model.prices import LIST, MONTH
from tools.model.simulation import Outcome, Run, simulate

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "PERFORMANCE_MODEL.md"
HOUR = 3_600.0

FEW = Setting(readers=2_000, edges=4)
"""As many readers an edge as in the base case."""

SETTINGS = {
    "30 s": FEW,
    "300 s": replace(FEW, poll=300.0),
    "900 s": replace(FEW, poll=900.0),
    "max-age 5 s": replace(FEW, max_age=5.0),
    "max-age 300 s": replace(FEW, max_age=300.0),
    "no jitter": replace(FEW, jitter=0.0),
    "purge after 10 s": replace(FEW, purge=10.0),
    "a late purge": replace(FEW, purge=120.0),
    "one of 20 features": replace(FEW, remote=False, features=20, carried=20, publishes=20_000),
}


def test_the_document_holds_what_is_computed() -> None:
    held = report.block_of(DOCUMENT.read_text(encoding="utf-8"), report.COMPUTED)
    assert held == report.markdown(tables.closed_form()), "make model ARGS=--write"


def test_the_document_holds_what_is_simulated() -> None:
    """The longest poll intervals only, with all 50,000 readers: the rest takes minutes."""
    held = report.block_of(DOCUMENT.read_text(encoding="utf-8"), report.SIMULATED)
    made = report.markdown([comparison.compare(["900 s"])])
    assert made.splitlines()[-1] in held.splitlines(), "make model ARGS=--write"
    rows = [line.split(" | ")[0].removeprefix("| ") for line in held.split("\n\n")[1].splitlines()[2:]]
    assert rows == list(comparison.SCENARIOS)


def test_what_the_text_says_stands_in_the_tables() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    blocks = "\n".join(report.block_of(text, block) for block in (report.COMPUTED, report.SIMULATED))
    prose = text
    for block in (report.COMPUTED, report.SIMULATED):
        prose = report.with_block(prose, block, "")
    said = re.findall(r"\$([\d,.]*\d)|([\d,.]*\d) (?:billion|TB|s\b|%)", prose)
    figures = {"".join(found) for found in said}
    assert figures
    held = set(re.findall(r"[\d,.]*\d", blocks))
    assert figures <= held


@pytest.mark.parametrize(
    ("stated", "made"),
    [
        *((size, documents.remote_index(count)) for count, size in sizes.REMOTE_INDEX.items()),
        (sizes.RELEASE_INDEX, documents.release_index()),
        (sizes.SMALL_UPDATE.manifest, documents.manifest(40)),
        (sizes.LARGE_UPDATE.manifest, documents.manifest(2_000)),
    ],
    ids=[*(f"remote index of {count}" for count in sizes.REMOTE_INDEX), "releases", "manifest", "large manifest"],
)
def test_the_sizes_stated_are_those_of_real_documents(stated: sizes.Size, made: bytes) -> None:
    size = documents.measured(made)
    assert size.plain == stated.plain
    assert size.gzip == pytest.approx(stated.gzip, rel=0.03)  # another zlib packs a little otherwise


def test_the_heads_stated_are_those_of_real_answers() -> None:
    assert documents.heads() == (sizes.HEAD_304, sizes.HEAD_200)


@pytest.fixture(scope="module", params=SETTINGS)
def simulated(request: pytest.FixtureRequest) -> tuple[Setting, Outcome]:
    setting = SETTINGS[request.param]
    return setting, simulate(setting, Run(6 * HOUR))


def test_the_closed_form_holds_against_the_simulation(simulated: tuple[Setting, Outcome]) -> None:
    lines = comparison.lines(*simulated)
    assert lines["edge requests/s"].off == pytest.approx(0, abs=0.01)
    assert lines["changed"].off == pytest.approx(0, abs=0.06)
    assert lines["origin requests/s"].off == pytest.approx(0, abs=0.04)
    assert lines["p50"].off == pytest.approx(0, abs=0.05)
    assert lines["p99"].off == pytest.approx(0, abs=0.03)


def test_no_reader_is_later_than_max_age_and_one_poll(simulated: tuple[Setting, Outcome]) -> None:
    setting, outcome = simulated
    assert outcome.late
    assert outcome.latest <= bound(setting)
    assert outcome.latest > 0.9 * bound(setting)


def test_edges_ask_the_origin_at_most_once_in_max_age() -> None:
    outcome = simulate(FEW, Run(HOUR))
    assert outcome.origin_requests <= FEW.edges * (HOUR / FEW.max_age + 1)


def test_no_reader_goes_back_when_another_edge_offers_an_older_index() -> None:
    outcome = simulate(replace(FEW, max_age=300.0), Run(HOUR, wandering=0.1))
    assert outcome.refused > 0
    assert outcome.went_back == 0


def test_a_reader_never_holds_features_of_two_moments() -> None:
    """I2; and it would, if the remote index named what changes."""
    run = Run(3 * HOUR)
    assert mixed_updates(comparison.FEW_FEATURES, run, is_pinned=True).mixed == 0
    assert mixed_updates(comparison.FEW_FEATURES, run, is_pinned=False).mixed > 0


def test_purges_that_reach_some_edges_only_leave_the_bound_as_it_is() -> None:
    setting = replace(FEW, purge=10.0, reach=0.5)
    outcome = simulate(setting, Run(HOUR))
    assert bound(setting) == bound(FEW)
    assert bound(replace(FEW, purge=10.0)) < outcome.latest <= bound(setting)


def test_the_same_seed_gives_the_same_run() -> None:
    assert simulate(FEW, Run(HOUR / 4)) == simulate(FEW, Run(HOUR / 4))
    assert simulate(FEW, Run(HOUR / 4)) != simulate(FEW, Run(HOUR / 4, seed=2))


def test_jitter_spreads_readers_that_started_together() -> None:
    together = Run(20 * 60, starting=1.0)
    outcomes = {jitter: simulate(replace(FEW, jitter=jitter), together) for jitter in (0.0, 0.1)}
    peaks = {
        jitter: max(outcome.polls_in_second.get(second, 0) for second in range(1_140, 1_200))
        for jitter, outcome in outcomes.items()
    }
    assert peaks[0.0] == FEW.readers
    assert peaks[0.1] < FEW.readers / 10


def test_polling_every_30_seconds_is_4_4_billion_requests_a_month() -> None:
    setting = Setting(publishes=1e-9)
    assert asking(setting).edge_requests * MONTH == pytest.approx(4.38e9, rel=1e-3)
    assert bill(asking(setting)).requests == pytest.approx(3_942, rel=1e-3)


def test_without_a_remote_index_each_feature_is_asked_for() -> None:
    remote, each = asking(Setting(publishes=1e-9)), asking(Setting(publishes=1e-9, remote=False))
    assert each.edge_requests == pytest.approx(100 * remote.edge_requests)
    assert each.origin_requests == pytest.approx(100 * remote.origin_requests)


def test_updates_cost_the_same_at_any_poll_interval_and_with_any_index() -> None:
    settings = [Setting(poll=poll, remote=remote) for poll in tables.POLLS for remote in (True, False)]
    assert len({updating(setting, sizes.SMALL_UPDATE) for setting in settings}) == 1


@pytest.mark.parametrize("features", sizes.REMOTE_INDEX)
def test_the_break_even_is_where_one_becomes_cheaper(features: int) -> None:
    setting = Setting(features=features, poll=300.0)
    at = break_even(setting)

    def costs(remote: bool, carried: int) -> float:
        return bill(asking(replace(setting, remote=remote, carried=carried)), LIST).total

    assert costs(True, at) < costs(False, at)
    assert costs(True, at - 1) >= costs(False, at - 1)


def test_quantiles_rise_to_the_bound() -> None:
    found = [quantile(Setting(), share) for share in (0.1, 0.5, 0.9, 0.99, 1.0)]
    assert found == sorted(found)
    assert found[-1] == pytest.approx(bound(Setting()), rel=0.02)


def test_a_block_without_marks_is_an_error() -> None:
    with pytest.raises(ValueError, match="no place"):
        report.with_block("# No marks", report.COMPUTED, "tables")
