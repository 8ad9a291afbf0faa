"""B4: poison messages end in a receipt, and nothing is lost that could be saved."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from artifact.errors import TransientError
from publisher.ingest import ingest
from publisher.pipeline import Pipeline
from publisher.sweep import HIDDEN, OVERDUE, TRIES, find_lost, sweep
from tests.publisher.platform import bodies, bundle_of, deliver, names, receipts, submit
from tests.publisher.world import FEATURE, World
from tests.simulator.faults import Faulty
from tests.versions import version_directory

NAME = f"{FEATURE}/1.0.0.tar.gz"


@pytest.fixture
def pipeline(world: World) -> Pipeline:
    """A bundle waits, whose event the platform has given up."""
    submit(world.pipeline, NAME, bundle_of(world.directory("1.0.0")))
    poison(world.pipeline, NAME)
    return world.pipeline


def poison(pipeline: Pipeline, name: str) -> None:
    event = {
        "Type": "BlobTrigger",
        "FunctionId": "Host.Functions.ingest",
        "ContainerName": "incoming",
        "BlobName": name,
    }
    pipeline.poison.put(json.dumps(event))


def broken(world: World, pipeline: Pipeline) -> Pipeline:
    """The same, while the storage answers nothing."""
    return replace(pipeline, environment=world.with_store(Faulty(world.store, fail_at=range(1, 10_000))))


def test_a_bundle_whose_fault_has_passed_is_published_after_all(world: World, pipeline: Pipeline) -> None:
    with pytest.raises(TransientError):
        ingest(broken(world, pipeline), NAME)
    assert receipts(pipeline)[0]["status"] == "failed"
    assert sweep(pipeline) == 1
    deliver(pipeline)
    assert receipts(pipeline)[0]["status"] == "published"
    assert world.index().active.text == "1.0.0"
    assert bodies(pipeline.poison) == []


def test_a_death_that_left_no_word_gets_its_receipt_before_the_next_try(world: World, pipeline: Pipeline) -> None:
    faults = Faulty(world.store, die_at=1)
    with pytest.raises(BaseException, match="read"):
        sweep(replace(pipeline, environment=world.with_store(faults)))
    (receipt,) = receipts(pipeline)
    assert receipt["status"] == "failed"
    assert "ended" in receipt["error"]["message"]


def test_a_bundle_that_fails_again_and_again_is_moved_aside_with_its_receipt(world: World, pipeline: Pipeline) -> None:
    for _ in range(TRIES):
        sweep(broken(world, pipeline))
        assert names(pipeline.incoming) == [NAME]
        world.clock.now += HIDDEN
    sweep(broken(world, pipeline))
    assert names(pipeline.incoming) == []
    assert len(names(pipeline.quarantine)) == 1
    assert receipts(pipeline)[0]["status"] == "failed"
    assert bodies(pipeline.poison) == []


def test_between_two_tries_it_waits(world: World, pipeline: Pipeline) -> None:
    assert sweep(broken(world, pipeline)) == 1
    assert sweep(broken(world, pipeline)) == 0


def test_a_bundle_that_is_wrong_is_rejected_and_not_tried_again(world: World, pipeline: Pipeline) -> None:
    forged = f"{FEATURE}/2.0.0.tar.gz"
    folder = version_directory(world.folder / "forged", world.keys.stranger, version="2.0.0")
    submit(pipeline, forged, bundle_of(folder))
    poison(pipeline, forged)
    sweep(pipeline)
    assert [receipt["status"] for receipt in receipts(pipeline)] == ["published", "rejected"]
    assert bodies(pipeline.poison) == []


def test_what_was_answered_meanwhile_or_is_gone_costs_nothing(world: World, pipeline: Pipeline) -> None:
    ingest(pipeline, NAME)
    before = receipts(pipeline)
    poison(pipeline, "feature-gone/1.0.0.tar.gz")
    sweep(pipeline)
    assert receipts(pipeline) == before
    assert bodies(pipeline.poison) == []


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"ContainerName": "elsewhere", "BlobName": "x"}'])
def test_a_message_that_names_no_bundle_is_dropped(world: World, body: str) -> None:
    world.pipeline.poison.put(body)
    assert sweep(world.pipeline) == 1
    assert bodies(world.pipeline.poison) == []


def test_t41_a_bundle_whose_event_was_lost_is_taken_in_after_a_while(world: World) -> None:
    pipeline = world.pipeline
    submit(pipeline, NAME, bundle_of(world.directory("1.0.0")))
    assert find_lost(pipeline) == 0
    world.clock.now += OVERDUE
    assert find_lost(pipeline) == 1
    assert find_lost(pipeline) == 0
    sweep(pipeline)
    assert receipts(pipeline)[0]["status"] == "published"
    world.clock.now += OVERDUE
    assert find_lost(pipeline) == 0


def test_t41_what_has_no_proper_name_and_whose_event_was_lost_is_moved_aside(world: World) -> None:
    pipeline = world.pipeline
    submit(pipeline, "Not_A_Feature/1.0.0.tar.gz", b"rubbish")
    assert find_lost(pipeline) == 0
    world.clock.now += OVERDUE
    assert find_lost(pipeline) == 1
    sweep(pipeline)
    assert names(pipeline.incoming) == []
    assert [name.rpartition(".")[0] for name in names(pipeline.quarantine)] == ["Not_A_Feature/1.0.0.tar.gz"]
    assert find_lost(pipeline) == 0
