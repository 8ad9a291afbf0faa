"""R6 on what is stored."""

from __future__ import annotations

from dataclasses import replace

import pytest

from artifact.errors import Code, ContentError, TransientError
from artifact.keys import KeySigner, PrivateKey
from artifact.versions import Version
from publisher import release
from publisher.content_types import immutable
from publisher.indexes import releases_of
from publisher.remote import commit_remote
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


def test_s6_the_history_is_walked_by_its_hashes_when_the_key_that_signed_it_is_gone(world: World) -> None:
    world.publish("1.0.0")
    world.publish("1.1.0", channel="canary")
    successor = KeySigner("release-next", PrivateKey.generate())
    entry = replace(world.env.trust.keys["release-test"], key=successor.key.public())
    keys = {"build-test": world.env.trust.keys["build-test"], "release-next": entry}
    both = replace(world.env.trust, keys={**world.env.trust.keys, "release-next": entry})
    world.clock.pass_by(minutes=31)
    release.refresh(replace(world.env, trust=both, signer=successor), FEATURE, BECAUSE)
    rotated = replace(world.env, trust=replace(both, keys=keys), signer=successor)
    assert release.promote(rotated, FEATURE, None, BECAUSE).index.active == Version("1.1.0")


def test_r3_a_history_that_was_tampered_with_is_refused_as_a_fork(world: World) -> None:
    world.publish("1.0.0")
    world.publish("1.1.0")
    other = replace(world.index(), sequence=1, previous_sha256=None).signed(world.env.signer)
    world.store.put(f"{FEATURE}/releases.1.json", other, immutable("releases.json"))
    chain = releases_of(world.env, FEATURE)
    newest = chain.head()
    assert newest is not None
    with pytest.raises(ContentError) as caught:
        list(chain.history(newest))
    assert caught.value.code is Code.SEQUENCE_FORK


def test_r6_a_version_that_left_the_window_can_still_be_withdrawn(world: World) -> None:
    for minor in range(6):
        world.publish(f"1.{minor}.0")
    gone = Version("1.0.0")
    assert world.index().entry(gone) is None
    release.withdraw(world.env, FEATURE, gone, BECAUSE, successor=None)
    assert world.index().withdrawal(gone) is not None
    with pytest.raises(ContentError) as caught:
        world.publish("1.0.0")
    assert caught.value.code is Code.VERSION_WITHDRAWN


@pytest.mark.parametrize("action", ["withdraw", "refresh", "rollback"])
def test_r6_a_removed_feature_comes_back_by_publishing_and_by_nothing_else(world: World, action: str) -> None:
    world.publish("1.0.0")
    world.publish("1.1.0")
    release.remove(world.env, FEATURE, BECAUSE)
    match action:
        case "withdraw":
            release.withdraw(world.env, FEATURE, Version("1.0.0"), BECAUSE, successor=None)
        case "refresh":
            release.refresh(world.env, FEATURE, BECAUSE)
        case "rollback":
            release.rollback(world.env, FEATURE, Version("1.0.0"), BECAUSE)
    commit_remote(world.env, [FEATURE])
    assert world.remote().entries == ()
    world.publish("1.1.0")
    assert [entry.feature_id for entry in world.remote().entries] == [FEATURE]
