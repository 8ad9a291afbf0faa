"""SIGKILL at every file-system call that changes or syncs something (L4, T30)."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.loader_cdn.command import end, start, sync_arguments
from tests.loader_cdn.scenarios import INDEX, SCENARIOS, Scenario, update
from tests.loader_cdn.sidecar import await_update, sidecar
from tests.loader_cdn.system_calls import Call, calls, killing, tracing
from tests.simulator.environment import Delivery


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_kill_at_any_call_of_a_sync_leaves_old_or_new_and_the_next_run_ends_clean(
    site: Delivery, require: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    strace = require("strace")
    scenario = SCENARIOS[name](site, tmp_path / "template")
    scenario.restart()
    assert end(start(*sync_arguments(site), before=tracing(strace, tmp_path / "calls"))).status == 0
    points = [call for call in calls(tmp_path / "calls", site.root) if call.is_done]
    assert {"openat", "write", "mkdir", "rename", "fsync"} <= {call.name for call in points}
    for point in points:
        scenario.restart()
        ended = end(start(*sync_arguments(site), before=killing(strace, point)))
        assert ended.status == -signal.SIGKILL, (point, ended)
        assert_old_or_new(scenario, point)
        scenario.assert_ended_clean()
    print(f"{len(points)} points")


@pytest.mark.timeout(400)
def test_a_kill_at_any_call_of_an_update_by_watch_leaves_old_or_new_and_the_next_run_ends_clean(
    site: Delivery, require: Callable[[str], Path], tmp_path: Path
) -> None:
    """From the moment on that all is staged: the swap, and what is tidied up behind it."""
    strace = require("strace")
    scenario = update(site, tmp_path / "template")
    ready = tmp_path / "ready"
    with sidecar(scenario, ready, tracing(strace, tmp_path / "calls")) as process:
        await_update(scenario, process)
    made = [call for call in calls(tmp_path / "calls", site.root) if call.is_done]
    points = made[next(n for n, call in enumerate(made) if call.paths[0].endswith("staging/" + INDEX)) :]
    for point in points:
        with sidecar(scenario, ready, killing(strace, point)) as process:
            assert process.wait(60) == -signal.SIGKILL, point
        assert_old_or_new(scenario, point)
        scenario.assert_ended_clean()
    print(f"{len(points)} points")


def assert_old_or_new(scenario: Scenario, point: Call) -> None:
    """What a reader finds now, and what `verify` says of it."""
    assert scenario.fault(scenario.view()) == "", point
    scenario.assert_verified()
