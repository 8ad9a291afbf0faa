"""Kills, signals, readers and second loaders in the middle of it (L4, L11, T30, T33, T35)."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from artifact.errors import Code
from loader_cdn.report import Result
from tests.loader_cdn.command import end, run, start, sync_arguments
from tests.loader_cdn.reading import reading
from tests.publisher.world import FEATURE
from tests.simulator.environment import Delivery

OTHER = "feature-lab-results"
FILES = {f"assets/chunk-{number}.js": b"%d" % number for number in range(12)} | {"index.js": b"first\n"}
CHANGED = {**{path: data + b" changed" for path, data in FILES.items()}, "assets/more.js": b"more"}


@pytest.fixture
def updated(site: Delivery) -> Delivery:
    """Version 1.0.0 of two features stands, 1.1.0 of both is published."""
    site.world.clock.now = datetime.now(UTC)
    for feature_id in (FEATURE, OTHER):
        site.publish("1.0.0", feature_id, files=FILES)
    site.sync()
    site.publish("1.1.0", files=CHANGED)
    site.publish("1.1.0", OTHER, files={**CHANGED, "assets/more.js": b"of its own"})
    return site


@pytest.mark.parametrize("number", [1, 2, 4, 6, 9, 15, 29])
def test_a_kill_while_it_fetches_leaves_the_old_state_and_the_next_run_goes_on(updated: Delivery, number: int) -> None:
    """T30: what was staged and is right is not fetched again."""
    old = updated.tree()
    killed = threading.Event()
    process: list[subprocess.Popen[str]] = []

    def kill(seen: int, path: str) -> None:
        if seen >= number and not killed.is_set():
            killed.set()
            process[0].kill()

    before = len(updated.cdn.log)
    updated.cdn.on_request = lambda seen, path: kill(seen - before, path)
    process.append(start(*sync_arguments(updated)))
    assert end(process[0]).status == -signal.SIGKILL
    assert updated.tree() == old
    staged = _staged(updated.root)

    with updated.cdn.watched() as asked:
        ended = run(*sync_arguments(updated))

    assert ended.status == 0, ended.err
    assert updated.tree() == _published(updated)
    fetched = {request.path for request in asked}
    assert not fetched & staged, "what was staged is fetched again"


def _staged(root: Path) -> set[str]:
    """Complete files in staging, by object name."""
    found = set()
    for path in (root / ".loader/staging").rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            feature_id, version, *rest = path.relative_to(root / ".loader/staging").parts
            found.add("/".join([feature_id, version.partition("@")[0], *rest]))
    return found


def _published(site: Delivery) -> dict[str, bytes]:
    return site.published("1.0.0", "1.1.0") | site.published("1.0.0", "1.1.0", feature_id=OTHER)


def test_a_reader_never_misses_a_file_of_a_listed_version(site: Delivery) -> None:
    """T33."""
    site.publish("1.0.0", files=FILES)
    site.sync()
    with reading(site.root / FEATURE) as reads:
        for number in range(1, 9):
            site.publish(f"1.{number}.0", files={**FILES, "index.js": b"%d" % number})
            assert site.row().result is Result.UPDATED
    assert reads.faults == []
    assert reads.rounds > 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_and_what_is_staged_is_kept(updated: Delivery, number: signal.Signals) -> None:
    """L11."""
    old = updated.tree()
    held = f"{OTHER}/1.1.0/assets/more.js"
    reached = threading.Event()
    updated.cdn.on_request = lambda seen, path: reached.set() if path == held else None
    gate = updated.cdn.hold(held)

    process = start(*sync_arguments(updated))
    assert reached.wait(30)
    process.send_signal(number)
    ended = end(process)
    gate.set()

    assert ended.status == 1
    assert ended.json["error"]["rule"] == "L11"
    found = updated.tree()
    assert found in (old, old | updated.published("1.0.0", "1.1.0")), "one feature may have been complete"
    updated.cdn.heal()
    with updated.cdn.watched() as asked:
        assert run(*sync_arguments(updated)).status == 0
    assert held in {request.path for request in asked}
    assert updated.tree() == _published(updated)


@contextmanager
def _another_loader(root: Path) -> Iterator[Callable[[], None]]:
    """Holds the root's lock until it is told, or to the end of the block."""
    (root / ".loader").mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root / ".loader/lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield lambda: fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def test_a_second_loader_leaves_with_a_message_at_its_time_limit(site: Delivery) -> None:
    """T35, L11."""
    site.publish("1.0.0")
    with _another_loader(site.root):
        report = site.sync(timeout=0.2)
    assert report.error is not None
    assert report.error.code is Code.CONFLICT
    assert "another loader works on this root" in report.error.message
    assert report.exit_status() == 1
    assert site.tree() == {}


def test_a_second_loader_waits_for_the_first(site: Delivery) -> None:
    """T35, L11: and says so."""
    site.publish("1.0.0")
    with _another_loader(site.root) as release:
        process = start(*sync_arguments(site))
        assert process.stderr is not None
        assert "another loader works on this root: waiting" in process.stderr.readline()
        release()
        assert end(process).status == 0
    assert site.tree() == site.published("1.0.0")


def test_a_time_limit_ends_the_pass_and_what_is_complete_stands(updated: Delivery) -> None:
    """L10: the one that is missing is reported."""
    gate = updated.cdn.hold(f"{OTHER}/1.1.0/assets/more.js")
    report = updated.sync(timeout=4.0)
    gate.set()
    assert {row.feature_id: row.result for row in report.rows} == {FEATURE: Result.UPDATED, OTHER: Result.KEPT}
    assert (report.exit_status(), report.exit_status(allow_missing=True)) == (1, 0)
    assert updated.tree(FEATURE) == updated.published("1.0.0", "1.1.0")
