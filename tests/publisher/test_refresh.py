"""I4: nothing expires while the timer runs, and nothing is signed without need."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest

from artifact.actions import Policy
from publisher import release
from publisher.content_types import private
from publisher.ports import ObjectData
from publisher.refresh import refresh_due
from publisher.remote import commit_remote
from publisher.repair import repair
from tests.publisher.world import BECAUSE, FEATURE, World
from tests.simulator.faults import Died, Faulty


@pytest.fixture
def world(world: World) -> World:
    world.publish("1.0.0")
    world.publish("1.0.0", "feature-b")
    return world


def test_nothing_is_signed_while_nothing_is_due(world: World) -> None:
    before = world.objects()
    world.clock.pass_by(days=3)
    found = refresh_due(world.env)
    assert (found.features, found.remote, found.failed) == ((), False, {})
    assert world.objects() == before


def test_the_remote_index_is_signed_again_when_half_of_its_validity_is_over(world: World) -> None:
    world.clock.pass_by(days=3, hours=13)
    assert refresh_due(world.env).remote is True
    assert world.remote().expires_at == world.clock.now + timedelta(days=7)
    assert [entry.sequence for entry in world.remote().entries] == [1, 1]
    assert refresh_due(world.env).remote is False


def test_release_indexes_are_signed_again_when_a_third_of_their_validity_is_left(world: World) -> None:
    world.clock.pass_by(days=61)
    found = refresh_due(world.env)
    assert found.features == ("feature-b", FEATURE)
    index = world.index()
    assert index.change is not None
    assert (index.sequence, index.change.action, index.change.actor) == (2, "refresh", "timer")
    assert index.expires_at == world.clock.now + timedelta(days=90)
    commit_remote(world.env, found.features)
    assert refresh_due(world.env).features == ()


def test_a_removed_feature_is_signed_again_and_stays_removed(world: World) -> None:
    release.remove(world.env, FEATURE, BECAUSE)
    commit_remote(world.env, [FEATURE])
    world.clock.pass_by(days=61)
    assert FEATURE in refresh_due(world.env).features
    commit_remote(world.env, [FEATURE])
    assert world.remote().entry(FEATURE) is None


def test_a_policy_without_expiry_is_applied_and_so_is_its_end(world: World) -> None:
    usual = world.env.policy
    world.env = replace(world.env, policy=Policy(releases_validity=None, remote_validity=None))
    for policy, expected in ((world.env.policy, None), (usual, world.clock.now + timedelta(days=90))):
        world.env = replace(world.env, policy=policy)
        found = refresh_due(world.env)
        assert (found.features, found.remote) == (("feature-b", FEATURE), True)
        assert world.index().expires_at == expected
        assert refresh_due(world.env).features == ()


class Racing(Faulty):
    """Somebody else refreshes between our look at an index and our commit."""

    def __init__(self, world: World, pointer: str) -> None:
        super().__init__(world.store)
        self._world, self._pointer = world, pointer

    def read(self, name: str, *, limit: int) -> ObjectData | None:
        if name == self._pointer and self.log.count(f"read {name}") == 1:
            refresh_due(self._world.env)
        return super().read(name, limit=limit)


@pytest.mark.parametrize("pointer", [f"{FEATURE}/releases.json", "remote-index.json"])
def test_one_that_somebody_else_has_just_signed_is_not_signed_again(world: World, pointer: str) -> None:
    world.clock.pass_by(days=61)
    racing = Racing(world, pointer)
    refresh_due(world.with_store(racing))
    assert racing.log.count(f"read {pointer}") > 1
    assert (world.index().sequence, world.remote().sequence) == (2, 3)


def test_i4_one_index_that_is_wrong_keeps_no_other_from_being_signed(world: World) -> None:
    for state in ("remote-index.3.json", "feature-b/releases.2.json"):
        world.store.put(state, b"rubbish", private(state))
    world.clock.pass_by(days=61)
    found = refresh_due(world.env)
    assert (found.features, found.remote) == ((FEATURE,), False)
    assert found.failed.keys() == {"feature-b", "remote-index.json"}


def test_t40_a_death_at_any_call_of_a_refresh_changes_nothing_about_its_end(world: World) -> None:
    world.clock.pass_by(days=61)
    clean = world.copy()
    refresh_due(clean.env)
    for death in count(1):
        dying = world.copy()
        try:
            refresh_due(dying.with_store(Faulty(dying.store, die_at=death)))
        except Died:
            repair(dying.env)
            refresh_due(dying.env)
            assert dying.objects() == clean.objects()
        else:
            break
    assert death > 10
