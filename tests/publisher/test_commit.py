"""R5: the commit. T40: death after every storage call; T43: lost answers; T45: damaged pointers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from artifact.errors import DeliveryError, TransientError
from artifact.paths import Limits
from artifact.versions import Version
from publisher import release
from publisher.adapters.memory import MemoryStore
from publisher.content_types import pointer
from publisher.indexes import releases_of, remote_of
from publisher.publish import publish
from publisher.remote import commit_remote
from publisher.sources import DirectorySource
from tests.publisher.world import BECAUSE, FEATURE, World
from tests.simulator.faults import Died, Faults, Faulty

FAULTS = ("fail", "lose", "die")


def story(world: World, store: object) -> Callable[[], None]:
    """Two versions and a roll-back, as an operator would repeat them until they succeed."""
    first, second = (DirectorySource(world.directory(version), Limits()) for version in ("1.0.0", "1.1.0"))
    env = world.with_store(store)

    def run() -> None:
        publish(env, first, actor="tester")
        publish(env, second, actor="tester")
        head = releases_of(env, FEATURE).head()
        if head is not None and head.index.active == Version("1.1.0"):
            release.rollback(env, FEATURE, Version("1.0.0"), BECAUSE)
        commit_remote(env, [FEATURE])

    return run


def seen_by_readers(world: World, store: MemoryStore) -> tuple[object, ...]:
    """Versions, active version, channels, withdrawals and blobs (B5)."""
    env = world.with_store(store)
    releases, remote = releases_of(env, FEATURE).head(), remote_of(env).head()
    assert releases is not None
    assert remote is not None
    pointers = [store.read(name, limit=2**20) for name in (f"{FEATURE}/releases.json", "remote-index.json")]
    assert [found.data for found in pointers if found is not None] == [releases.data, remote.data]
    index = releases.index
    blobs = sorted(info.name for info in store.list(f"{FEATURE}/1."))
    return [entry.version for entry in index.entries], index.active, index.channels, index.withdrawn, blobs


def calls_of_a_clean_run(world: World) -> int:
    faulty = Faulty(MemoryStore())
    story(world, faulty)()
    return faulty.calls


@pytest.mark.parametrize("fault", FAULTS)
def test_t40_t43_a_fault_at_any_storage_call_ends_after_a_repeat_as_one_clean_run(world: World, fault: str) -> None:
    clean = MemoryStore()
    story(world, clean)()
    expected = seen_by_readers(world, clean)
    for number in range(1, calls_of_a_clean_run(world) + 1):
        store, at = MemoryStore(), cast("Any", {f"{fault}_at": number})
        run = story(world, Faulty(store, Faults(**at)))
        try:
            run()
        except (TransientError, Died):
            story(world, store)()
        assert seen_by_readers(world, store) == expected, f"{fault} at call {number}"


def test_r5_every_state_ever_published_stays_readable_and_is_bound_to_the_one_before(world: World) -> None:
    for version in ("1.0.0", "1.1.0"):
        world.publish(version)
    release.rollback(world.env, FEATURE, Version("1.0.0"), BECAUSE)
    chain = releases_of(world.env, FEATURE)
    newest = chain.head()
    assert newest is not None
    states = list(chain.history(newest))
    assert [state.index.sequence for state in states] == [3, 2, 1]
    assert [state.index.previous_sha256 for state in states] == [states[1].sha256, states[2].sha256, None]


@pytest.mark.parametrize("damage", [None, b"rubbish", b"x" * (2 * 1024 * 1024)])
def test_t45_a_pointer_that_is_gone_or_damaged_is_passed_over_and_written_anew(
    world: World, damage: bytes | None
) -> None:
    world.publish("1.0.0")
    name = f"{FEATURE}/releases.json"
    world.store.delete(name)
    if damage is not None:
        assert world.store.replace(name, damage, pointer(name, 30), etag=None)
    world.publish("1.1.0")
    index = world.index()
    assert (index.sequence, index.active) == (2, Version("1.1.0"))
    found = world.store.read(name, limit=2**20)
    newest = releases_of(world.env, FEATURE).state(2)
    assert newest is not None
    assert found is not None
    assert found.data == newest.data


def test_t45_a_pointer_that_was_set_back_loses_no_sequence(world: World) -> None:
    world.publish("1.0.0")
    name = f"{FEATURE}/releases.json"
    old = world.store.read(name, limit=2**20)
    assert old is not None
    world.publish("1.1.0")
    there = world.store.read(name, limit=2**20)
    assert there is not None
    assert world.store.replace(name, old.data, pointer(name, 30), etag=there.etag)
    world.publish("1.2.0")
    assert (world.index().sequence, world.index().active) == (3, Version("1.2.0"))


def test_t07_a_state_that_somebody_else_wrote_is_refused_and_not_built_upon(world: World) -> None:
    world.publish("1.0.0")
    stranger = replace(world.env, signer=world.keys.stranger)
    forged = replace(world.index(), sequence=2, previous_sha256=None).signed(stranger.signer)
    name = f"{FEATURE}/releases.2.json"
    world.store.create(name, forged, pointer(name, 30))
    with pytest.raises(DeliveryError) as caught:
        world.publish("1.1.0")
    assert caught.value.code == "key_unknown"
    assert name in str(caught.value)


def test_i3_a_removed_feature_is_named_in_withdrawn_and_comes_back_with_its_next_version(world: World) -> None:
    world.publish("1.0.0")
    world.publish("2.0.0", "feature-other")
    release.remove(world.env, FEATURE, BECAUSE)
    commit_remote(world.env, [FEATURE])
    remote = world.remote()
    assert [entry.feature_id for entry in remote.entries] == ["feature-other"]
    assert [(gone.feature_id, gone.reason) for gone in remote.withdrawn] == [(FEATURE, "a test")]
    world.publish("1.1.0")
    remote = world.remote()
    assert [entry.feature_id for entry in remote.entries] == ["feature-other", FEATURE]
    assert remote.withdrawn == ()


def test_i3_one_commit_serves_many_changed_features(world: World) -> None:
    for feature_id in ("feature-a", "feature-b", "feature-c"):
        folder = world.directory("1.0.0", feature_id)
        publish(world.env, DirectorySource(folder, Limits()), actor="tester")
    commit_remote(world.env, ["feature-a", "feature-b", "feature-c"])
    assert world.remote().sequence == 1
    assert commit_remote(world.env, ["feature-a"]) is not None
    assert world.remote().sequence == 1
