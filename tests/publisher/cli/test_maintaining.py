"""C2: `history`, `gc`, `rebuild-index`, `rotate`, as operators run them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.publisher.cli.shell import Shell
from tests.versions import Keys, version_directory

FEATURE = "feature-patientlist"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Six versions and a roll-back, made once: each call of the command is a process."""
    folder, keys = tmp_path_factory.mktemp("template"), Keys.new()
    keys.write(folder / "keys")
    shell = Shell(folder, keys, (folder / "cdn").as_uri())
    for minor in range(6):
        shell.json("publish", shell.directory(f"1.{minor}.0"))
    shell.json("rollback", FEATURE, "1.4.0", "--reason", "blank page", "--ticket", "INC-7")
    return shell


@pytest.fixture
def published(template: Shell, tmp_path: Path) -> Shell:
    shutil.copytree(template.folder, tmp_path, dirs_exist_ok=True)
    return Shell(tmp_path, template.keys, (tmp_path / "cdn").as_uri())


def test_history_shows_who_did_what_and_why(published: Shell) -> None:
    steps = published.json("history", FEATURE, "--limit", "2")["history"]
    assert [(step["sequence"], step["action"], step["ticket"]) for step in steps] == [
        (7, "rollback", "INC-7"), (6, "publish", None),
    ]  # fmt: skip
    answer = published.run("history", FEATURE, "--verify")
    assert answer.returncode == 0
    assert "blank page" in answer.stdout
    assert "right: 7 states, 7 signed" in answer.stdout


def test_history_of_a_chain_that_was_tampered_with_ends_with_3_and_names_the_state(published: Shell) -> None:
    state = published.folder / "cdn" / FEATURE / "releases.3.json"
    state.write_bytes(state.read_bytes().replace(b"1.2.0", b"1.2.9"))
    answer = published.run("history", FEATURE, "--verify")
    assert answer.returncode == 3
    assert "releases.3.json" in answer.stderr
    assert "blank page" in answer.stdout
    document = published.json("history", FEATURE, "--verify", status=3)
    assert [step["sequence"] for step in document["history"]] == [7, 6, 5, 4]
    assert (document["verified"], document["error"]["code"]) == (False, "sequence_fork")
    assert published.json("history", FEATURE, "--limit", "4")["history"] == document["history"]


def test_history_of_a_feature_that_nobody_published_ends_with_1(published: Shell) -> None:
    assert published.json("history", "feature-nobody", status=1)["error"]["code"] == "not_found"
    assert published.run("history", FEATURE, "--verify", "--limit", "2").returncode == 2


def test_gc_says_first_what_would_go_and_then_removes_it(published: Shell) -> None:
    gone = published.folder / "cdn" / FEATURE / "1.0.0"
    (published.folder / "cdn" / FEATURE / "notes").mkdir()
    (published.folder / "cdn" / FEATURE / "notes" / "a.txt").write_text("by hand")
    for path in gone.rglob("*"):
        os.utime(path, (0, 0))  # a young claim is never touched
    assert published.json("gc")["removed"] == []
    planned = published.json("gc", "--retention", "0", "--dry-run")
    assert [(one["version"], one["objects"]) for one in planned["removed"]] == [("1.0.0", 5)]
    assert planned["unknown"] == [f"{FEATURE}/notes/"]
    assert "nothing was removed" in published.run("gc", "--dry-run", CDN_RELEASE_RETENTION="0").stdout
    assert gone.exists()
    assert published.json("gc", "--retention", "0")["removed"] == planned["removed"]
    assert not gone.exists()
    assert published.run("verify", published.folder / "cdn").returncode == 0


def test_gc_removes_what_withdrawn_versions_left(published: Shell) -> None:
    published.json("withdraw", FEATURE, "1.5.0", "--reason", "leaks names")
    left = published.folder / "cdn" / FEATURE / "1.5.0" / "index.js"
    left.parent.mkdir(parents=True)
    left.write_text("left")
    planned = published.json("gc", "--dry-run")
    assert [(one["version"], one["reason"]) for one in planned["removed"]] == [("1.5.0", "withdrawn")]
    assert left.exists()
    assert published.json("gc") == {**planned, "dryRun": False}
    assert not left.exists()
    assert published.json("gc")["removed"] == []


def test_t45_rebuild_index_brings_every_pointer_back(published: Shell) -> None:
    pointers = [published.folder / "cdn" / name for name in (f"{FEATURE}/releases.json", "remote-index.json")]
    before = [pointer.read_bytes() for pointer in pointers]
    pointers[0].unlink()
    pointers[1].write_text("rubbish")
    rehearsed = published.json("rebuild-index", "--dry-run")
    assert [write["name"] for write in rehearsed["writes"]] == ["remote-index.json", f"{FEATURE}/releases.json"]
    assert not pointers[0].exists()
    rebuilt = published.json("rebuild-index")
    assert (rebuilt["pointers"], rebuilt["remoteIndexPointer"]) == ([FEATURE], True)
    assert [pointer.read_bytes() for pointer in pointers] == before
    assert "all pointers are right" in published.run("rebuild-index").stdout
    assert published.run("verify", published.folder / "cdn").returncode == 0


