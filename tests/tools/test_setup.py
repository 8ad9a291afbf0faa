"""`make install` does each thing once, and says in a sentence what it cannot do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tools.setup import __main__ as setup
from tools.setup import node, steps


def make(stamp: Path, inputs: str, done: list[str]) -> None:
    steps.once(stamp, steps.digest(inputs), "a step", lambda: done.append(inputs))


def test_a_step_is_done_once_for_the_same_inputs_and_again_for_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[str] = []
    for inputs in ("one", "one", "two", "two", "one"):
        make(tmp_path / "made" / ".stamp", inputs, done)
    assert done == ["one", "two", "one"]
    assert capsys.readouterr().out.count("a step ...") == 3


def test_a_step_that_failed_is_done_again(tmp_path: Path) -> None:
    done: list[str] = []
    stamp = tmp_path / ".stamp"
    make(stamp, "one", done)
    with pytest.raises(steps.SetupError):
        steps.once(stamp, "other", "a step", lambda: steps.run("false"))
    make(stamp, "one", done)
    assert done == ["one", "one"]


def test_inputs_that_are_divided_otherwise_are_other_inputs() -> None:
    assert steps.digest("ab", "c") != steps.digest("a", "bc")


def test_a_command_that_fails_is_shown_with_all_it_said() -> None:
    with pytest.raises(steps.SetupError, match=r"status 3: sh -c .*\nsaid\nso"):
        steps.run("sh", "-c", "echo said; echo so >&2; exit 3")


def program(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A virtual environment with a Node of its own, in a path with a space."""
    place = tmp_path / "virtual environment"
    program(place, "unused", "")
    program(place / "bin", "node", "echo v24.1.0")
    program(place / "bin", "npm", "exit 0")
    monkeypatch.setattr(node, "VENV", place)
    return place


@pytest.mark.parametrize(
    ("version", "ours"), [("v20.19.0", True), ("v22.11.9", True), ("v22.12.0", False), ("?", True)]
)
def test_the_installed_node_is_used_where_it_is_new_enough(
    version: str, ours: bool, venv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "usr", "node", f"echo '{version}'")
    program(tmp_path / "usr", "npm", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path / "usr"))
    assert node.require().node == (venv / "bin" if ours else tmp_path / "usr") / "node"


def test_a_node_without_npm_is_of_no_use(venv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "usr", "node", "echo v26.0.0")
    monkeypatch.setenv("PATH", str(tmp_path / "usr"))
    assert node.require().node == venv / "bin" / "node"


def test_programs_of_packages_find_the_chosen_node_first(venv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert node.require().environment()["PATH"].split(os.pathsep) == [str(venv / "bin"), "/nowhere"]


@pytest.mark.parametrize("home", ["", None])
def test_npm_keeps_its_cache_in_the_tree_where_there_is_no_home(
    home: str | None, venv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if home is None:
        monkeypatch.delenv("HOME", raising=False)
    else:
        monkeypatch.setenv("HOME", home)
    assert node.require().environment()["npm_config_cache"] == str(steps.ROOT / ".local" / "npm")


def test_no_node_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "VENV", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(steps.SetupError, match=r"no Node 22\.12 or newer: run `make install`"):
        node.require()


def test_an_unknown_part_is_a_sentence_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert setup.main(["nonsense"]) == 2
    assert "no such part: nonsense; there are develop" in capsys.readouterr().err
