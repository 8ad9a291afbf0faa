"""`watch`: one pass after the other, cheap while nothing changes, and no fault ends it (L8, L11, L14)."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from artifact.errors import Code, DeliveryError
from loader_cdn import disk
from loader_cdn.board import Board
from loader_cdn.layout import Layout
from loader_cdn.lock import locked
from loader_cdn.progress import Silent
from loader_cdn.watch import watch
from tests.loader_cdn.command import end, start, sync_arguments
from tests.publisher.world import FEATURE
from tests.simulator.cdn import Asked
from tests.simulator.environment import Delivery
from tests.versions import FILES

OTHER = "feature-lab-results"
VERSION = f"{FEATURE}/1.0.0"
Step = Callable[[], object]


@dataclass
class Told:
    """Between two passes one step of the test happens; after the last one the process is told to end."""

    steps: list[Step]
    looks: bool = False
    waits: list[float] = field(default_factory=list)
    is_told_to_end: bool = False
    now: float = 0.0

    def take_look(self) -> bool:
        told, self.looks = self.looks, False
        return told

    def monotonic(self) -> float:
        return self.now

    def wake(self) -> None:
        """Nobody sleeps here."""

    def wait(self, seconds: float, has_changed: Callable[[], bool]) -> None:
        self.waits.append(seconds)
        self.now += seconds
        if self.steps:
            self.steps.pop(0)()
        else:
            self.is_told_to_end = True


def watching(site: Delivery, *steps: Step, **settings: Any) -> Told:
    """Run a pass before each step, and one after the last."""
    told = Told(list(steps))
    assert run(site, told, **settings) is None
    return told


def run(site: Delivery, told: Told, **settings: Any) -> DeliveryError | None:
    board = Board(str(site.root), site.world.clock())
    return watch(site.settings(**settings), told, progress=Silent(), board=board, clock=site.world.clock)


@pytest.fixture
def published(site: Delivery) -> Delivery:
    site.publish("1.0.0")
    return site


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The version folders whose files were hashed on disk."""
    folders: list[str] = []
    real = disk.Checker.files

    def files(self: disk.Checker, folder: Path, manifest: Any) -> None:
        folders.append("/".join(folder.parts[-2:]))
        real(self, folder, manifest)

    monkeypatch.setattr(disk.Checker, "files", files)
    return folders


def test_what_is_published_meanwhile_stands_after_the_next_pass(published: Delivery) -> None:
    def stands(*versions: str) -> Step:
        def check() -> None:
            assert published.tree() == published.published(*versions)

        return check

    def publish() -> None:
        stands("1.0.0")()
        published.publish("1.1.0")

    watching(published, publish, stands("1.0.0", "1.1.0"), lambda: published.rollback("1.0.0"))
    stands("1.0.0", "1.1.0")()
    assert json.loads((published.root / FEATURE / "releases.json").read_bytes())["activeVersion"] == "1.0.0"


@pytest.mark.parametrize("settings", [{}, {"features": [FEATURE, OTHER]}])
def test_l14_a_pass_without_change_is_one_conditional_request_a_source_and_no_hashing(
    published: Delivery, hashed: list[str], settings: dict[str, Any]
) -> None:
    published.publish("1.0.0", OTHER)
    seen: list[list[Asked]] = []

    def count() -> None:
        seen.append(published.cdn.log[:])
        published.cdn.log.clear()

    watching(published, count, count, count, count, **settings)
    sources = 2 if settings else 1
    for asked in seen[1:]:
        assert [(request.status, request.was_conditional) for request in asked] == [(304, True)] * sources
    assert hashed == []


def test_l14_a_change_costs_the_changed_documents_and_hashes_nothing_that_stood(
    published: Delivery, hashed: list[str]
) -> None:
    def publish() -> None:
        published.publish("1.1.0", files={**FILES, "index.js": b"changed\n"})
        published.cdn.log.clear()

    watching(published, publish)
    assert [request.path for request in published.cdn.log] == [
        "remote-index.json",
        f"{FEATURE}/releases.2.json",
        f"{FEATURE}/1.1.0/manifest.json",
        f"{FEATURE}/1.1.0/index.js",
    ]
    assert hashed == []


def test_each_pause_is_the_poll_interval_with_jitter(published: Delivery) -> None:
    told = watching(published, *[lambda: None] * 20, poll=30.0)
    assert all(27 <= pause <= 33 for pause in told.waits)
    assert len(set(told.waits)) > 10


def test_t34_what_somebody_takes_away_is_back_after_the_next_pass(published: Delivery) -> None:
    def damage() -> None:
        (published.root / VERSION / "index.js").unlink()
        (published.root / FEATURE / "releases.json").unlink()

    watching(published, damage)
    assert published.tree() == published.published("1.0.0")


@pytest.mark.parametrize("how", ["hour", "hangup"])
def test_t34_an_edit_in_place_is_found_when_everything_is_verified_again(published: Delivery, how: str) -> None:
    """Which is every hour, and at SIGHUP."""
    path = published.root / VERSION / "index.js"
    told: list[Told] = []

    def edit() -> None:
        with path.open("r+b") as file:
            file.write(b"X")

    def later() -> None:
        assert path.read_bytes()[:1] == b"X"
        if how == "hour":
            published.world.clock.pass_by(minutes=61)
        else:
            told[0].looks = True

    told.append(Told([edit, lambda: None, later]))
    assert run(published, told[0]) is None
    assert published.tree() == published.published("1.0.0")


