"""I3: the remote index follows the release indexes, in few commits."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from artifact.errors import TransientError
from artifact.versions import Version
from publisher import release
from publisher.changes import Change, announce, follow
from publisher.content_types import private
from publisher.publish import publish
from publisher.sources import DirectorySource
from tests.publisher.platform import bodies, deliver
from tests.publisher.world import BECAUSE, FEATURE, World
from tests.simulator.faults import Died, Faulty


def release_version(world: World, version: str = "1.0.0", feature_id: str = FEATURE) -> None:
    """Publish, and announce: what ingest does."""
    publish(world.env, DirectorySource(world.directory(version, feature_id), world.env.limits), actor="tester")
    announce(world.pipeline, feature_id)


def purged(world: World) -> list[list[str]]:
    return world.edge.calls


def test_a_change_is_followed_by_the_remote_index_and_a_purge_of_the_two_pointers(world: World) -> None:
    release_version(world)
    deliver(world.pipeline)
    assert [entry.feature_id for entry in world.remote().entries] == [FEATURE]
    assert purged(world) == [[f"/{FEATURE}/releases.json", "/remote-index.json"]]


def test_many_changes_are_one_commit_and_one_purge(world: World) -> None:
    features = [f"feature-{number:02}" for number in range(30)]
    for feature_id in features:
        release_version(world, feature_id=feature_id)
    deliver(world.pipeline)
    assert world.remote().sequence == 1
    assert [entry.feature_id for entry in world.remote().entries] == features
    assert len(purged(world)) == 1


def test_a_change_that_is_announced_twice_is_committed_once(world: World) -> None:
    release_version(world)
    announce(world.pipeline, FEATURE)
    deliver(world.pipeline)
    announce(world.pipeline, FEATURE)
    deliver(world.pipeline)
    assert world.remote().sequence == 1


def test_a_feature_with_a_wrong_state_harms_no_other(world: World, caplog: pytest.LogCaptureFixture) -> None:
    for feature_id in ("feature-a", "feature-b", "feature-c"):
        release_version(world, feature_id=feature_id)
    world.store.put("feature-b/releases.2.json", b"rubbish", private("releases.2.json"))
    with caplog.at_level(logging.ERROR):
        deliver(world.pipeline)
    assert [entry.feature_id for entry in world.remote().entries] == ["feature-a", "feature-c"]
    assert "feature-b" in caplog.text


def test_a_message_whose_change_cannot_be_followed_is_given_back_to_the_platform(world: World) -> None:
    release_version(world)
    pipeline = replace(world.pipeline, environment=world.with_store(Faulty(world.store, fail_at=range(1, 99))))
    with pytest.raises(TransientError):
        follow(pipeline, Change(FEATURE).body())


def test_r6_the_objects_of_a_withdrawn_version_go_and_are_purged_after_the_remote_index_has_followed(
    world: World,
) -> None:
    world.publish("1.0.0")
    world.publish("1.1.0")
    release.withdraw(world.env, FEATURE, Version("1.0.0"), BECAUSE, successor=None)
    announce(world.pipeline, FEATURE, withdrawn=Version("1.0.0"))
    deliver(world.pipeline)
    assert not [name for name in world.objects() if name.startswith(f"{FEATURE}/1.0.0/")]
    assert f"/{FEATURE}/1.0.0/*" in purged(world)[0]
    entry = world.remote().entry(FEATURE)
    assert entry is not None
    assert entry.sequence == 3


def test_a_message_that_tells_of_no_change_is_dropped_with_a_word(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    for body in ("", "[]", "{}", '{"featureId": "Not An Id"}', '{"featureId": "feature-a", "withdrawn": "v1"}'):
        with caplog.at_level(logging.ERROR):
            follow(world.pipeline, body)
        assert "was dropped" in caplog.text
        caplog.clear()
    assert world.objects() == {}


def test_a_message_says_what_was_announced() -> None:
    change = Change("feature-a", Version("1.2.3-rc.1"))
    assert Change.parse(change.body()) == change


def test_w4_more_paths_than_a_purge_takes_are_several_requests(world: World) -> None:
    for number in range(120):
        release_version(world, feature_id=f"feature-{number:03}")
    deliver(world.pipeline)
    calls = purged(world)
    assert all(len(call) <= 100 for call in calls)
    assert {path for call in calls for path in call} == {
        "/remote-index.json",
        *(f"/feature-{number:03}/releases.json" for number in range(120)),
    }
    assert bodies(world.pipeline.purges) == []


def test_t40_a_death_after_any_storage_call_ends_as_one_clean_run(world: World) -> None:
    release_version(world)
    deaths = 0
    while _dies(world, deaths + 1):
        deaths += 1
    assert deaths > 2
    deliver(world.pipeline)
    assert world.remote().sequence == 1


def _dies(world: World, number: int) -> bool:
    dying = replace(world.pipeline, environment=world.with_store(Faulty(world.store, die_at=number)))
    try:
        follow(dying, Change(FEATURE).body())
    except Died:
        return True
    return False
