"""C2: `history`, `gc`, `rebuild-index`, `rotate`, as operators run them."""

from __future__ import annotations

import json
import os

import pytest

from tests.publisher.cli.shell import Shell

FEATURE = "feature-patientlist"


@pytest.fixture
def published(shell: Shell) -> Shell:
    for minor in range(6):
        shell.json("publish", shell.directory(f"1.{minor}.0"))
    shell.json("rollback", FEATURE, "1.4.0", "--reason", "blank page", "--ticket", "INC-7")
    return shell


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


def test_gc_says_first_what_would_go_and_then_removes_it(published: Shell) -> None:
    gone = published.folder / "cdn" / FEATURE / "1.0.0"
    for path in gone.rglob("*"):
        os.utime(path, (0, 0))  # a young claim is never touched
    assert published.json("gc")["removed"] == []
    planned = published.json("gc", "--retention", "0", "--dry-run")
    assert [(one["version"], one["objects"]) for one in planned["removed"]] == [("1.0.0", 5)]
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


def test_s6_rotate_signs_all_again_and_says_what_is_next(published: Shell) -> None:
    made = published.json("keygen", "release-2027", "--role", "releases", "--role", "index", "--features", "*")
    both = {**published.keys.trust_document(), **made["trust"]}
    keys = published.folder / "keys" / "trust.json"
    new = {"CDN_RELEASE_KEY": made["privateKey"], "CDN_RELEASE_KEY_ID": "release-2027"}
    early = published.run("rotate", **new)
    assert early.returncode == 2
    assert "not in the trust store" in early.stderr
    keys.write_text(json.dumps(both))
    answer = published.run("rotate", "--reason", "yearly", **new)
    assert answer.returncode == 0, answer.stderr
    assert "remove the old key" in answer.stdout
    assert published.json("rotate", **new)["signed"] == []
    counts = published.json("rotate", "--check", **new)["keys"]
    assert counts["release-2027"] == {"remote index": 1, "release indexes": 1}
    keys.write_text(json.dumps({key_id: entry for key_id, entry in both.items() if key_id != "release-test"}))
    assert published.run("verify", published.folder / "cdn").returncode == 0
    assert published.json("history", FEATURE, "--verify")["signed"] == 1
