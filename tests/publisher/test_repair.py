"""R5, T45: what was deleted or overwritten by hand is rebuilt, and what was lost is found."""

from __future__ import annotations

import pytest

from artifact.versions import Version
from publisher import release
from publisher.content_types import pointer, private
from publisher.publish import publish
from publisher.remote import commit_remote
from publisher.repair import repair
from publisher.sources import DirectorySource
from tests.publisher.world import BECAUSE, FEATURE, World
from tests.simulator.faults import Died, Faulty

POINTERS = (f"{FEATURE}/releases.json", "remote-index.json")


@pytest.fixture
def published(world: World) -> dict[str, bytes]:
    """Three features with some history; all objects as they should be."""
    for feature_id in (FEATURE, "feature-b", "feature-c"):
        for version in ("1.0.0", "1.1.0"):
            world.publish(version, feature_id)
    return world.objects()


def spoil(world: World, name: str, how: str) -> None:
    match how:
        case "deleted":
            world.store.delete(name)
        case "rubbish":
            world.store.put(name, b"<html>", private(name))
        case "too long":
            world.store.put(name, b" " * (9 * 1024 * 1024), private(name))
        case "older":
            old = world.store.read(name.replace(".json", ".1.json"), limit=2**20)
            assert old is not None
            world.store.put(name, old.data, pointer(name, 30))


@pytest.mark.parametrize("how", ["deleted", "rubbish", "too long", "older"])
@pytest.mark.parametrize("names", [POINTERS[:1], POINTERS[1:], POINTERS])
def test_t45_a_pointer_that_was_spoilt_by_hand_is_rebuilt_from_the_immutable_states(
    world: World, published: dict[str, bytes], names: tuple[str, ...], how: str
) -> None:
    for name in names:
        spoil(world, name, how)
    found = repair(world.env)
    assert found.moved == ((FEATURE,) if POINTERS[0] in names else ())
    assert found.remote_moved is (POINTERS[1] in names)
    assert (found.unlisted, found.failed) == ((), {})
    assert world.objects() == published
    assert repair(world.env).moved == ()


def test_a_change_whose_message_was_lost_is_found(world: World, published: dict[str, bytes]) -> None:
    publish(world.env, DirectorySource(world.directory("2.0.0"), world.env.limits), actor="tester")
    publish(world.env, DirectorySource(world.directory("1.0.0", "feature-new"), world.env.limits), actor="tester")
    release.remove(world.env, "feature-c", BECAUSE)
    assert repair(world.env).unlisted == ("feature-c", "feature-new", FEATURE)
    commit_remote(world.env, ["feature-c", "feature-new", FEATURE])
    assert repair(world.env).unlisted == ()


def test_a_death_between_state_and_pointer_is_repaired(world: World, published: dict[str, bytes]) -> None:
    dying = Faulty(world.store, die_at=2)
    with pytest.raises(Died):
        release.rollback(world.with_store(dying), FEATURE, Version("1.0.0"), BECAUSE)
    assert dying.log[-1] == f"create {FEATURE}/releases.3.json"
    assert repair(world.env).moved == (FEATURE,)
    assert world.index().active == Version("1.0.0")


def test_a_feature_with_a_wrong_state_is_named_and_harms_no_other(world: World, published: dict[str, bytes]) -> None:
    state = "feature-b/releases.3.json"
    world.store.put(state, b"rubbish", private(state))
    spoil(world, POINTERS[0], "deleted")
    found = repair(world.env)
    assert found.moved == (FEATURE,)
    assert state in str(found.failed["feature-b"])


def test_a_remote_index_that_is_wrong_is_named_and_harms_no_feature(world: World, published: dict[str, bytes]) -> None:
    state = "remote-index.7.json"
    world.store.put(state, b"rubbish", private(state))
    spoil(world, POINTERS[0], "deleted")
    found = repair(world.env)
    assert found.moved == (FEATURE,)
    assert state in str(found.failed["remote-index.json"])
    assert found.unlisted == ()


def test_r4_a_state_that_is_listed_and_was_taken_away_is_named_and_readers_are_not_led_back(
    world: World, published: dict[str, bytes]
) -> None:
    world.store.delete("feature-b/releases.2.json")
    spoil(world, "feature-b/releases.json", "older")
    for name in list(world.objects()):
        if name.startswith("feature-c/"):
            world.store.delete(name)
    found = repair(world.env)
    assert "feature-b/releases.2.json" in str(found.failed["feature-b"])
    assert "feature-c/releases.2.json" in str(found.failed["feature-c"])
    assert found.unlisted == ()


def test_i3_a_removal_that_the_remote_index_tells_otherwise_is_found(world: World, published: dict[str, bytes]) -> None:
    release.remove(world.env, "feature-b", BECAUSE)
    commit_remote(world.env, ["feature-b"])
    assert repair(world.env).unlisted == ()
    world.clock.pass_by(days=1)
    back = DirectorySource(world.directory("2.0.0", "feature-b"), world.env.limits)
    publish(world.env, back, actor="tester")
    release.remove(world.env, "feature-b", BECAUSE)
    publish(world.env, DirectorySource(world.directory("1.0.0", "feature-new"), world.env.limits), actor="tester")
    release.remove(world.env, "feature-new", BECAUSE)
    assert repair(world.env).unlisted == ("feature-b", "feature-new")


def test_only_the_features_that_were_asked_for_are_touched(world: World, published: dict[str, bytes]) -> None:
    for feature_id in (FEATURE, "feature-b"):
        spoil(world, f"{feature_id}/releases.json", "deleted")
    assert repair(world.env, ["feature-b"]).moved == ("feature-b",)
    assert POINTERS[0] not in world.objects()


def test_folders_that_are_no_features_and_unlisted_claims_are_left_alone(
    world: World, published: dict[str, bytes]
) -> None:
    for name in ("Not_A_Feature/releases.json", "feature-claimed/1.0.0/manifest.json"):
        world.store.put(name, b"rubbish", private(name))
    found = repair(world.env)
    assert (found.moved, found.unlisted, found.failed) == ((), (), {})


def test_a_sound_environment_costs_two_requests_a_feature(world: World, published: dict[str, bytes]) -> None:
    counting = Faulty(world.store)
    repair(world.with_store(counting))
    assert len(counting.log) == 2 * 3 + 2 + 1
    assert all(call.startswith(("read", "folders")) for call in counting.log)


def test_t40_a_death_at_any_call_of_a_repair_changes_nothing_about_its_end(
    world: World, published: dict[str, bytes]
) -> None:
    deaths = 0
    while True:
        for name in POINTERS:
            spoil(world, name, "deleted")
        try:
            repair(world.with_store(Faulty(world.store, die_at=deaths + 1)))
        except Died:
            deaths += 1
        else:
            break
        repair(world.env)
        assert world.objects() == published
    assert deaths > 9
