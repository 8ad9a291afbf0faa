"""B2-B4: one bundle, from its name in `incoming` to its receipt."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from artifact.errors import Code, TransientError
from publisher.content_types import private
from publisher.ingest import ingest
from publisher.pipeline import Pipeline
from tests.publisher.platform import bundle_of, deliver, names, receipts, submit
from tests.publisher.world import FEATURE, World
from tests.simulator.faults import Faults, Faulty, faulty
from tests.versions import version_directory

NAME = f"{FEATURE}/1.0.0.tar.gz"


@pytest.fixture
def pipeline(world: World) -> Pipeline:
    return world.pipeline


def test_b4_a_published_bundle_stays_and_its_receipt_says_what_came_of_it(world: World, pipeline: Pipeline) -> None:
    submit(pipeline, NAME, bundle_of(world.directory("1.0.0")))
    result = ingest(pipeline, NAME)
    assert result is not None
    (receipt,) = receipts(pipeline)
    assert receipt["status"] == "published"
    assert (receipt["featureId"], receipt["version"], receipt["bundle"]) == (FEATURE, "1.0.0", f"incoming/{NAME}")
    assert (receipt["sequence"], receipt["files"], receipt["attempt"]) == (1, 4, 1)
    assert names(pipeline.incoming) == [NAME]
    deliver(pipeline)
    assert world.remote().entries[0].feature_id == FEATURE


def test_b5_a_bundle_that_is_delivered_twice_is_a_no_op_that_succeeds(world: World, pipeline: Pipeline) -> None:
    submit(pipeline, NAME, bundle_of(world.directory("1.0.0")))
    ingest(pipeline, NAME)
    deliver(pipeline)
    before, answered = world.objects(), receipts(pipeline)
    ingest(pipeline, NAME)
    deliver(pipeline)
    assert receipts(pipeline) == answered
    assert world.objects() == before


def test_b4_the_same_bundle_uploaded_again_is_a_no_op_whose_receipt_says_unchanged(
    world: World, pipeline: Pipeline
) -> None:
    submit(pipeline, NAME, bundle_of(world.directory("1.0.0")))
    ingest(pipeline, NAME)
    before = world.objects()
    submit(pipeline, NAME, bundle_of(world.directory("1.0.0")))
    ingest(pipeline, NAME)
    assert [receipt.get("unchanged") for receipt in receipts(pipeline)] == [None, True]
    assert world.objects() == before


def test_a_forged_bundle_is_moved_aside_with_its_reason_in_one_line_and_the_next_one_is_published(
    world: World, pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    forged = bundle_of(version_directory(world.folder / "forged", world.keys.stranger))
    submit(pipeline, NAME, forged)
    with caplog.at_level(logging.INFO):
        assert ingest(pipeline, NAME) is None
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert "S3" in line
    assert "stranger" in line
    assert "\n" not in line
    (receipt,) = receipts(pipeline)
    assert receipt["status"] == "rejected"
    assert receipt["error"]["code"] == Code.KEY_UNKNOWN
    assert names(pipeline.incoming) == []
    (moved,) = names(pipeline.quarantine)
    assert moved.startswith(NAME)
    found = pipeline.quarantine.read(moved, limit=2**20)
    assert found is not None
    assert found.data == forged
    assert world.objects() == {}
    submit(pipeline, NAME, bundle_of(world.directory("1.0.0")))
    assert ingest(pipeline, NAME) is not None


@pytest.mark.parametrize("name", ["Feature_X/1.0.0.tar.gz", "readme.txt"])
def test_b4_with_a_bad_feature_id_there_is_only_quarantine_and_a_log_line(pipeline: Pipeline, name: str) -> None:
    submit(pipeline, name, b"anything")
    assert ingest(pipeline, name) is None
    assert receipts(pipeline) == []
    assert len(names(pipeline.quarantine)) == 1


def test_b4_where_the_name_has_no_valid_version_the_receipt_stands_under_the_raw_name(pipeline: Pipeline) -> None:
    submit(pipeline, f"{FEATURE}/v1.tar.gz", b"anything")
    assert ingest(pipeline, f"{FEATURE}/v1.tar.gz") is None
    (name,) = names(pipeline.receipts)
    assert name.startswith(f"{FEATURE}/v1/")


def test_b4_a_fault_is_a_failed_receipt_and_is_raised_for_the_platform_to_retry(
    world: World, pipeline: Pipeline
) -> None:
    submit(pipeline, NAME, bundle_of(world.directory("1.0.0")))
    broken = replace(pipeline, environment=world.with_store(Faulty(world.store, fail_at=2)))
    with pytest.raises(TransientError):
        ingest(broken, NAME)
    (receipt,) = receipts(pipeline)
    assert receipt["status"] == "failed"
    ingest(pipeline, NAME)
    (receipt,) = receipts(pipeline)
    assert (receipt["status"], receipt["attempt"]) == ("published", 2)


def test_a_wrong_state_in_storage_is_no_fault_of_the_bundle(world: World, pipeline: Pipeline) -> None:
    submit(pipeline, NAME, bundle_of(world.directory("1.0.0")))
    state = f"{FEATURE}/releases.1.json"
    world.store.create(state, b"rubbish", private(state))
    with pytest.raises(Exception, match=state):
        ingest(pipeline, NAME)
    assert names(pipeline.incoming) == [NAME]
    assert receipts(pipeline)[0]["status"] == "failed"


def test_a_bundle_that_is_gone_is_no_error(pipeline: Pipeline) -> None:
    assert ingest(pipeline, NAME) is None


def test_b5_a_final_receipt_stands_whatever_another_instance_runs_into(world: World, pipeline: Pipeline) -> None:
    """One is rejecting the bundle, and moves it aside, while the other still reads it."""
    submit(pipeline, NAME, bundle_of(version_directory(world.folder / "forged", world.keys.stranger)))

    class Meanwhile(Faults):
        def reached(self, number: int) -> None:
            if number == 2:
                ingest(pipeline, NAME)

    with pytest.raises(TransientError):
        ingest(faulty(pipeline, Meanwhile()), NAME)
    (receipt,) = receipts(pipeline)
    assert (receipt["status"], receipt["error"]["code"]) == ("rejected", Code.KEY_UNKNOWN)
