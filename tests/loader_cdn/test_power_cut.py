"""A power cut at any moment of a run: what was not synced is lost, or is not (L4, T31). The model is `power_cut`'s."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from loader_cdn.layout import WORK
from loader_cdn.report import Result
from tests.loader_cdn.command import end, start, sync_arguments
from tests.loader_cdn.power_cut import Content, cuts, materialise
from tests.loader_cdn.scenarios import INDEX, SCENARIOS, UNFINISHED, Scenario, update
from tests.loader_cdn.system_calls import Call, calls, tracing
from tests.publisher.world import FEATURE
from tests.simulator.environment import Delivery

SAMPLES = 12
"""Random mixtures at each cut."""


def traced(scenario: Scenario, strace: Path, log: Path) -> list[Call]:
    """What a run of this scenario does; the root is as before again."""
    scenario.restart()
    assert end(start(*sync_arguments(scenario.site), before=tracing(strace, log))).status == 0
    made = [call for call in calls(log, scenario.site.root) if call.is_done]
    scenario.restart()
    return made


def seen(content: Content) -> dict[str, bytes]:
    """What a host sees of it."""
    return {path: data for path, data in content.items() if data is not None and not path.startswith(f"{WORK}/")}


def distinct(states: Iterable[tuple[str, Content]]) -> dict[frozenset[tuple[str, bytes | None]], str]:
    """States, and where the first like it was met."""
    found: dict[frozenset[tuple[str, bytes | None]], str] = {}
    for where, content in states:
        found.setdefault(frozenset(content.items()), where)
    return found


def in_order(state: frozenset[tuple[str, bytes | None]]) -> Content:
    """Folders before what is in them."""
    return dict(sorted(state, key=lambda item: item[0]))


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", SCENARIOS)
def test_after_a_cut_a_reader_sees_old_or_new_and_the_next_run_ends_clean(
    site: Delivery,
    require: Callable[[str], Path],
    tmp_path: Path,
    name: str,
) -> None:
    scenario = SCENARIOS[name](site, tmp_path / "template")
    made = traced(scenario, require("strace"), tmp_path / "calls")
    states = distinct(cuts(site.root, made, SAMPLES))
    for state, where in states.items():
        content = in_order(state)
        assert scenario.fault(seen(content)) == "", where
        shutil.rmtree(site.root, ignore_errors=True)
        materialise(content, site.root)
        scenario.assert_verified()
        scenario.assert_ended_clean(*UNFINISHED)
    print(f"{len(states)} states of the disk after a cut at {len(made) + 1} moments")


def test_after_a_cut_what_stands_is_kept_though_the_source_is_away(
    site: Delivery, require: Callable[[str], Path], tmp_path: Path
) -> None:
    """L8: nothing is remembered that the disk does not have (L7)."""
    scenario = update(site, tmp_path / "template")
    made = traced(scenario, require("strace"), tmp_path / "calls")
    site.cdn.switches.offline = True
    for state, where in distinct(cuts(site.root, made, 0)).items():
        shutil.rmtree(site.root)
        materialise(in_order(state), site.root)
        before = site.tree()
        row = site.row()
        assert row.result is Result.KEPT, where
        assert site.tree()[INDEX] == before[INDEX], where
        assert scenario.fault(site.tree()) == "", where


def test_each_sync_of_what_appears_or_leaves_is_needed(
    site: Delivery, require: Callable[[str], Path], tmp_path: Path
) -> None:
    """Where one call less was made, the model finds a state that no reader may see. It finds none for the others: they
    keep the loader's own memory, and what a later sync of the same folder would keep.
    """
    scenario = update(site, tmp_path / "template")
    made = traced(scenario, require("strace"), tmp_path / "calls")
    needed = []
    for number, call in enumerate(made):
        without = [*made[:number], *made[number + 1 :]]
        if call.name == "fsync" and any(scenario.fault(seen(state)) for _, state in cuts(site.root, without, SAMPLES)):
            needed.append(re.sub("@[0-9a-f]{64}", "", str(Path(call.paths[0]).relative_to(site.root))))
    staged = f"{WORK}/staging/{FEATURE}"
    assert needed == [
        f"{staged}/releases.json",
        f"{staged}/1.2.0/manifest.json",
        f"{staged}/1.2.0",
        f"{staged}/1.2.0/index.js",
        f"{staged}/1.2.0/assets",
        FEATURE,  # after the versions
        FEATURE,  # after the index
        FEATURE,  # after the withdrawn version has left
    ]
