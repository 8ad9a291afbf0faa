"""`make install` does each thing once, and says in a sentence what it cannot do."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tools.setup import __main__ as setup
from tools.setup import cluster, image, node, steps


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


FAKE_GO = """
case $1 in
  list) echo v1.2.3 ;;
  build) echo "$*" >> "$LOG"; while [ "$1" != -o ]; do shift; done; echo built > "$2" ;;
esac"""


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Go that writes down what it is asked to build, an empty cache, and nothing else on PATH."""
    log = tmp_path / "builds"
    log.touch()
    program(tmp_path / "go", "go", FAKE_GO)
    monkeypatch.setenv("PATH", str(tmp_path / "go"))
    monkeypatch.setenv("LOG", str(log))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return log


def test_the_programs_of_a_cluster_are_built_once_and_kept_outside_the_tree(go: Path, tmp_path: Path) -> None:
    assert cluster.find("helm") is None
    cluster.build()
    cluster.build()
    assert len(go.read_text("utf-8").splitlines()) == len(cluster.PROGRAMS)
    for name in cluster.PROGRAMS:
        found = cluster.find(name)
        assert found is not None
        assert found.is_relative_to(tmp_path / "cache" / "favn-delivery")


def test_other_versions_are_other_programs(go: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.build()
    module = tmp_path / "module"
    shutil.copytree(cluster.MODULE, module)
    monkeypatch.setattr(cluster, "MODULE", module)
    assert cluster.find("helm") is not None
    with (module / "go.sum").open("a", encoding="utf-8") as file:
        file.write("another\n")
    assert cluster.find("helm") is None


def test_a_build_that_failed_leaves_nothing_to_be_found(go: Path, tmp_path: Path) -> None:
    program(tmp_path / "go", "go", FAKE_GO.replace("echo built", "[ -s $LOG ] && exit 1; echo built"))
    with pytest.raises(steps.SetupError, match="failed with status 1"):
        cluster.build()
    assert cluster.find("helm") is None


def test_no_go_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(steps.SetupError, match="there is no `go` on PATH: install Go"):
        cluster.build()


def test_no_debootstrap_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(image, "_fetch_wheels", lambda folder: None)
    monkeypatch.setattr(shutil, "which", lambda command, path: None)
    with pytest.raises(steps.SetupError, match="missing: debootstrap, dpkg-deb"):
        image.build()
    assert image.bases() is None


def test_an_unknown_part_is_a_sentence_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert setup.main(["nonsense"]) == 2
    assert "no such part: nonsense; there are bases, cluster" in capsys.readouterr().err
