"""S6, T46: a new release key takes over, and no reader refuses anything meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from artifact.errors import Code, ConfigurationError, ContentError
from artifact.keys import KeySigner, PrivateKey
from artifact.trust import TrustStore
from loader_cdn.report import Result
from publisher import release
from publisher.content_types import private
from publisher.indexes import remote_of
from publisher.ports import ContentSettings, Created
from publisher.remote import commit_remote
from publisher.rotation import dependencies, rotate
from tests.publisher.world import BECAUSE, FEATURE, World
from tests.simulator.environment import Delivery, assert_refused, delivery, trust_without
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


class Watched(Faulty):
    """After each write some reader makes a pass."""

    def __init__(self, readers: Delivery, trust: str) -> None:
        super().__init__(readers.world.store)
        self._lock = Lock()
        self._pass = partial(results, readers, trust)
        self.seen: list[set[Result]] = []

    def create(self, name: str, data: bytes, settings: ContentSettings) -> Created:
        created = super().create(name, data, settings)
        self._read()
        return created

    def replace(self, name: str, data: bytes, settings: ContentSettings, *, etag: str | None) -> str | None:
        replaced = super().replace(name, data, settings, etag=etag)
        self._read()
        return replaced

    def _read(self) -> None:
        with self._lock:
            self.seen.append(self._pass())


def test_s6_t46_readers_that_read_all_the_time_refuse_nothing_and_the_old_key_can_go(readers: Delivery) -> None:
    both = with_successor(readers.world)
    watched = Watched(readers, json.dumps(both))
    rotated = rotate(readers.world.with_store(watched), BECAUSE)
    assert (rotated.signed, rotated.failed) == (FEATURES, {})
    assert len(watched.seen) == 2 * len(FEATURES) + 2
    assert set().union(*watched.seen) == {Result.UPDATED, Result.UNCHANGED}
    without_old = trust_without(both, readers.world.keys.release)
    assert results(readers, without_old) == {Result.UNCHANGED}
    cold = replace(readers, root=readers.root / "cold")
    assert results(cold, without_old) == {Result.UPDATED}
    assert {readers.head(feature_id).index.sequence for feature_id in FEATURES} == {2}


def test_t46_what_the_old_key_signs_after_its_removal_is_accepted_by_nobody(readers: Delivery) -> None:
    world = readers.world
    old = world.env.signer
    both = with_successor(world)
    rotate(world.env, BECAUSE)
    without_old = trust_without(both, world.keys.release)
    results(readers, without_old)
    world.env = replace(world.env, signer=old)
    world.publish("6.6.6", "feature-a")
    report = readers.sync(trust_keys=without_old)
    assert report.error is not None
    assert report.error.code is Code.KEY_UNKNOWN
    assert not (readers.root / "feature-a" / "6.6.6").exists()
    row = readers.row("feature-a", trust_keys=without_old, features=["feature-a"])
    assert_refused(row, Code.KEY_UNKNOWN)


def test_t40_s6_a_rotation_that_died_at_any_call_goes_on_where_it_was(world: World) -> None:
    for feature_id in FEATURES:
        world.publish("1.0.0", feature_id)
    with_successor(world)
    clean = world.copy()
    rotate(clean.env, BECAUSE)
    for death in count(1):
        dying = world.copy()
        try:
            rotate(dying.with_store(Faulty(dying.store, die_at=death)), BECAUSE)
        except Died:
            rotate(dying.env, BECAUSE)
            assert dying.objects() == clean.objects()
        else:
            break
    assert death > 25
    before = clean.objects()
    again = rotate(clean.env, BECAUSE)
    assert (again.signed, again.already) == ((), FEATURES)
    assert clean.objects() == before


def test_s6_a_remote_index_without_a_change_is_signed_again_too(world: World) -> None:
    world.publish("1.0.0")
    with_successor(world)
    release.refresh(world.env, FEATURE, BECAUSE)
    commit_remote(replace(world.env, signer=world.keys.release), [FEATURE])
    assert rotate(world.env, BECAUSE).signed == ()
    head = remote_of(world.env).head()
    assert head is not None
    assert head.key_id == "release-next"


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
        ({"roles": ["releases"]}, "needs the roles"),
        ({"features": ["feature-a"]}, "outside the new key's scope"),
        ({"validUntil": "2026-11-23T11:59:59Z"}, "time is over"),
        ({"publicKey": PrivateKey.generate().public().pem()}, "not that of its entry"),
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


def test_s6_readers_that_would_refuse_the_old_indexes_are_not_rotated(world: World) -> None:
    world.publish("1.0.0")
    both = with_successor(world)
    trust = TrustStore.parse(trust_without(both, world.keys.release).encode(), source="new.json")
    before = world.objects()
    with pytest.raises(ConfigurationError, match="old key is not in the trust store"):
        rotate(replace(world.env, trust=trust), BECAUSE)
    assert world.objects() == before


def test_a_key_that_is_not_that_of_its_entry_never_gets_into_a_chain(world: World) -> None:
    world.publish("1.0.0")
    before = world.objects()
    wrong = replace(world.env, signer=KeySigner("release-test", PrivateKey.generate()))
    with pytest.raises(ContentError) as caught:
        release.refresh(wrong, FEATURE, BECAUSE)
    assert caught.value.code is Code.SIGNATURE_INVALID
    assert world.objects() == before


def test_s6_a_remote_index_that_is_wrong_is_named_and_keeps_no_feature(world: World) -> None:
    world.publish("1.0.0")
    with_successor(world)
    world.store.put("remote-index.2.json", b"rubbish", private("x.json"))
    rotated = rotate(world.env, BECAUSE)
    assert (rotated.signed, rotated.remote_sequence) == ((FEATURE,), None)
    assert "remote-index.2.json" in str(rotated.failed["remote-index.json"])


def test_s6_what_each_key_vouches_for_is_named_so_that_a_build_key_can_be_retired(world: World) -> None:
    published_at = []
    for version in ("1.0.0", "1.1.0"):
        world.clock.pass_by(days=1)
        published_at.append(world.clock.now)
        world.publish(version)
    world.publish("1.0.0", "feature-b")
    with_successor(world)
    release.refresh(world.env, "feature-b", BECAUSE)
    world.store.create("feature-claimed/1.0.0/manifest.json", b"{}", private("x.json"))
    found = dependencies(world.env)
    assert found.failed == {}
    old, new, build = (found.keys[key_id] for key_id in ("release-test", "release-next", "build-test"))
    assert (old.remote_index, old.features, old.versions, old.needed_until) == (True, [FEATURE], [], None)
    assert (new.remote_index, new.features) == (False, ["feature-b"])
    assert (build.remote_index, build.features) == (False, [])
    assert [(feature_id, version.text) for feature_id, version, _ in build.versions] == [
        ("feature-b", "1.0.0"), (FEATURE, "1.1.0"), (FEATURE, "1.0.0"),
    ]  # fmt: skip
    assert build.needed_until == max(published_at)


def test_s6_what_cannot_be_looked_at_is_named_beside_the_rest(world: World) -> None:
    for feature_id in FEATURES:
        world.publish("1.0.0", feature_id)
    world.store.delete("feature-a/1.0.0/manifest.json")
    world.store.put("feature-b/releases.2.json", b"rubbish", private("x.json"))
    world.store.put("remote-index.4.json", b"rubbish", private("x.json"))
    found = dependencies(world.env)
    assert found.failed.keys() == {"feature-a", "feature-b", "remote-index.json"}
    assert found.keys["release-test"].features == [FEATURE]
