"""The app's health, in words: each thing broken once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, NoReturn

import pytest

from artifact.errors import Code, ConfigurationError, TransientError
from artifact.keys import KeySigner, PrivateKey
from publisher import purge, purging
from publisher.health import DEGRADED, FAILING, OK, Cached, Health, check
from tests.publisher.world import World
from tests.simulator.faults import Faulty


@pytest.fixture
def world(world: World) -> World:
    world.publish()
    return world


def health(world: World, **parts: Any) -> Health:
    pipeline = replace(world.pipeline, **parts)
    return check(lambda: pipeline)


def test_an_app_that_works_is_ok(world: World) -> None:
    assert health(world) == Health(OK)


def test_an_app_that_is_not_configured_says_which_setting(world: World) -> None:
    def fail() -> NoReturn:
        raise ConfigurationError("the setting FAVN_RELEASE_KEY is missing", where="application settings")

    found = check(fail)
    assert found.status == FAILING
    assert "FAVN_RELEASE_KEY" in found.problems[0]


def test_t21_a_storage_that_does_not_answer_is_said_without_its_address(world: World) -> None:
    class Down(Faulty):
        def read(self, name: str, *, limit: int) -> Any:
            raise TransientError(
                Code.TRANSPORT_FAILED, "W1", "the storage does not answer", where="https://acct/x?sig=1"
            )

    found = health(world, environment=world.with_store(Down(world.store)))
    assert found == Health(FAILING, ("the storage does not answer",))


@pytest.mark.parametrize("key_id", ["nobody", "release-test", "build-test"])
def test_a_release_key_that_readers_would_not_believe(world: World, key_id: str) -> None:
    signer = world.keys.build if key_id == "build-test" else KeySigner(key_id, PrivateKey.generate())
    found = health(world, environment=replace(world.env, signer=signer))
    assert found.status == FAILING
    assert "trust store" in found.problems[0]


@pytest.mark.parametrize(("days", "status"), [(5, OK), (6, DEGRADED), (8, FAILING)])
def test_a_remote_index_that_is_not_signed_again(world: World, days: int, status: str) -> None:
    world.clock.pass_by(days=days)
    assert health(world).status == status


@pytest.mark.parametrize("queue", ["changes", "purges"])
def test_a_queue_that_nobody_works_off(world: World, queue: str) -> None:
    getattr(world.pipeline, queue).put("{}")
    assert health(world).status == OK
    world.clock.pass_by(minutes=6)
    found = health(world)
    assert found.status == DEGRADED
    assert "360 s" in found.problems[0]


def test_bundles_that_could_not_be_taken_in(world: World) -> None:
    world.pipeline.poison.put("{}")
    assert "1 bundles" in health(world).problems[0]


def test_purges_that_fail(world: World) -> None:
    purge.request(world.pipeline, ["/remote-index.json"], actor="anna", reason=None)
    world.edge.failures = [TransientError(Code.TRANSPORT_FAILED, "W4", "https://cdn refused")]
    purging.run(world.pipeline, purge.WAKE_UP)
    found = health(world)
    assert found.status == DEGRADED
    assert "max-age" in found.problems[0]
    assert "https" not in found.problems[0]


def test_all_that_is_wrong_is_said_at_once(world: World) -> None:
    world.pipeline.poison.put("{}")
    world.clock.pass_by(days=8)
    assert len(health(world).problems) == 2


def test_asking_often_looks_seldom(world: World) -> None:
    looks = []

    def look() -> Health:
        looks.append(world.clock())
        return Health(OK)

    cached = Cached(look, world.clock)
    for _ in range(100):
        cached()
        world.clock.now += timedelta(seconds=1)
    assert len(looks) == 10
