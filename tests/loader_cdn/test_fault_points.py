"""A disk that refuses, at every file-system call that changes or syncs something (L4, L8, T32)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.loader_cdn.command import Ended, end, start, sync_arguments
from tests.loader_cdn.scenarios import SCENARIOS, UNFINISHED, Scenario, update
from tests.loader_cdn.sidecar import await_update, sidecar
from tests.loader_cdn.system_calls import Call, calls, failing, from_here_on, tracing, was_hit
from tests.simulator.environment import Delivery

SEVERAL = ("mkdir", "rename", "link", "writev", "fsync", "syncfs", "utimensat")
"""What fails "from here on". Not `openat`, which reads too, nor `write`, which also writes the report."""
UNUSABLE = ("EACCES", "EROFS")
"""What makes a root a wrong setting, where it is met at the start."""
ALL = os.environ.get("FAULT_POINTS") == "all"
"""Every error at every call; otherwise one that comes once and one that stays at each call, in turn."""

Fault = tuple[str, bool]
"""An error, and whether it stays."""
ONCE: tuple[Fault, ...] = (("ENOSPC", False), ("EIO", False))
STAYING: tuple[Fault, ...] = (("ENOSPC", True), ("EIO", True), ("EROFS", True), ("EACCES", True))
RARE: tuple[Fault, ...] = (("EMFILE", False), ("EACCES", False), ("EROFS", False), ("EDQUOT", False))


def faults(points: list[Call]) -> Iterator[tuple[Call, Fault]]:
    """At each call each error, or, in turn, one of those that come once and one of those that stay."""
    for number, point in enumerate(points):
        staying = STAYING if point.name in SEVERAL else ()
        if ALL:
            yield from ((point, fault) for fault in (*ONCE, *RARE, *staying))
            continue
        once = (*ONCE, *ONCE, *RARE)
        yield point, once[number % len(once)]
        if staying:
            yield point, staying[number % len(staying)]


def arguments(made: list[Call], point: Call, fault: Fault) -> dict[str, str]:
    """What `failing` takes."""
    error, stays = fault
    if not stays:
        return {point.name: f"error={error}:when={point.number}"}
    return {name: f"error={error}:when={first}+" for name, first in from_here_on(made, point, SEVERAL).items()}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_fault_at_any_call_of_a_sync_leaves_old_or_new_is_told_and_the_next_run_ends_clean(
    site: Delivery,
    require: Callable[[str], Path],
    tmp_path: Path,
    name: str,
) -> None:
    strace = require("strace")
    scenario = SCENARIOS[name](site, tmp_path / "template")
    scenario.restart()
    assert end(start(*sync_arguments(site), before=tracing(strace, tmp_path / "calls"))).status == 0
    made = calls(tmp_path / "calls", site.root)
    tried, log = list(faults(made)), tmp_path / "faults"
    for point, fault in tried:
        scenario.restart()
        ended = end(start(*sync_arguments(site), before=failing(strace, log, **arguments(made, point, fault))))
        where = f"{fault} {point} {ended}"
        assert was_hit(log), where
        assert scenario.fault(scenario.view()) == "", where
        assert_told(scenario, ended, fault, where)
        scenario.assert_ended_clean(*UNFINISHED)
    print(f"{len(tried)} points")


def assert_told(scenario: Scenario, ended: Ended, fault: Fault, where: str) -> None:
    """All is done, or what is not is said."""
    if ended.status == 0:
        assert scenario.view() == scenario.new, where
        return
    errors = [error for error in (ended.json["error"], *(row["error"] for row in ended.json["features"])) if error]
    codes = {error["code"] for error in errors}
    is_opening = fault[0] in UNUSABLE and codes == {"configuration_invalid"}  # nothing was begun
    assert (ended.status, codes) == ((2, codes) if is_opening else (1, {"storage_full"})), where


@pytest.mark.timeout(400)
def test_a_fault_ends_no_watch_and_when_it_is_over_the_update_comes_by_itself(
    site: Delivery, require: Callable[[str], Path], tmp_path: Path
) -> None:
    strace = require("strace")
    scenario = update(site, tmp_path / "template")
    ready = tmp_path / "ready"
    with sidecar(scenario, ready, tracing(strace, tmp_path / "calls")) as process:
        await_update(scenario, process)
    log = tmp_path / "faults"
    made = calls(tmp_path / "calls", site.root)
    begun = made[next(n for n, call in enumerate(made) if "/staging/" in call.paths[0]) :]
    points = [call for call in begun if call.name != "openat"][:: 1 if ALL else 5]  # which reads too
    for number, point in enumerate(points):
        error = ("ENOSPC", "EIO")[number % 2]
        fault = {point.name: f"error={error}:when={point.number}..{point.number + 1}"}
        with sidecar(scenario, ready, failing(strace, log, **fault)) as process:
            await_update(scenario, process)
        assert process.returncode == 0, point
        assert was_hit(log), point
        assert scenario.fault(scenario.view()) == "", point
        scenario.assert_ended_clean(*UNFINISHED)
    print(f"{len(points)} points")