def test_t45_rebuild_index_needs_nothing_but_the_immutable_states(published: Shell) -> None:
    published.json("publish", version_directory(published.folder / "dist", published.keys.build, "feature-b"))
    cdn = published.folder / "cdn"
    pointers = [*cdn.glob("*/releases.json"), cdn / "remote-index.json"]
    before = [pointer.read_bytes() for pointer in pointers]
    for damage in ("deleted", "rubbish"):
        for pointer in pointers:
            if damage == "deleted":
                pointer.unlink()
            else:
                pointer.write_bytes(b"<html>")
        rebuilt = published.json("rebuild-index")
        assert rebuilt["pointers"] == ["feature-b", FEATURE]
        assert [pointer.read_bytes() for pointer in pointers] == before


def test_rebuild_index_mends_what_it_can_and_names_what_it_cannot(published: Shell) -> None:
    cdn = published.folder / "cdn"
    (cdn / FEATURE / "releases.json").unlink()
    (cdn / "remote-index.8.json").write_text("rubbish")
    document = published.json("rebuild-index", status=3)
    assert document["pointers"] == [FEATURE]
    assert document["failed"].keys() == {"remote-index.json"}
    assert (cdn / FEATURE / "releases.json").exists()


@pytest.fixture
def successor(published: Shell) -> dict[str, str]:
    """The variables of a new release key, which the trust store holds beside the old one."""
    made = published.json("keygen", "release-2027", "--role", "releases", "--role", "index", "--features", "*")
    both = {**published.keys.trust_document(), **made["trust"]}
    (published.folder / "keys" / "trust.json").write_text(json.dumps(both))
    return {"CDN_RELEASE_KEY": made["privateKey"], "CDN_RELEASE_KEY_ID": "release-2027"}


def test_s6_rotate_signs_all_again_and_says_what_is_next(published: Shell, successor: dict[str, str]) -> None:
    keys = published.folder / "keys" / "trust.json"
    both = json.loads(keys.read_text())
    keys.write_text(json.dumps(published.keys.trust_document()))
    early = published.run("rotate", **successor)
    assert early.returncode == 2
    assert "not in the trust store" in early.stderr
    keys.write_text(json.dumps(both))
    rehearsed = published.json("rotate", "--dry-run", status=0, **successor)
    assert rehearsed["signed"] == [FEATURE]
    assert published.json("history", FEATURE, "--limit", "1")["history"][0]["sequence"] == 7
    answer = published.run("rotate", "--reason", "yearly", **successor)
    assert answer.returncode == 0, answer.stderr
    assert "remove the old key" in answer.stdout
    again = published.json("rotate", status=0, **successor)
    assert (again["signed"], again["already"]) == ([], 1)
    keys.write_text(json.dumps({key_id: entry for key_id, entry in both.items() if key_id != "release-test"}))
    assert published.run("verify", published.folder / "cdn").returncode == 0
    assert published.json("history", FEATURE, "--verify")["signed"] == 1


def test_s6_rotate_check_says_what_each_key_vouches_for(published: Shell, successor: dict[str, str]) -> None:
    keys = published.json("rotate", "--check", status=0, **successor)["keys"]
    assert (keys["release-test"]["remoteIndex"], keys["release-test"]["releaseIndexes"]) == (True, [FEATURE])
    assert keys["release-2027"] == {"remoteIndex": False, "releaseIndexes": [], "versions": [], "neededUntil": None}
    versions = keys["build-test"]["versions"]
    assert [one["version"] for one in versions] == [f"1.{minor}.0" for minor in (5, 4, 3, 2, 1)]
    assert keys["build-test"]["neededUntil"] == max(one["publishedAt"] for one in versions)
    assert "build-test" in published.run("rotate", "--check", **successor).stdout


def test_s6_a_feature_that_is_wrong_ends_the_rotation_of_the_others_with_3(
    published: Shell, successor: dict[str, str]
) -> None:
    published.json("publish", version_directory(published.folder / "dist", published.keys.build, "feature-b"))
    (published.folder / "cdn" / "feature-b" / "releases.2.json").write_text("rubbish")
    document = published.json("rotate", status=3, **successor)
    assert (document["signed"], list(document["failed"])) == ([FEATURE], ["feature-b"])
    assert "mend them" in published.run("rotate", **successor).stdout
