"""T33: what others see while a real `watch` updates: a reader without pause, the kernel, and a host's file watcher."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from artifact.releases import POINTER
from tests.loader_cdn.inotify import Event, Watcher
from tests.loader_cdn.reading import faults_of, is_whole, reading
from tests.loader_cdn.sidecar import Process, await_, watching
from tests.publisher.world import FEATURE
from tests.reference_host import node
from tests.simulator.environment import Delivery, delivery

FILES = {f"assets/chunk-{number}.js": b"%d" % number for number in range(20)} | {"index.js": b"first\n"}
INDEX = f"{FEATURE}/{POINTER}"


@dataclass
class Updates:
    """What a publisher does, and what a `watch` makes of it; each step ends when a host can see it."""

    site: Delivery
    process: Process

    def publish(self, version: str) -> None:
        """All files but one are as before."""
        self.site.publish(version, files={**FILES, "index.js": version.encode()})
        self._await_index()

    def rollback(self, version: str) -> None:
        self.site.rollback(version)
        self._await_index()

    def withdraw(self, version: str) -> None:
        self.site.withdraw(version)
        self._await_index()
        self.await_gone(version)

    def await_gone(self, version: str) -> None:
        await_(self.process, lambda: not (self.site.root / FEATURE / version).exists())

    def _await_index(self) -> None:
        self.process.send_signal(signal.SIGHUP)
        published = self.site.head().data
        await_(self.process, lambda: (self.site.root / INDEX).read_bytes() == published)


def make_all(updates: Updates) -> None:
    """Updates, a roll-back, a withdrawal, and a version that leaves the window: it goes after the grace period."""
    updates.publish("1.1.0")
    updates.publish("1.2.0")
    updates.rollback("1.1.0")
    updates.withdraw("1.0.0")
    for number in (3, 4, 5, 6):
        updates.publish(f"1.{number}.0")
    updates.await_gone("1.1.0")


@contextmanager
def updating(tmp_path: Path) -> Iterator[Updates]:
    """Version 1.0.0 stands, and `watch` has had its first pass."""
    with delivery(tmp_path) as site:
        site.publish("1.0.0", files=FILES)
        with watching(site, tmp_path / "ready", "--grace", "1") as process:
            yield Updates(site, process)


def test_a_reader_without_pause_never_misses_a_file_of_a_listed_version(tmp_path: Path) -> None:
    with updating(tmp_path) as updates, reading(updates.site.root / FEATURE) as reads:
        make_all(updates)
    assert reads.faults == []
    assert reads.rounds > 0


def test_the_kernel_tells_of_whole_versions_and_then_of_the_index_and_of_nothing_else(tmp_path: Path) -> None:
    partial: list[str] = []

    def look(event: Event) -> None:
        """At the moment of the event."""
        path = root / event.path
        if event.kind == "appeared" and path.name != POINTER and not is_whole(path):
            partial.append(event.path)
        partial.extend(faults_of(root / FEATURE))

    with updating(tmp_path) as updates:
        root = updates.site.root
        with Watcher(root, look) as watcher:
            make_all(updates)
    assert partial == []
    assert [(event.kind, event.path.removeprefix(f"{FEATURE}/")) for event in watcher.events] == [
        ("appeared", "1.1.0"),
        ("appeared", POINTER),
        ("appeared", "1.2.0"),
        ("appeared", POINTER),
        ("appeared", POINTER),  # the roll-back
        ("appeared", POINTER),  # the withdrawal
        ("left", "1.0.0"),
        *(("appeared", name) for number in (3, 4, 5, 6) for name in (f"1.{number}.0", POINTER)),
        ("left", "1.1.0"),
    ]


class Told:
    """What a watcher in Node tells, line by line."""

    def __init__(self, process: Process) -> None:
        self.events: list[dict[str, Any]] = []
        self._process = process
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.events.append(json.loads(line))

    def files(self) -> set[str]:
        """The files that are there, by the events so far."""
        found: set[str] = set()
        for told in list(self.events):
            if told["event"] == "add":
                found.add(told["path"])
            elif told["event"] == "unlink":
                found.discard(told["path"])
        return found

    def of(self, event: str) -> list[str]:
        return [told["path"] for told in self.events if told["event"] == event]

    def join(self) -> None:
        self._process.terminate()
        self._thread.join()
        self._process.communicate(timeout=30)


@contextmanager
def chokidar(root: Path, *, awaits: bool) -> Iterator[Told]:
    """A host's watcher, which has seen what stands."""
    node.built()
    script = Path(__file__).with_name("events.mjs")
    process = subprocess.Popen([node.found(), script, root, str(awaits).lower()], stdout=subprocess.PIPE, text=True)
    told = Told(process)
    try:
        await_(process, lambda: "ready" in [each["event"] for each in told.events])
        yield told
    finally:
        told.join()


@pytest.mark.parametrize("awaits", [False, True])
def test_a_host_that_follows_every_file_is_told_of_whole_versions_only(tmp_path: Path, *, awaits: bool) -> None:
    """`awaits` is chokidar's `awaitWriteFinish`. It walks by itself, so that its events of one version come bit by bit:
    what counts is that everything is there at the first of them, and at each of the index.
    """
    with updating(tmp_path) as updates, chokidar(updates.site.root, awaits=awaits) as told:
        make_all(updates)
        await_(updates.process, lambda: told.files() == updates.site.tree().keys())
    assert [each for each in told.events if not each["isWhole"]] == []
    assert set(told.of("change")) == {INDEX}
    appeared = told.of("add")
    assert len(appeared) == len(set(appeared))
    assert {path.split("/")[1] for path in told.of("unlink")} <= {"1.0.0", "1.1.0"}
    assert not any(segment.startswith(".") for each in told.events for segment in each["path"].split("/"))
