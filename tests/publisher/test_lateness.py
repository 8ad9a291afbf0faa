"""How late an edge is, and what operators see of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from artifact.errors import Code, ConfigurationError, TransientError
from artifact.keys import KeySigner, PrivateKey
from artifact.signing import signed
from artifact.versions import Version
from publisher import release
from publisher.adapters.http import HttpReader
from publisher.adapters.memory import MemoryStore
from publisher.content_types import private
from publisher.lateness import Served
from publisher.ports import ObjectData
from publisher.status import Status, status
from tests.publisher.world import BECAUSE, FEATURE, World

POINTER = f"{FEATURE}/releases.json"


class Away:
    """An edge that does not answer."""

    def read(self, name: str, *, limit: int) -> ObjectData | None:
        raise TransientError(Code.TRANSPORT_FAILED, "L9", "no answer", where=name)


def look(world: World, edge: MemoryStore | Away) -> Status:
    env = world.env
    return status(env.artifacts, env.trust, edges={"edge": edge}, now=world.clock(), feature_id=None, limits=env.limits)


def served(world: World, edge: MemoryStore | Away) -> Served:
    (feature,) = look(world, edge).features
    return feature.edges["edge"]


def test_an_edge_that_serves_the_newest_is_not_late_however_old_that_is(world: World) -> None:
    world.publish("1.0.0")
    world.clock.pass_by(days=3)
    found = look(world, world.store)
    assert found.features[0].edges["edge"] == Served(1, timedelta(days=3), timedelta(0))
    assert found.edges["edge"] == Served(1, timedelta(days=3), timedelta(0))


def test_an_edge_is_late_since_the_first_state_that_it_does_not_serve(world: World) -> None:
    world.publish("1.0.0")
    edge = world.copy().store
    world.clock.pass_by(hours=1)
    world.publish("1.1.0")
    world.clock.pass_by(seconds=20)
    world.publish("1.2.0")
    world.clock.pass_by(seconds=5)
    found = look(world, edge)
    expected = Served(1, timedelta(hours=1, seconds=25), timedelta(seconds=25))
    assert (found.features[0].edges["edge"], found.edges["edge"]) == (expected, expected)


def test_a_feature_that_an_edge_does_not_serve_yet_is_late_since_it_is_there(world: World) -> None:
    world.publish("1.0.0")
    world.clock.pass_by(seconds=12)
    assert served(world, MemoryStore()) == Served(late=timedelta(seconds=12))


def test_an_edge_that_is_ahead_of_what_was_read_is_not_late(world: World) -> None:
    world.publish("1.0.0")
    edge = world.copy()
    release.refresh(edge.env, FEATURE, BECAUSE)
    found = served(world, edge.store)
    assert (found.sequence, found.late) == (2, timedelta(0))


def test_t08_other_bytes_of_the_same_sequence_are_a_fork(world: World) -> None:
    world.publish("1.0.0")
    world.publish("1.1.0")
    other = world.copy()
    release.rollback(world.env, FEATURE, Version("1.0.0"), BECAUSE)
    release.refresh(other.env, FEATURE, BECAUSE)
    found = served(world, other.store)
    assert found.error is not None
    assert found.error.code is Code.SEQUENCE_FORK


@pytest.mark.parametrize("data", [b"<html>", signed({"featureId": FEATURE}, KeySigner("x", PrivateKey.generate()))])
def test_t15_what_is_no_index_is_said(world: World, data: bytes) -> None:
    world.publish("1.0.0")
    edge = MemoryStore()
    edge.create(POINTER, data, private(POINTER))
    found = served(world, edge)
    assert (found.sequence, found.late) == (None, None)
    assert found.error is not None


def test_an_edge_that_is_away_hides_nothing_of_what_is_stored(world: World) -> None:
    world.publish("1.0.0")
    found = look(world, Away())
    (feature,) = found.features
    assert feature.index is not None
    assert feature.edges["edge"].error is not None
    assert feature.document()["edges"][0]["error"]["code"] == "transport_failed"


def test_an_edge_is_asked_for_pointers_only(world: World) -> None:
    """A 404 that an edge remembers for the next state would keep readers from it."""
    world.publish("1.0.0")
    asked: list[str] = []

    class Listening(MemoryStore):
        def read(self, name: str, *, limit: int) -> ObjectData | None:
            asked.append(name)
            return None

    look(world, Listening())
    assert set(asked) == {POINTER, "remote-index.json"}


@pytest.mark.parametrize("url", ["http://[::1", "https://[", "http://example.org", "edge", ""])
def test_what_is_no_url_of_an_edge_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(ConfigurationError):
        HttpReader(url)