def test_l8_a_source_that_is_away_ends_nothing_and_what_stands_is_kept(published: Delivery) -> None:
    def away() -> None:
        published.cdn.switches.offline = True
        published.publish("1.1.0")

    def back() -> None:
        assert published.tree() == {**published.published("1.0.0"), **published.tree()}
        assert not (published.root / FEATURE / "1.1.0").exists()
        published.cdn.heal()

    watching(published, away, lambda: None, back)
    assert published.tree() == published.published("1.0.0", "1.1.0")


def test_l8_what_is_not_listed_any_more_goes_after_the_grace_period_though_no_source_says_anything_new(
    published: Delivery,
) -> None:
    published.publish("1.1.0")
    watching(
        published,
        lambda: published.withdraw("1.0.0"),
        lambda: published.world.clock.pass_by(minutes=5),
        lambda: published.world.clock.pass_by(minutes=6),
    )
    assert published.tree() == published.published("1.1.0")


def test_l13_an_index_that_expires_is_said_though_no_source_says_anything_new(
    published: Delivery, caplog: pytest.LogCaptureFixture
) -> None:
    watching(published, lambda: None, lambda: published.world.clock.pass_by(days=8))
    assert "the remote index has expired" in caplog.text


def test_l10_the_ready_file_says_that_all_was_tried_once_and_one_of_before_says_nothing(
    published: Delivery, tmp_path: Path
) -> None:
    ready = tmp_path / "ready"
    ready.write_text("of before")
    published.cdn.switches.offline = True

    def back() -> None:
        assert not ready.exists()
        published.cdn.heal()

    watching(published, back, lambda: None, ready_file=ready)
    assert json.loads(ready.read_text())["features"][0]["result"] == "updated"


# Trust


def trust_file(site: Delivery, tmp_path: Path) -> Path:
    path = tmp_path / "trust.json"
    path.write_text(json.dumps(site.world.keys.trust_document()))
    return path


def test_s5_a_key_that_is_removed_is_noticed_though_no_source_says_anything_new(
    published: Delivery, tmp_path: Path
) -> None:
    trust = trust_file(published, tmp_path)

    def remove() -> None:
        document = published.world.keys.trust_document()
        del document[published.world.keys.build.key_id]
        trust.write_text(json.dumps(document))

    watching(published, lambda: None, remove, lambda: None, trust_keys=str(trust))
    assert published.tree() == {}


@pytest.mark.parametrize("content", [None, "", "{}", "rubbish"])
def test_s5_a_trust_store_that_cannot_be_read_later_leaves_the_last_good_one_in_force(
    published: Delivery, tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str | None
) -> None:
    trust = trust_file(published, tmp_path)

    def spoil() -> None:
        trust.unlink()
        if content is not None:
            trust.write_text(content)
        published.publish("1.1.0")

    watching(published, spoil, trust_keys=str(trust))
    assert published.tree() == published.published("1.0.0", "1.1.0")
    assert "stays in force" in caplog.text


def test_s5_a_trust_store_that_cannot_be_read_at_the_start_is_a_wrong_setting(published: Delivery) -> None:
    told = Told([])
    error = run(published, told, trust_keys="nowhere.json")
    assert error is not None
    assert error.code is Code.CONFIGURATION_INVALID
    assert told.waits == []


# The process


def arguments(site: Delivery, *more: str | Path) -> list[str | Path]:
    return ["watch", *(one for one in sync_arguments(site)[1:] if one != "--json"), *more]


def test_l11_sigterm_ends_it_with_0_and_sighup_makes_a_pass_at_once(published: Delivery, tmp_path: Path) -> None:
    process = start(*arguments(published, "--poll", "3600", "--ready-file", tmp_path / "ready"))
    asked = threading.Event()
    published.cdn.on_request = lambda number, path: asked.set()
    assert asked.wait(60)
    while not (tmp_path / "ready").exists():
        assert process.poll() is None
    asked.clear()
    process.send_signal(signal.SIGHUP)
    assert asked.wait(60)
    process.send_signal(signal.SIGTERM)
    ended = end(process)
    assert (ended.status, ended.out) == (0, "")
    assert published.tree() == published.published("1.0.0")


def test_l11_it_waits_for_another_loader_and_says_so(published: Delivery) -> None:
    layout = Layout(published.root)
    layout.work.mkdir(parents=True)
    with locked(layout.lock, deadline=0, stop=lambda: False):
        process = start(*arguments(published))
        assert process.stderr is not None
        assert "another loader works on this root" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert end(process).status == 0
    assert published.cdn.log == []


@pytest.mark.parametrize("setting", [["--poll", "0"], ["--trust-keys", "nowhere.json"], ["--feature", "x"]])
def test_c1_a_wrong_setting_ends_it_at_its_start_with_2(published: Delivery, setting: list[str]) -> None:
    assert end(start(*arguments(published, *setting))).status == 2


def test_the_clock_may_be_wrong_by_days_in_either_direction(published: Delivery) -> None:
    """T38."""
    clock = published.world.clock

    def set_back() -> None:
        clock.now -= timedelta(days=3)

    watching(published, set_back, lambda: published.publish("1.1.0"), lambda: clock.pass_by(days=6))
    assert published.tree() == published.published("1.0.0", "1.1.0")
