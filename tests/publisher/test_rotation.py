"""S6, T46: a new release key takes over, and no reader refuses anything meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from artifact.errors import ConfigurationError
from artifact.keys import KeySigner, PrivateKey
from artifact.trust import TrustStore
from loader_cdn.report import Result
from publisher.content_types import private
from publisher.remote import commit_remote
from publisher.rotation import rotate
from tests.publisher.world import BECAUSE, FEATURE, World
from tests.simulator.environment import Delivery, delivery, trust_without
from tests.simulator.faults import Died, Faulty

FEATURES = ("feature-a", "feature-b", FEATURE)


@pytest.fixture
def readers(tmp_path: Path) -> Iterator[Delivery]:
    """Three features, published by the old key and read by a loader."""
    with delivery(tmp_path) as found:
        for feature_id in FEATURES:
            found.publish("1.0.0", feature_id)
        found.sync()
        yield found


def with_successor(world: World) -> dict[str, Any]:
    """The world signs with a new key from now on; the trust store that holds both."""
    signer = KeySigner("release-next", PrivateKey.generate())
    document = world.keys.trust_document()
    document["release-next"] = {**document["release-test"], "publicKey": signer.key.public().pem()}
    trust = TrustStore.parse(json.dumps(document).encode(), source="both")
    world.env = replace(world.env, trust=trust, signer=signer)
    return document


def results(readers: Delivery, trust: str) -> set[Result]:
    report = readers.sync(trust_keys=trust)
    assert report.error is None
    return {row.result for row in report.rows}


def test_s6_t46_readers_follow_a_rotation_without_a_refusal_and_the_old_key_can_go(readers: Delivery) -> None:
    both = with_successor(readers.world)
    assert results(readers, json.dumps(both)) == {Result.UNCHANGED}
    rotated = rotate(readers.world.env, BECAUSE)
    assert (rotated.signed, rotated.failed) == (FEATURES, {})
    without_old = trust_without(both, readers.world.keys.release)
    assert results(readers, json.dumps(both)) == {Result.UPDATED}
    assert results(readers, without_old) == {Result.UNCHANGED}
    assert {readers.head(feature_id).index.sequence for feature_id in FEATURES} == {2}


def test_s6_a_rotation_that_was_stopped_goes_on_where_it_was(readers: Delivery) -> None:
    world = readers.world
    with_successor(world)
    deaths = 0
    while True:
        try:
            rotate(world.with_store(Faulty(world.store, die_at=5 * (deaths + 1))), BECAUSE)
        except Died:
            deaths += 1
        else:
            break
    assert deaths > 2
    for feature_id in FEATURES:
        assert world.index(feature_id).sequence == 2
    before = world.objects()
    rotated = rotate(world.env, BECAUSE)
    assert (rotated.signed, set(rotated.already)) == ((), set(FEATURES))
    assert world.objects() == before
    assert [entry.sequence for entry in world.remote().entries] == [2, 2, 2]


def test_s6_what_somebody_publishes_meanwhile_is_not_lost(readers: Delivery) -> None:
    world = readers.world
    old = world.env.signer
    with_successor(world)
    rotate(world.env, BECAUSE)
    new, world.env = world.env, replace(world.env, signer=old)
    world.publish("1.1.0", "feature-a")  # by an instance that still has the old key
    assert rotate(new, BECAUSE).signed == ("feature-a",)
    assert (world.index("feature-a").sequence, world.index("feature-a").active.text) == (4, "1.1.0")


def test_s6_one_feature_that_is_wrong_stops_no_other(readers: Delivery) -> None:
    world = readers.world
    with_successor(world)
    world.store.put("feature-b/releases.2.json", b"rubbish", private("x.json"))
    commit_remote(world.env, ["feature-a"])
    rotated = rotate(world.env, BECAUSE)
    assert "feature-b" in str(rotated.failed["feature-b"])
    assert world.index("feature-a").sequence == 2
    assert world.index(FEATURE).sequence == 2


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (None, "not in the trust store"),
        ({"roles": ["releases"]}, "lacks a role"),
        ({"features": ["feature-a"]}, "outside the new key's scope"),
    ],
)
def test_s6_a_key_that_readers_would_not_trust_signs_nothing(
    readers: Delivery, entry: dict[str, Any] | None, text: str
) -> None:
    world = readers.world
    both = with_successor(world)
    document = {**both, "release-next": {**both["release-next"], **entry}} if entry else world.keys.trust_document()
    trust = TrustStore.parse(json.dumps(document).encode(), source="trust.json")
    before = world.objects()
    with pytest.raises(ConfigurationError, match=text):
        rotate(replace(world.env, trust=trust), BECAUSE)
    assert world.objects() == before
