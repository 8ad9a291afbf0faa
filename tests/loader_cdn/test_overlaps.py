"""What happens to a feature while it is being visited: its registration goes and comes, keys go, a look is asked for
(R4, R6, L3, L8, L11, L12, S5, T34).
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from artifact.errors import Code
from artifact.fields import format_time
from artifact.freshness import State
from loader_cdn import disk
from loader_cdn.layout import Layout
from loader_cdn.ledger import Ledger
from tests.cluster.pod import Pod, running
from tests.loader_cdn.command import run as run_command
from tests.loader_cdn.test_following import mount
from tests.loader_cdn.test_watch import Told, run, watching
from tests.publisher.world import FEATURE
from tests.simulator.environment import Delivery, assert_refused
from tests.versions import FILES
from tests.waiting import wait_until

OTHER = "feature-lab-results"
INDEX = f"{FEATURE}/releases.json"
CHANGED = {**FILES, "index.js": b"changed\n"}


@pytest.fixture
def published(site: Delivery) -> Delivery:
    site.world.clock.now = datetime.now(UTC)
    site.publish("1.0.0")
    return site


@pytest.fixture
def registrations(published: Delivery, tmp_path: Path) -> Path:
    folder = tmp_path / "registrations"
    folder.mkdir()
    mount(folder, one=registration(published))
    return folder


@pytest.fixture
def asked(published: Delivery) -> list[str]:
    """The paths that were asked for, also those that are not answered yet."""
    paths: list[str] = []
    published.cdn.on_request = lambda number, path: paths.append(path)
    return paths


@pytest.fixture
def pod(published: Delivery, registrations: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Pod]:
    grace = getattr(request, "param", "600")
    with running(published, tmp_path, "--registrations", registrations, "--poll", "1", "--grace", grace) as made:
        wait_until(lambda: sequence(published) == 1)
        yield made


def registration(site: Delivery, feature_id: str = FEATURE) -> dict[str, str]:
    return {"featureId": feature_id, "cdnBaseUrl": f"{site.cdn.url}{feature_id}"}


def sequence(site: Delivery) -> int | None:
    try:
        return int(json.loads((site.root / INDEX).read_bytes())["sequence"])
    except FileNotFoundError:
        return None


def remembered(site: Delivery) -> int:
    state = json.loads((site.root / ".loader/state.json").read_bytes())
    return int(state["features"][FEATURE]["accepted"]["sequence"])


def test_r4_a_visit_that_was_overtaken_puts_nothing_back(
    published: Delivery, registrations: Path, pod: Pod, asked: list[str]
) -> None:
    """The registration goes and comes back under another name while a visit waits for its files."""
    held = f"{FEATURE}/1.1.0/manifest.json"
    published.cdn.hold(held)
    published.publish("1.1.0", files=CHANGED)
    wait_until(lambda: held in asked)
    mount(registrations)
    wait_until(lambda: not pod.feature(FEATURE))
    published.withdraw("1.1.0", "1.0.0")
    mount(registrations, two=registration(published))
    wait_until(lambda: pod.status()["registrations"]["known"])
    published.cdn.let_go()
    wait_until(lambda: sequence(published) == 3)
    wait_until(lambda: pod.feature(FEATURE)["sequence"] == 3)
    assert remembered(published) == 3
    assert published.tree() == published.published("1.0.0")


@pytest.mark.parametrize("pod", ["0"], indirect=True)
def test_l3_a_feature_is_not_taken_away_under_the_visit_that_brings_it(
    published: Delivery, registrations: Path, pod: Pod, asked: list[str]
) -> None:
    held = f"{FEATURE}/1.1.0/manifest.json"
    published.cdn.hold(held)
    published.publish("1.1.0", files=CHANGED)
    wait_until(lambda: held in asked)
    before = published.tree()
    mount(registrations, other=registration(published, OTHER))
    wait_until(lambda: f"{OTHER}/releases.json" in asked)
    assert published.tree() == before
    published.cdn.let_go()
    wait_until(lambda: published.tree() == {})


@pytest.mark.parametrize("pod", ["3"], indirect=True)
def test_l12_the_grace_period_begins_when_the_last_registration_goes(
    published: Delivery, registrations: Path, pod: Pod, asked: list[str]
) -> None:
    """Though no visit ended since it came back."""

    def left() -> str:
        state = json.loads((published.root / ".loader/state.json").read_bytes())
        return str(state["features"][FEATURE].get("leaving", ""))

    published.cdn.hold(INDEX)
    asked.clear()
    wait_until(lambda: INDEX in asked)
    mount(registrations)
    wait_until(lambda: not pod.feature(FEATURE))
    mount(registrations, two=registration(published), wrong={"featureId": OTHER})
    wait_until(lambda: pod.status()["registrations"]["problems"])  # it has been read
    came_back = datetime.now(UTC).replace(microsecond=0)
    wait_until(lambda: datetime.now(UTC) > came_back + timedelta(seconds=2))
    mount(registrations)
    wait_until(lambda: not pod.status()["registrations"]["problems"])
    published.cdn.let_go()
    wait_until(left)
    assert left() > format_time(came_back)


def test_l8_files_that_do_not_come_leave_room_for_other_features_of_the_same_server(
    published: Delivery, tmp_path: Path
) -> None:
    published.publish("1.0.0", OTHER)
    flags = [word for name in (FEATURE, OTHER) for word in ("--feature", f"{name}={published.cdn.url}{name}")]
    with running(published, tmp_path, *flags, "--poll", "1") as pod:
        wait_until(pod.is_ready)
        many = {**FILES, **{f"assets/{number}.js": b"%d\n" % number for number in range(100)}}
        for path in many:
            published.cdn.hold(f"{FEATURE}/1.1.0/{path}")
        asked: list[str] = []
        published.cdn.on_request = lambda number, path: asked.append(path)
        published.publish("1.1.0", files=many)
        wait_until(lambda: len([path for path in asked if "/1.1.0/assets/" in path]) >= 16)
        published.publish("1.1.0", OTHER, files=CHANGED)
        wait_until((published.root / OTHER / "1.1.0").exists)
        published.cdn.let_go()


def test_s5_what_a_revoked_index_lists_is_brought_no_more(published: Delivery, tmp_path: Path) -> None:
    """Also where no other index can be had."""
    keys = published.world.keys
    document = keys.trust_document()
    trust = tmp_path / "trust.json"
    trust.write_text(json.dumps(document))
    for name in ("releases.1.json", "releases.json"):
        published.cdn.substitute(f"{FEATURE}/{name}", b"", status=503)

    def revoke() -> None:
        document[keys.release.key_id]["roles"] = ["releases"]
        trust.write_text(json.dumps(document))
        published.cdn.heal()
        published.cdn.substitute("remote-index.json", b"", status=503)

    watching(published, lambda: None, revoke, lambda: None, lambda: None, trust_keys=str(trust))
    assert published.tree() == {}


def test_l8_what_was_staged_when_the_trust_store_changed_is_no_rubbish_for_ever(
    published: Delivery, tmp_path: Path, asked: list[str]
) -> None:
    trust, document = tmp_path / "trust.json", published.world.keys.trust_document()
    trust.write_text(json.dumps(document))
    held = f"{FEATURE}/1.0.0/index.js"
    published.cdn.hold(held)
    given = ["--feature", f"{FEATURE}={published.cdn.url}{FEATURE}", "--poll", "1", "--trust-keys", str(trust)]
    with running(published, tmp_path, *given) as pod:
        for number in range(3):
            asked.clear()
            wait_until(lambda: held in asked)
            document[f"another-{number}"] = document[published.world.keys.build.key_id]
            trust.write_text(json.dumps(document))
        published.cdn.let_go()
        wait_until(pod.is_ready)
        wait_until(lambda: not list((published.root / ".loader").glob("trash/*")))


def test_t34_an_index_that_is_edited_unseen_while_its_registration_changes_is_brought_again(
    published: Delivery, tmp_path: Path
) -> None:
    """Its size and its time are as they were, so that only the bytes tell."""
    folder = tmp_path / "registrations"
    folder.mkdir()
    mount(folder, one=registration(published))

    def damage() -> None:
        path = published.root / INDEX
        status, data = path.stat(), bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        with path.open("r+b") as file:
            file.write(data)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        mount(folder, one={**registration(published), "minSequence": "1"})

    watching(published, damage, lambda: None, registrations=folder, remote_index=None)
    assert published.tree() == published.published("1.0.0")


def test_t34_a_look_that_is_asked_for_during_a_visit_is_not_forgotten(
    published: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    real = disk.Checker.files
    told = Told([lambda: None])
    is_first = True

    def files(self: disk.Checker, folder: Path, manifest: Any) -> None:
        hashed.append(folder.name)
        real(self, folder, manifest)

    def ask(number: int, path: str) -> None:
        """While the first visit waits for its source, SIGHUP comes, and is noticed."""
        nonlocal is_first
        if is_first and path == INDEX:
            is_first, told.looks = False, True
            wait_until(lambda: not told.looks)

    published.sync(features=[FEATURE])
    monkeypatch.setattr(disk.Checker, "files", files)
    published.cdn.on_request = ask
    assert run(published, told, features=[FEATURE]) is None
    assert hashed == ["1.0.0", "1.0.0"]


def test_l11_a_stop_does_not_wait_for_all_features_to_be_verified(
    published: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"feature-{number}" for number in range(20)]
    for name in names:
        published.publish("1.0.0", name)
    published.sync(features=names)
    verified: list[str] = []
    told = Told([])

    def files(self: disk.Checker, folder: Path, manifest: Any) -> None:
        verified.append(folder.parent.name)
        threading.Event().wait(0.1)  # a slow disk
        told.is_told_to_end = True

    monkeypatch.setattr(disk.Checker, "files", files)
    assert run(published, told, features=names) is None
    assert len(verified) <= 3


@pytest.mark.parametrize("more", [[], ["--wait", "--timeout", "1"]])
def test_l10_registrations_that_are_not_known_are_no_success(
    published: Delivery, tmp_path: Path, more: list[str]
) -> None:
    given: list[str | Path] = [
        "sync",
        "--json",
        "--root",
        published.root,
        "--trust-keys",
        json.dumps({"a": "A" * 43 + "="}),
    ]
    if more:  # it waits until they are there
        folder = tmp_path / "registrations"
        timer = threading.Timer(1.0, folder.mkdir)
        timer.start()
        ended = run_command(*given, *more, "--registrations", folder)
        timer.join()
        assert ended.status == 0
        assert "trying again" in ended.err
    else:
        ended = run_command(*given, "--registrations", tmp_path / "registrations")
        assert ended.status == 1
        assert ended.json["error"]["code"] == "not_found"


def test_r4_what_was_accepted_meanwhile_is_asked_once_more_before_a_swap(
    published: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    published.sync(features=[FEATURE])
    published.publish("1.1.0", files=CHANGED)
    ledgers: list[Ledger] = []
    real = Ledger.load

    def load(layout: Layout) -> Ledger:
        ledgers.append(real(layout))
        return ledgers[-1]

    monkeypatch.setattr(Ledger, "load", load)

    def overtake(number: int, path: str) -> None:
        memory = ledgers[-1].memory.feature(FEATURE)
        if path == f"{FEATURE}/1.1.0/index.js" and memory.accepted is not None:
            memory.accepted = replace(memory.accepted, state=State(9, "0" * 64))

    published.cdn.on_request = overtake
    row = published.row(features=[FEATURE])
    assert_refused(row, Code.SEQUENCE_ROLLBACK)
    assert sequence(published) == 1
    assert remembered(published) == 9
