"""What the timers do, on a pipeline in which things went wrong."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from artifact.errors import DeliveryError
from publisher import maintenance
from publisher.content_types import private
from publisher.publish import publish
from publisher.sources import DirectorySource
from tests.publisher.platform import bodies, bundle_of, deliver, receipts, submit
from tests.publisher.world import FEATURE, World


def test_a_change_whose_message_was_lost_is_followed_after_the_timer(world: World) -> None:
    publish(world.env, DirectorySource(world.directory(), world.env.limits), actor="tester")
    maintenance.repair_indexes(world.pipeline)
    deliver(world.pipeline)
    assert world.remote().entry(FEATURE) is not None
    maintenance.repair_indexes(world.pipeline)
    assert bodies(world.pipeline.changes) == []


def test_t45_a_pointer_that_was_deleted_is_back_and_purged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.publish()
    before = world.objects()
    world.store.delete("remote-index.json")
    world.store.delete(f"{FEATURE}/releases.json")
    maintenance.repair_indexes(world.pipeline)
    deliver(world.pipeline)
    assert world.objects() == before
    assert {path for call in world.edge.calls for path in call} == {
        "/remote-index.json",
        f"/{FEATURE}/releases.json",
    }
    assert f"{FEATURE}: the pointer was" in caplog.text


def test_i4_nothing_expires_in_a_year_of_timers(world: World) -> None:
    world.publish()
    for _ in range(365):
        world.clock.pass_by(days=1)
        maintenance.refresh_indexes(world.pipeline)
        deliver(world.pipeline)
        for expires_at in (world.index().expires_at, world.remote().expires_at):
            assert expires_at is not None
            assert expires_at > world.clock.now + timedelta(days=2)
    assert world.index().sequence < 8


def test_a_bundle_whose_event_was_lost_is_published_after_the_timer(world: World) -> None:
    submit(world.pipeline, f"{FEATURE}/1.0.0.tar.gz", bundle_of(world.directory()))
    world.clock.pass_by(minutes=20)
    maintenance.sweep_poison(world.pipeline)
    deliver(world.pipeline)
    assert receipts(world.pipeline)[0]["status"] == "published"
    assert world.remote().entry(FEATURE) is not None


def test_r7_what_goes_is_said_before_it_goes(world: World, caplog: pytest.LogCaptureFixture) -> None:
    for minor in range(6):
        world.publish(f"1.{minor}.0")
    world.clock.pass_by(days=31)
    with caplog.at_level(logging.INFO):
        maintenance.remove_old(world.pipeline)
    assert f"{FEATURE} 1.0.0: no index" in caplog.text
    assert f"{FEATURE}/1.0.0/index.js" not in world.objects()
    assert f"{FEATURE}/1.1.0/index.js" in world.objects()


def test_one_feature_that_is_wrong_harms_no_other_and_the_run_says_so(world: World) -> None:
    for feature_id in ("feature-a", "feature-b", "feature-c"):
        world.publish(feature_id=feature_id)
    world.store.put("feature-b/releases.2.json", b"rubbish", private("releases.2.json"))
    world.clock.pass_by(days=61)
    for run in (maintenance.repair_indexes, maintenance.refresh_indexes, maintenance.remove_old):
        with pytest.raises(DeliveryError, match="feature-b"):
            run(world.pipeline)
    deliver(world.pipeline)
    assert [entry.sequence for entry in world.remote().entries] == [2, 1, 2]
