"""R3: the history is a chain that an auditor can walk."""

from __future__ import annotations

from dataclasses import replace

import pytest

from artifact.errors import Code, ContentError, TransientError
from artifact.keys import KeySigner, PrivateKey
from artifact.versions import Version
from publisher import release
from publisher.chain import StoredStateError
from publisher.content_types import immutable
from publisher.history import Step, history
from publisher.rotation import rotate
from tests.publisher.world import BECAUSE, FEATURE, World


def walk(world: World) -> list[Step]:
    return list(history(world.env.artifacts, world.env.trust, FEATURE, world.env.limits))


@pytest.fixture
def world(world: World) -> World:
    world.publish("1.0.0")
    world.publish("1.1.0")
    release.rollback(world.env, FEATURE, Version("1.0.0"), BECAUSE)
    return world


def test_it_says_who_did_what_when_and_why_newest_first(world: World) -> None:
    steps = [step.document() for step in walk(world)]
    assert [(step["sequence"], step["action"], step["activeVersion"]) for step in steps] == [
        (3, "test", "1.0.0"), (2, "publish", "1.1.0"), (1, "publish", "1.0.0"),
    ]  # fmt: skip
    assert (steps[0]["actor"], steps[0]["reason"], steps[0]["ticket"]) == ("tester", "a test", "T-1")
    assert {step["keyId"] for step in steps} == {"release-test"}
    assert all(step["signed"] for step in steps)


@pytest.mark.parametrize(
    ("damage", "code"),
    [("missing", Code.FILE_MISSING), ("changed", Code.SEQUENCE_FORK), ("rubbish", Code.DOCUMENT_INVALID)],
)
def test_a_state_that_is_missing_or_was_changed_is_named(world: World, damage: str, code: Code) -> None:
    name = f"{FEATURE}/releases.1.json"
    match damage:
        case "missing":
            world.store.delete(name)
        case "changed":
            first = walk(world)[-1].state.index
            world.store.put(name, replace(first, rest={"x": 1}).signed(world.env.signer), immutable(name))
        case "rubbish":
            world.store.put(name, b"rubbish", immutable(name))
    with pytest.raises(StoredStateError, match=r"releases\.1\.json") as caught:
        walk(world)
    assert caught.value.code is code


def test_a_wrong_signature_by_a_trusted_key_is_refused_though_the_hashes_hold(world: World) -> None:
    newest = walk(world)[0].state
    forged = newest.data.replace(b'"reason":"a test"', b'"reason":"forged"')
    world.store.put(f"{FEATURE}/releases.3.json", forged, immutable("x.json"))
    world.store.delete(f"{FEATURE}/releases.json")
    with pytest.raises(ContentError) as caught:
        walk(world)
    assert caught.value.code is Code.SIGNATURE_INVALID


def test_a_feature_that_was_never_published_has_none(world: World) -> None:
    with pytest.raises(TransientError) as caught:
        list(history(world.env.artifacts, world.env.trust, "feature-nobody", world.env.limits))
    assert caught.value.code is Code.NOT_FOUND


def successor(world: World) -> KeySigner:
    """A new release key, trusted beside the old one."""
    signer = KeySigner("release-next", PrivateKey.generate())
    entry = replace(world.env.trust.keys["release-test"], key=signer.key.public())
    keys = {**world.env.trust.keys, "release-next": entry}
    world.env = replace(world.env, trust=replace(world.env.trust, keys=keys))
    return signer


def test_s6_after_a_rotation_old_states_are_vouched_for_by_hash_alone(world: World) -> None:
    signer = successor(world)
    world.env = replace(world.env, signer=signer)
    rotate(world.env, BECAUSE)
    keys = {key_id: key for key_id, key in world.env.trust.keys.items() if key_id != "release-test"}
    world.env = replace(world.env, trust=replace(world.env.trust, keys=keys))
    assert [(step.state.key_id, step.is_signed) for step in walk(world)] == [
        ("release-next", True), ("release-test", False), ("release-test", False), ("release-test", False),
    ]  # fmt: skip
