"""R6 on what is stored."""

from __future__ import annotations

import pytest

from artifact.errors import Code, TransientError
from artifact.versions import Version
from publisher import release
from tests.publisher.world import BECAUSE, FEATURE, World


def test_r6_a_canary_is_promoted_only_after_it_has_soaked_or_by_force_with_a_reason(world: World) -> None:
    world.publish("1.0.0")
    world.publish("1.1.0", channel="canary")
    assert world.index().channels == {"stable": "1.0.0", "canary": "1.1.0"}
    world.clock.pass_by(minutes=29)
    with pytest.raises(TransientError) as caught:
        release.promote(world.env, FEATURE, None, BECAUSE)
    assert caught.value.code is Code.CONFLICT
    world.clock.pass_by(minutes=1)
    release.promote(world.env, FEATURE, None, BECAUSE)
    assert world.index().channels == {"stable": "1.1.0"}
    world.publish("1.2.0", channel="canary")
    release.promote(world.env, FEATURE, Version("1.2.0"), BECAUSE, force=True)
    assert world.index().active == Version("1.2.0")


def test_r6_soak_counts_from_the_sequence_that_made_it_canary_whatever_happened_since(world: World) -> None:
    world.publish("1.0.0")
    world.publish("1.1.0", channel="canary")
    world.clock.pass_by(minutes=20)
    release.refresh(world.env, FEATURE, BECAUSE)
    world.clock.pass_by(minutes=15)
    assert release.promote(world.env, FEATURE, None, BECAUSE).index.active == Version("1.1.0")


def test_r4_a_roll_back_is_a_higher_sequence_that_says_who_and_why(world: World) -> None:
    world.publish("1.0.0")
    world.publish("1.1.0")
    index = release.rollback(world.env, FEATURE, Version("1.0.0"), BECAUSE).index
    assert (index.sequence, index.active) == (3, Version("1.0.0"))
    assert index.change == BECAUSE


def test_r6_a_withdrawn_versions_objects_are_deleted_its_manifest_last(world: World) -> None:
    world.publish("1.0.0")
    world.publish("1.1.0")
    release.withdraw(world.env, FEATURE, Version("1.1.0"), BECAUSE, successor=Version("1.0.0"))
    deleted = release.delete_version(world.env, FEATURE, Version("1.1.0"))
    assert deleted == 5
    assert not [name for name in world.objects() if name.startswith(f"{FEATURE}/1.1.0/")]
    assert [gone.version for gone in world.index().withdrawn] == [Version("1.1.0")]


def test_an_action_on_a_feature_that_was_never_published_says_so(world: World) -> None:
    with pytest.raises(TransientError) as caught:
        release.rollback(world.env, FEATURE, Version("1.0.0"), BECAUSE)
    assert caught.value.code is Code.NOT_FOUND
