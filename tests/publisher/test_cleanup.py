"""B4, C6: bundles, receipts and records go in their time, and nothing that anybody may still ask for."""

from __future__ import annotations

from datetime import timedelta

import pytest

from artifact.versions import Version
from publisher import cleanup, release
from publisher.content_types import immutable
from publisher.ingest import ingest
from publisher.pipeline import Retention
from tests.publisher.platform import bundle_of, deliver, names, submit
from tests.publisher.world import BECAUSE, FEATURE, World


@pytest.fixture
def world(world: World) -> World:
    for minor in range(4):
        world.publish(f"1.{minor}.0")
    return world


def test_b4_what_the_app_no_longer_needs_goes_in_its_time(world: World) -> None:
    pipeline = world.pipeline
    submit(pipeline, f"{FEATURE}/2.0.0.tar.gz", bundle_of(world.directory("2.0.0")))
    ingest(pipeline, f"{FEATURE}/2.0.0.tar.gz")
    submit(pipeline, f"{FEATURE}/3.0.0.tar.gz", b"rubbish")
    ingest(pipeline, f"{FEATURE}/3.0.0.tar.gz")
    submit(pipeline, f"{FEATURE}/4.0.0.tar.gz", bundle_of(world.directory("4.0.0")))
    deliver(pipeline)
    begun = world.clock.now
    went: dict[str, int] = {}
    for days in (1, 6, 8, 29, 31, 89, 91, 900):
        world.clock.now = begun + timedelta(days=days)
        for leftover in list(cleanup.plan(pipeline)):
            assert cleanup.carry_out(pipeline, leftover)
            went[f"{leftover.container}/{leftover.name.split('/')[1]}"] = days
    assert went == {
        "incoming/2.0.0.tar.gz": 8,
        next(key for key in went if key.startswith("quarantine/")): 31,
        "state/ended": 31,
        "receipts/3.0.0": 91,  # that of 2.0.0 stays: the version is listed
    }
    assert names(pipeline.incoming) == [f"{FEATURE}/4.0.0.tar.gz"]  # nobody has answered it yet


def test_b4_the_receipt_of_a_version_that_is_listed_no_more_goes(world: World) -> None:
    pipeline = world.pipeline
    for version in ("2.0.0", "3.0.0"):
        submit(pipeline, f"{FEATURE}/{version}.tar.gz", bundle_of(world.directory(version)))
        ingest(pipeline, f"{FEATURE}/{version}.tar.gz")
    for name in names(pipeline.incoming):
        pipeline.incoming.delete(name)
    release.withdraw(world.env, FEATURE, Version("2.0.0"), BECAUSE, successor=None)
    world.clock.pass_by(days=91)
    assert [leftover.name.split("/")[1] for leftover in cleanup.plan(pipeline)] == ["2.0.0"]


def test_b4_a_receipt_stays_while_its_bundle_does_or_its_index_cannot_be_read(world: World) -> None:
    pipeline = world.pipeline_of(retention=Retention(incoming=timedelta(days=365)))
    name = f"{FEATURE}/1.2.0.tar.gz"
    submit(pipeline, name, bundle_of(world.directory("1.2.0")))
    ingest(pipeline, name)
    release.withdraw(world.env, FEATURE, Version("1.2.0"), BECAUSE, successor=None)
    world.clock.pass_by(days=91)
    assert list(cleanup.plan(pipeline)) == []
    pipeline.incoming.delete(name)
    assert len(list(cleanup.plan(pipeline))) == 1
    world.store.put(f"{FEATURE}/releases.6.json", b"rubbish", immutable("x.json"))
    assert list(cleanup.plan(pipeline)) == []


def test_b4_a_bundle_that_was_uploaded_again_since_the_plan_stays(world: World) -> None:
    pipeline = world.pipeline
    name, data = f"{FEATURE}/2.0.0.tar.gz", bundle_of(world.directory("2.0.0"))
    submit(pipeline, name, data)
    ingest(pipeline, name)
    world.clock.pass_by(days=8)
    (leftover,) = cleanup.plan(pipeline)
    submit(pipeline, name, data)
    assert cleanup.carry_out(pipeline, leftover) is False
    assert names(pipeline.incoming) == [name]
