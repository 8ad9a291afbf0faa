"""T17, B2: whatever stands in `incoming`, nothing is written before all of it is right, and it gets its answer.

The archives themselves are made by hand, header by header, in tests/vectors/making/bundles.py.
"""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from artifact.paths import Limits
from artifact.trust import TrustStore
from publisher.adapters.memory import MemoryStore
from publisher.ingest import ingest
from publisher.pipeline import Pipeline
from tests.publisher.platform import bodies, bundle_of, content, names, receipts, submit
from tests.publisher.world import FEATURE, World
from tests.vectors.judge import accepted, load, store
from tests.vectors.judge import content as vector_content
from tests.versions import FILES, version_directory

NAME = f"{FEATURE}/1.0.0.tar.gz"
REFUSED = [vector for vector in load("bundles.json")["vectors"] if vector["code"] != "ok"]
BLOCK = 512


def pipeline_of(world: World, trust: TrustStore, limits: Limits | None = None) -> Pipeline:
    """An empty environment whose releases the world's key signs, with the builds of another trust store."""
    keys = {**world.env.trust.keys, **trust.keys}
    env = replace(world.env, artifacts=MemoryStore(clock=world.clock), trust=replace(trust, keys=keys))
    return replace(world.pipeline, environment=replace(env, limits=limits or env.limits))


def check_rejected(pipeline: Pipeline, data: bytes, code: str | None, left: Path) -> None:
    """Refused without a retry; nothing written, nothing left on disk, nothing announced; the same bytes put aside."""
    before = sorted(left.iterdir())
    submit(pipeline, NAME, data)
    assert ingest(pipeline, NAME) is None
    (receipt,) = receipts(pipeline)
    assert receipt["status"] == "rejected"
    assert code is None or receipt["error"]["code"] == code
    assert receipt["error"]["rule"]
    assert names(pipeline.environment.artifacts) == []
    assert names(pipeline.incoming) == []
    (aside,) = names(pipeline.quarantine)
    assert content(pipeline.quarantine, aside) == data
    assert bodies(pipeline.changes) == []
    assert sorted(left.iterdir()) == before


@pytest.fixture
def left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.mark.parametrize("vector", REFUSED, ids=lambda vector: vector["name"])
def test_t17_a_hostile_bundle_is_rejected_with_its_code_and_put_aside(
    world: World, left: Path, vector: dict[str, Any]
) -> None:
    check_rejected(pipeline_of(world, store(vector["trust"])), vector_content(vector), vector["code"], left)


def test_after_a_hostile_bundle_the_next_good_one_of_its_name_is_published(world: World, left: Path) -> None:
    good = accepted("bundles.json")[0]
    pipeline = pipeline_of(world, store(good["trust"]))
    check_rejected(pipeline, vector_content(REFUSED[0]), None, left)
    submit(pipeline, NAME, vector_content(good))
    assert ingest(pipeline, NAME) is not None


def test_t17_a_bundle_that_was_cut_anywhere_is_rejected(world: World, left: Path) -> None:
    """At every block of the archive, deflated again as a whole, and at every 31st byte of the deflated one."""
    whole = bundle_of(world.directory())
    archive = gzip.decompress(whole)
    cut_archives = (gzip.compress(archive[:size], 1) for size in range(0, len(archive) - 2 * BLOCK, BLOCK))
    cut_bundles = (whole[:size] for size in range(0, len(whole), 31))
    count = 0
    for data in (*cut_archives, *cut_bundles):
        check_rejected(pipeline_of(world, world.env.trust), data, None, left)
        world.pipeline.incoming.delete(NAME)
        for container in (world.pipeline.receipts, world.pipeline.quarantine):
            for name in names(container):
                container.delete(name)
        count += 1
    assert count > 30


def test_t13_a_bomb_ends_at_the_limits_before_it_is_on_disk(world: World, left: Path) -> None:
    """64 MiB of zeros that the manifest declares, in an environment that takes one MiB a file."""
    folder = version_directory(
        world.folder / "bomb", world.keys.build, files={**FILES, "zeros.bin": bytes(64 * 1024 * 1024)}
    )
    data = bundle_of(folder)
    assert len(data) < 1024 * 1024
    limits = Limits(file_bytes=1024 * 1024, version_bytes=4 * 1024 * 1024)
    check_rejected(pipeline_of(world, world.env.trust, limits), data, "limit_exceeded", left)


@pytest.mark.parametrize("name", ["x", "feature-a", "feature-a/1.0.0.zip", "feature-a/v1.tar.gz", "a/b/1.0.0.tar.gz"])
def test_b1_an_object_under_another_name_is_put_aside(world: World, name: str) -> None:
    submit(world.pipeline, name, b"anything")
    assert ingest(world.pipeline, name) is None
    assert names(world.pipeline.incoming) == []
    assert len(names(world.pipeline.quarantine)) == 1
    assert world.objects() == {}
    assert {receipt["status"] for receipt in receipts(world.pipeline)} <= {"rejected"}
