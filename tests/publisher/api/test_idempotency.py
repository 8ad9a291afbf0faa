"""C6: `Idempotency-Key`: once, whoever dies, is slow or comes at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from artifact.versions import Version
from publisher import release
from publisher.ports import ContentSettings, Created
from tests.publisher.api.caller import WHY, Caller, caller_in, changed, in_storage
from tests.publisher.platform import bodies
from tests.publisher.world import BECAUSE, FEATURE, World, new_world
from tests.simulator.faults import Died, Faults, Faulty, faulty

BODIES: dict[str, dict[str, Any]] = {
    "promote": {"force": True},
    "rollback": {"version": "1.0.0"},
    "withdraw": {"version": "1.1.0", "successor": "1.0.0"},
    "refresh": {},
    "remove": {},
}


def test_the_same_request_under_the_same_key_is_carried_out_once(world: World, caller: Caller) -> None:
    keyed = caller.with_headers(idempotency_key="deploy-17")
    first = keyed.act("refresh", WHY)
    again = keyed.act("refresh", WHY)
    assert (again.status, again.document) == (200, first.document)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert world.index().sequence == 4
    assert keyed.act("refresh", {"reason": "another"}).status == 422
    assert caller.with_headers(idempotency_key="deploy-18").act("refresh", WHY).document["sequence"] == 5


def test_a_key_is_kept_for_24_hours(world: World, caller: Caller) -> None:
    keyed = caller.with_headers(idempotency_key="deploy-17")
    keyed.act("refresh", WHY)
    world.clock.pass_by(hours=23)
    keyed.act("refresh", WHY)
    assert world.index().sequence == 4
    world.clock.pass_by(hours=1)
    keyed.act("refresh", WHY)
    assert world.index().sequence == 5


def test_what_was_refused_may_be_tried_again_under_its_key(world: World, caller: Caller) -> None:
    keyed = caller.with_headers(idempotency_key="promote-1")
    assert keyed.act("promote", {}).status == 409
    world.clock.pass_by(minutes=31)
    assert keyed.act("promote", {}).status == 200


@pytest.mark.parametrize("key", ["", "a" * 256, "æ", "a\tb"])
def test_a_key_that_is_none_is_400(world: World, caller: Caller, key: str) -> None:
    assert caller.with_headers(idempotency_key=key).act("refresh", WHY).status == 400
    assert not changed(world)


@pytest.mark.parametrize("action", BODIES)
def test_t40_an_action_whose_app_died_at_any_call_is_done_once_under_its_key(tmp_path: Path, action: str) -> None:
    body, deaths = {**BODIES[action], **WHY}, 0
    while True:
        world = new_world(tmp_path / f"{deaths}")
        keyed = caller_in(world).with_headers(idempotency_key="once")
        dying = replace(keyed, pipeline=faulty(keyed.pipeline, Faults(die_at=deaths + 1)))
        try:
            assert dying.act(action, body).status == 200
        except Died:
            deaths += 1
        else:
            break
        assert keyed.act(action, body).status in {200, 409}
        world.clock.pass_by(minutes=2)
        assert keyed.act(action, body).status == 200
        assert world.index().sequence == 4
        assert bodies(world.pipeline.changes)
    assert deaths >= 8


def test_one_at_a_time_under_a_key(world: World, caller: Caller) -> None:
    keyed, statuses = caller.with_headers(idempotency_key="once"), []

    class Meanwhile(Faulty):
        """The same request comes once more while the first one commits."""

        def create(self, name: str, data: bytes, settings: ContentSettings) -> Created:
            statuses.append(keyed.act("refresh", WHY).status)
            return super().create(name, data, settings)

    assert in_storage(keyed, Meanwhile(world.store)).act("refresh", WHY).status == 200
    assert statuses == [409]
    assert world.index().sequence == 4


def test_of_many_at_once_under_a_key_one_is_carried_out(world: World, caller: Caller) -> None:
    keyed = caller.with_headers(idempotency_key="once")
    start, statuses = threading.Barrier(8), []

    def act() -> None:
        start.wait()
        statuses.append(keyed.act("refresh", WHY).status)

    threads = [threading.Thread(target=act) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(statuses) == 8
    assert set(statuses) <= {200, 409}
    assert 200 in statuses
    assert world.index().sequence == 4


class Slow(Faulty):
    """The first commit takes two minutes, in which `meanwhile` happens."""

    def __init__(self, world: World, meanwhile: Callable[[], object]) -> None:
        super().__init__(world.store)
        self._world = world
        self._meanwhile = meanwhile
        self._is_first = True

    def create(self, name: str, data: bytes, settings: ContentSettings) -> Created:
        if self._is_first:
            self._is_first = False
            self._world.clock.pass_by(minutes=2)
            self._meanwhile()
        return super().create(name, data, settings)


@pytest.mark.parametrize("action", BODIES)
def test_who_is_only_slow_and_whoever_took_over_do_it_once_between_them(
    world: World, caller: Caller, action: str
) -> None:
    keyed, body, answers = caller.with_headers(idempotency_key="slow"), {**BODIES[action], **WHY}, []

    def take_over() -> None:
        answers.append(keyed.act(action, body))

    answers.append(in_storage(keyed, Slow(world, take_over)).act(action, body))
    assert [answer.status for answer in answers] == [200, 200]
    assert answers[0].document == answers[1].document
    assert world.index().sequence == 4


def test_what_somebody_decided_since_is_not_undone_by_who_was_slow_nor_by_another_try(
    world: World, caller: Caller
) -> None:
    keyed, body = caller.with_headers(idempotency_key="slow"), {"version": "1.0.0", **WHY}

    def decide_otherwise() -> None:
        keyed.act("rollback", body)
        release.rollback(world.env, FEATURE, Version("1.1.0"), BECAUSE)

    slow = in_storage(keyed, Slow(world, decide_otherwise)).act("rollback", body)
    assert (slow.status, slow.document["sequence"]) == (200, 4)
    world.clock.pass_by(minutes=2)
    assert keyed.act("rollback", body).document == slow.document
    assert (world.index().sequence, world.index().active) == (5, Version("1.1.0"))


def test_after_24_hours_a_key_is_free_for_another_body(world: World, caller: Caller) -> None:
    keyed = caller.with_headers(idempotency_key="deploy-17")
    keyed.act("refresh", WHY)
    world.clock.pass_by(hours=24)
    assert keyed.act("refresh", {"reason": "another"}).status == 200
    assert world.index().sequence == 5


def test_of_two_who_find_an_old_key_one_has_it(world: World, caller: Caller) -> None:
    keyed = caller.with_headers(idempotency_key="deploy-17")
    keyed.act("refresh", WHY)
    world.clock.pass_by(hours=24)
    statuses: list[int] = []

    class Meanwhile(Faulty):
        """The other one comes while the first takes the record."""

        def replace(self, name: str, data: bytes, settings: ContentSettings, *, etag: str | None) -> str | None:
            if not statuses:
                statuses.append(keyed.act("refresh", WHY).status)
            return super().replace(name, data, settings, etag=etag)

    pipeline = replace(caller.pipeline, state=Meanwhile(world.pipeline.state))
    assert replace(keyed, pipeline=pipeline).act("refresh", WHY).status == 409
    assert statuses == [200]
    assert world.index().sequence == 5


def test_a_key_belongs_to_one_route_and_one_feature(world: World, caller: Caller) -> None:
    world.publish("1.0.0", "feature-other")
    keyed = caller.with_headers(idempotency_key="deploy-17")
    assert keyed.act("refresh", WHY).document["featureId"] == FEATURE
    assert keyed.act("refresh", WHY, feature="feature-other").document["featureId"] == "feature-other"
    assert keyed.act("remove", WHY).document["sequence"] == 5


def test_a_purge_is_asked_for_once_under_its_key(world: World, caller: Caller) -> None:
    keyed, body = caller.with_headers(idempotency_key="purge-1"), {"paths": ["/remote-index.json"]}
    first, again = keyed.call("purge_paths", body), keyed.call("purge_paths", body)
    assert (again.status, again.document, again.headers["Location"]) == (202, first.document, first.headers["Location"])
    assert len(bodies(world.pipeline.purges)) == 1
