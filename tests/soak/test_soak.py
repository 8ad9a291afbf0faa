"""The harness of `make soak` itself: a short run, a choice by seed, and a reader that sees what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kubernetes.control_plane import ControlPlane
from tests.soak.plan import Kind, plan
from tests.soak.reader import Reader
from tests.soak.releases import FEATURES, Releases
from tests.soak.soak import soak
from tests.soak.tally import Tally

SLOW = ("API server: SIG", "way to the API server: silent")
"""An API server takes seconds to start, and a silent watch is believed for more than a minute."""
ONE = FEATURES[0]


@pytest.mark.timeout(600)
def test_some_seconds_of_faults_end_in_the_right_state(tmp_path: Path, control_plane: ControlPlane) -> None:
    def is_slow(name: str) -> bool:
        return name.startswith(SLOW)

    outcome = soak(tmp_path, control_plane, seed=11, seconds=12, say=print, without=is_slow, stop_seconds=60)
    assert outcome.tally.offences == []
    assert {"features read whole", "probes", "feature-loader verify"} <= outcome.tally.checks.keys()
    assert outcome.tally.actions.total() > 0
    assert outcome.tally.faults.total() > 0


def test_the_same_seed_makes_the_same_choice() -> None:
    kinds = {name: Kind(1, 0, 9) for name in ("one", "two", "three")}

    def chosen(seed: int) -> list[tuple[float, str, float, float]]:
        return [(step.at, step.name, step.seconds, step.rng.random()) for step in plan(seed, 60, kinds, kinds)]

    assert chosen(1) == chosen(1)
    assert chosen(1) != chosen(2)


def _empty(root: Path) -> None:
    (root / ONE / "1.1.0" / "own.bin").write_bytes(b"")


def _edit(root: Path) -> None:
    path = root / ONE / "1.1.0" / "own.bin"
    path.write_bytes(bytes(path.stat().st_size))


def _remove(root: Path) -> None:
    (root / ONE / "1.1.0" / "empty.txt").unlink()


def _add(root: Path) -> None:
    (root / ONE / "1.1.0" / "stranger.txt").write_bytes(b"")


def _go_back(root: Path) -> None:
    path = root / ONE / "releases.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "sequence": 0}))


def _take_away(root: Path) -> None:
    (root / ONE / "releases.json").unlink()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_empty, "own.bin has 0 bytes"),
        (_edit, "own.bin has other bytes"),
        (_remove, "empty.txt is missing"),
        (_add, "stranger.txt is in no manifest"),
        (_go_back, "sequence 0 after 1"),
        (_take_away, "is absent"),
    ],
)
def test_what_is_wrong_below_a_root_is_seen(tmp_path: Path, damage: Callable[[Path], None], said: str) -> None:
    root, tally = tmp_path / "root", Tally()
    for name, data in Releases(tmp_path / "dist").published(frozenset({ONE})).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    reader = Reader("one", root, tally, lambda feature_id: True)
    reader.read()
    assert tally.offences == []
    damage(root)
    reader.read()
    (offence,) = tally.offences
    assert said in offence
