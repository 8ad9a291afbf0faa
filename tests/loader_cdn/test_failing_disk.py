"""A disk that is full, read-only or forbidden, and the order in which things reach it (L4, L8, T31, T32).

The faults are injected into the system calls of the unchanged command, by strace.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.loader_cdn.command import end, run, start, sync_arguments
from tests.publisher.world import FEATURE
from tests.simulator.environment import Delivery

FILES = {"index.js": b"1", "assets/chunk.js": b"2"}
CHANGED = {"index.js": b"3", "assets/chunk.js": b"4"}


@pytest.fixture
def updated(site: Delivery) -> Delivery:
    """Version 1.0.0 stands, 1.1.0 is published."""
    site.world.clock.now = datetime.now(UTC)
    site.publish("1.0.0", files=FILES)
    site.sync()
    site.publish("1.1.0", files=CHANGED)
    return site


@pytest.mark.parametrize("error", ["ENOSPC", "EDQUOT", "EROFS", "EACCES"])
@pytest.mark.parametrize("call", ["mkdir", "rename", "fsync", "writev"])
def test_a_disk_that_refuses_keeps_what_stands_and_recovers_by_itself(
    updated: Delivery, require: Callable[[str], Path], call: str, error: str
) -> None:
    """T32."""
    old = updated.tree()
    calls = f"/^{call}(at|at2)?$"
    ended = end(start(*sync_arguments(updated), before=[*_strace(require), *_inject(calls, f"error={error}")]))

    row = ended.json["features"][0]
    told = row["error"] or ended.json["error"]
    assert (ended.status, row["result"], told["code"]) == (1, "kept", "storage_full"), ended
    assert str(updated.root / ".loader") in told["message"]
    assert updated.tree() == old
    assert run(*sync_arguments(updated)).status == 0
    assert updated.tree() == updated.published("1.0.0", "1.1.0")


def test_a_write_that_the_disk_lost_publishes_nothing(updated: Delivery, require: Callable[[str], Path]) -> None:
    """L4, T31."""
    old = updated.tree()
    files = {f"assets/{name}.js": bytes([name]) * 1024 * 1024 for name in range(40)}
    updated.publish("1.2.0", files={"index.js": b"5", **files})

    fault = _inject("syncfs", "error=EIO")
    ended = end(start(*sync_arguments(updated), before=[*_strace(require), *fault]))

    row = ended.json["features"][0]
    assert (ended.status, row["result"], row["error"]["code"]) == (1, "kept", "storage_full"), ended
    assert updated.tree() == old
    assert run(*sync_arguments(updated)).status == 0
    assert updated.tree() == updated.published("1.0.0", "1.1.0", "1.2.0")


@pytest.mark.parametrize("path", ["releases.json", "1.0.0", "1.0.0/manifest.json", "1.0.0/index.js"])
def test_what_cannot_be_read_for_want_of_descriptors_is_not_taken_for_wrong(
    updated: Delivery, require: Callable[[str], Path], path: str
) -> None:
    """L8: what stands is left alone, though the source is away and could not bring it again."""
    old = updated.tree()
    updated.cdn.switches.offline = True
    faults = [*_inject("openat", "error=EMFILE"), "-P", updated.root / FEATURE / path]
    ended = end(start(*sync_arguments(updated), before=[*_strace(require), *faults]))
    row = ended.json["features"][0]
    assert (ended.status, row["error"]["code"]) == (1, "storage_full"), ended
    assert updated.tree() == old
    updated.cdn.heal()
    assert run(*sync_arguments(updated)).status == 0
    assert updated.tree() == updated.published("1.0.0", "1.1.0")


def test_a_root_that_cannot_be_written_at_the_start_is_a_wrong_setting(
    updated: Delivery, require: Callable[[str], Path]
) -> None:
    """T32."""
    old = updated.tree()
    for error in ("EACCES", "EROFS"):
        faults = [*_inject("utimensat,openat", f"error={error}"), "-P", updated.root / ".loader/lock"]
        ended = end(start(*sync_arguments(updated), before=[*_strace(require), *faults]))
        assert ended.status == 2, ended
        assert str(updated.root) in ended.json["error"]["message"]
    assert updated.tree() == old


def test_all_of_a_version_is_on_disk_before_it_appears_and_the_version_before_its_index(
    updated: Delivery, require: Callable[[str], Path], tmp_path: Path
) -> None:
    """L4, T31."""
    log = tmp_path / "calls"
    trace: list[str | Path] = [*_strace(require, log), "-y", "-s", "4096", "-e", "trace=rename,fsync"]
    ended = end(start(*sync_arguments(updated), before=trace))
    assert ended.status == 0

    calls = [_call(line) for line in log.read_text().splitlines()]
    feature = str(updated.root / FEATURE)
    version, index = (_moved_to(calls, f"{feature}/{name}") for name in ("1.1.0", "releases.json"))
    staged = calls[version][1][0]
    synced = {paths[0] for name, paths in calls[:version] if name == "fsync"}
    for path in ("", "/manifest.json", "/index.js", "/assets", "/assets/chunk.js"):
        assert staged + path in synced, path
    placed = [n for n, (name, paths) in enumerate(calls) if name == "rename" and paths[-1].startswith(staged)]
    assert all(n < version for n in placed)
    assert calls[index][1][0] in synced, "the new index itself"
    between = [paths[0] for name, paths in calls[version:index] if name == "fsync"]
    after = [paths[0] for name, paths in calls[index:] if name == "fsync"]
    assert {feature, str(updated.root)} <= set(between)
    assert feature in after
    remembered, brought = (_moved_to(calls, updated.root / ".loader" / name) for name in ("state.json", "brought.json"))
    durable = next(n for n in range(index, len(calls)) if calls[n] == ("fsync", [feature]))
    assert durable < remembered, "what is remembered as accepted is on disk already (L7)"
    assert brought < version, "what appears is known as the loader's own (L15)"


Call = tuple[str, list[str]]


def _moved_to(calls: list[Call], path: str | Path) -> int:
    """When something was renamed to this path."""
    return next(n for n, (name, paths) in enumerate(calls) if name == "rename" and paths[-1] == str(path))


def _strace(require: Callable[[str], Path], log: Path | str = "/dev/null") -> list[str | Path]:
    return [require("strace"), "-f", "-qq", "-o", log]


def _inject(calls: str, what: str) -> list[str | Path]:
    return ["-e", f"trace={calls}", "-e", f"inject={calls}:{what}"]


def _call(line: str) -> Call:
    """A call's name and its paths: arguments, or what its descriptor is open on."""
    match = re.match(r"\d+\s+(\w+)\((.*)\)\s+=", line)
    assert match is not None, line
    return match[1], re.findall(r'"([^"]*)"', match[2]) or re.findall(r"<([^>]*)>", match[2])
