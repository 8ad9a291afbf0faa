"""W4, T44: purges are carried out together, one call in flight an endpoint, tried again for days, and resumed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from artifact.errors import Code, TransientError
from publisher import calls, purge, purging
from publisher.calls import FOLDER
from publisher.content_types import private
from publisher.operations import FAILED, LIMIT, OPEN_ONES, QUEUED, RUNNING, SUCCEEDED, Operation, find_open
from publisher.pipeline import Pipeline
from publisher.ports import InFlight, PurgeError
from tests.publisher.platform import bodies, deliver
from tests.publisher.world import FEATURE, Edge, World, endpoint_of, new_world
from tests.simulator.faults import Died, Faulty

POINTER = f"/{FEATURE}/releases.json"
AWAY = PurgeError("the Resource Manager does not answer")
BUSY = PurgeError("the CDN refuses a purge for now", seen=429, pause=timedelta(minutes=20))
BROKEN = PurgeError("the CDN reports that a purge has failed", is_over=True)


def ask(world: World, *paths: str) -> Operation:
    return purge.request(world.pipeline, paths or [POINTER], actor="anna", reason="looks stale")


def state(world: World, asked: Operation) -> Operation:
    found = purge.operation(world.pipeline, asked.operation)
    assert found is not None
    return found


def wake(world: World, pipeline: Pipeline | None = None) -> None:
    """Work off what waits now, as the queue trigger does."""
    for message in world.pipeline.purges.take(1, hidden=timedelta(seconds=30)):
        purging.run(pipeline or world.pipeline, message.body)
        world.pipeline.purges.drop(message)


def restarted(world: World, edge: Edge) -> Pipeline:
    """Another instance of the app: what it knows is in storage."""
    return world.pipeline_of(cdn=(endpoint_of(edge),))


def test_an_operation_is_carried_out_and_remembered(world: World) -> None:
    asked = ask(world)
    deliver(world.pipeline)
    done = state(world, asked)
    assert (done.state, done.attempts, done.pending) == (SUCCEEDED, 1, {})
    assert done.ended_at is not None
    assert world.edge.calls == [[POINTER]]


def test_operations_that_wait_are_one_call_and_each_path_is_named_once(world: World) -> None:
    asked = [ask(world, POINTER, "/remote-index.json"), ask(world, POINTER), ask(world, "/feature-b/releases.json")]
    deliver(world.pipeline)
    assert [sorted(call) for call in world.edge.calls] == [["/feature-b/releases.json", POINTER, "/remote-index.json"]]
    assert {state(world, one).state for one in asked} == {SUCCEEDED}


def test_a_call_names_at_most_what_the_endpoint_takes_and_an_operation_ends_with_its_last_path(world: World) -> None:
    edge = Edge(most=25)
    asked = [
        ask(world, *(f"/feature-{number}/releases.json" for number in range(start, start + 60))) for start in (0, 60)
    ]
    deliver(world.pipeline_of(cdn=(endpoint_of(edge),)))
    assert [len(call) for call in edge.calls] == [25, 25, 25, 25, 20]
    assert len({path for call in edge.calls for path in call}) == 120
    assert {state(world, one).state for one in asked} == {SUCCEEDED}


def test_what_comes_while_a_call_is_in_flight_waits_for_its_end(world: World) -> None:
    world.edge.holds = True
    first = ask(world)
    wake(world)
    second = ask(world, "/remote-index.json")
    wake(world)
    assert (state(world, first).state, state(world, second).state) == (RUNNING, QUEUED)
    assert world.edge.calls == [[POINTER]]
    world.edge.holds = False
    deliver(world.pipeline)
    assert world.edge.calls == [[POINTER], ["/remote-index.json"]]
    assert {state(world, one).state for one in (first, second)} == {SUCCEEDED}


def test_the_cdn_is_looked_at_no_sooner_than_it_wants_however_many_messages_come(world: World) -> None:
    world.edge.holds = True
    began = world.clock()
    for _ in range(8):
        ask(world)
        wake(world)
    passed = world.clock() - began
    assert len(world.edge.looks) <= passed / timedelta(seconds=10) + 1
    world.edge.holds = False
    deliver(world.pipeline)
    assert len(world.edge.calls) == 2
    assert bodies(world.pipeline.purges) == []


def test_w4_calls_of_an_endpoint_begin_ten_seconds_apart_and_nobody_sleeps_between_them(world: World) -> None:
    began = world.clock()
    for number in range(5):
        ask(world, f"/feature-{number}/releases.json")
        wake(world)
    assert world.clock() == began
    assert [len(call) for call in world.edge.calls] == [1]
    world.clock.pass_by(seconds=9)
    wake(world)
    assert len(world.edge.calls) == 1
    world.clock.pass_by(seconds=1)
    wake(world)
    assert [len(call) for call in world.edge.calls] == [1, 4]
    assert world.clock() == began + timedelta(seconds=10)


def test_a_purge_in_flight_is_looked_at_as_soon_as_the_cdn_wants_to_be_asked(world: World) -> None:
    world.edge.holds = True
    asked = ask(world)
    wake(world)
    world.edge.holds = False
    world.clock.pass_by(seconds=10)
    wake(world)
    assert state(world, asked).state == SUCCEEDED


def test_every_endpoint_is_purged_and_one_that_fails_holds_up_no_other(world: World) -> None:
    good, bad = Edge(), Edge(failures=[AWAY] * 3)
    pipeline = world.pipeline_of(cdn=(endpoint_of(bad, "a"), endpoint_of(good, "b")))
    asked = ask(world)
    wake(world, pipeline)
    assert (good.calls, bad.calls) == ([[POINTER]], [])
    waiting = state(world, asked)
    assert (waiting.state, waiting.pending) == (QUEUED, {"a": (POINTER,)})
    deliver(pipeline)
    assert (good.calls, bad.calls) == ([[POINTER]], [[POINTER]])
    assert state(world, asked).state == SUCCEEDED


def test_without_a_cdn_there_is_nothing_to_forget(world: World) -> None:
    asked = ask(world)
    deliver(world.pipeline_of(cdn=()))
    assert (state(world, asked).state, state(world, asked).attempts) == (SUCCEEDED, 0)


def test_what_waits_for_an_endpoint_that_is_no_longer_there_ends(world: World) -> None:
    asked = ask(world)
    wake(world, world.pipeline_of(cdn=(endpoint_of(Edge(failures=[AWAY]), "old"),)))
    world.clock.pass_by(minutes=1)
    ask(world, "/remote-index.json")
    deliver(world.pipeline_of(cdn=(endpoint_of(Edge(), "new"),)))
    assert state(world, asked).state == SUCCEEDED
    assert list(find_open(world.pipeline.state)) == []


# Failures


@pytest.mark.parametrize("error", [AWAY, BUSY, BROKEN, TransientError(Code.UNAUTHORIZED, "W4", "no role")])
def test_t44_a_purge_that_fails_is_tried_again_and_says_so(world: World, error: TransientError) -> None:
    asked = ask(world)
    world.edge.failures = [error]
    wake(world)
    waiting = state(world, asked)
    assert (waiting.state, waiting.error, waiting.attempts) == (QUEUED, str(error), 1)
    deliver(world.pipeline)
    done = state(world, asked)
    assert (done.state, done.error, done.attempts) == (SUCCEEDED, None, 2)


def test_t44_a_failure_that_the_cdn_reports_after_it_has_begun_is_a_new_call(world: World) -> None:
    world.edge.holds = True
    asked = ask(world)
    wake(world)
    world.clock.pass_by(seconds=10)
    world.edge.failures, world.edge._in_flight = [BROKEN], None
    wake(world)
    assert (state(world, asked).state, state(world, asked).error) == (QUEUED, str(BROKEN))
    world.edge.holds = False
    deliver(world.pipeline)
    assert world.edge.calls == [[POINTER], [POINTER]]
    assert state(world, asked).state == SUCCEEDED


def test_t44_a_failure_for_days_is_asked_ever_more_rarely_and_ends_well(world: World) -> None:
    asked, tries = ask(world), 60
    world.edge.failures = [AWAY] * tries
    deliver(world.pipeline)
    done = state(world, asked)
    assert (done.state, done.error, done.attempts) == (SUCCEEDED, None, tries + 1)
    assert done.ended_at is not None
    assert done.ended_at - asked.requested_at > timedelta(hours=9)
    assert calls.load(world.pipeline.state, "local.edge").failures == 0


def test_t44_while_the_cdn_is_away_new_purges_do_not_make_it_be_asked_more_often(world: World) -> None:
    world.edge.failures = [AWAY] * 10_000
    for _ in range(50):
        ask(world)
        wake(world)
        world.clock.pass_by(minutes=2)
    assert 10_000 - len(world.edge.failures) <= 15
    world.edge.failures = []
    deliver(world.pipeline)
    assert len(world.edge.calls) == 1


def test_t44_the_cdn_decides_how_long_it_is_left_alone(world: World) -> None:
    ask(world)
    world.edge.failures = [BUSY]
    wake(world)
    began = world.clock()
    deliver(world.pipeline)
    assert world.clock() - began >= BUSY.pause
    assert world.edge.calls == [[POINTER]]


def test_t44_after_a_week_it_is_given_up(world: World) -> None:
    asked = ask(world)
    world.edge.failures = [AWAY] * 10_000
    world.clock.pass_by(days=7)
    deliver(world.pipeline)
    assert state(world, asked).state == FAILED
    assert list(find_open(world.pipeline.state)) == []


def test_t44_a_call_that_never_ends_is_begun_anew_after_an_hour(world: World) -> None:
    world.edge.holds = True
    asked = ask(world)
    wake(world)
    world.clock.pass_by(minutes=61)
    wake(world)
    assert "end" in str(state(world, asked).error)
    world.edge.holds, world.edge._in_flight = False, None
    deliver(world.pipeline)
    assert len(world.edge.calls) == 2
    assert state(world, asked).state == SUCCEEDED


# Deaths, and two at once


def test_t44_a_restarted_app_goes_on_polling_and_does_not_purge_again(world: World) -> None:
    edge = Edge(holds=True)
    asked = ask(world)
    wake(world, restarted(world, edge))
    edge.holds = False
    deliver(restarted(world, edge))
    assert (edge.calls, edge.looks) == ([[POINTER]], ["call 1"])
    assert state(world, asked).state == SUCCEEDED


def test_t44_where_the_cdn_cannot_be_asked_the_call_goes_on(world: World) -> None:
    world.edge.holds = True
    asked = ask(world)
    wake(world)
    world.clock.pass_by(seconds=10)
    world.edge.failures, world.edge.holds = [AWAY], False
    wake(world)
    assert state(world, asked).state == RUNNING
    deliver(world.pipeline)
    assert (world.edge.calls, world.edge.looks) == ([[POINTER]], ["call 1", "call 1"])


def test_t44_a_lost_message_is_made_good_by_the_timer(world: World) -> None:
    asked = ask(world)
    (message,) = world.pipeline.purges.take(1, hidden=timedelta(seconds=1))
    world.pipeline.purges.drop(message)
    purging.resume(world.pipeline)
    deliver(world.pipeline)
    assert state(world, asked).state == SUCCEEDED
    purging.resume(world.pipeline)
    assert bodies(world.pipeline.purges) == []


def test_a_message_that_comes_twice_purges_once(world: World) -> None:
    ask(world)
    deliver(world.pipeline)
    purging.run(world.pipeline, purge.WAKE_UP)
    assert len(world.edge.calls) == 1


@pytest.mark.parametrize("holds", [False, True])
def test_t40_t44_a_death_at_any_storage_call_ends_in_the_same(tmp_path: Path, holds: bool) -> None:
    """Where it cannot be known whether the CDN took the call, it is asked once more; never twice at the same time."""
    deaths = 0
    while True:
        world = new_world(tmp_path)
        edge, asked = Edge(holds=holds), ask(world)
        dying = replace(restarted(world, edge), state=Faulty(world.pipeline.state, die_at=deaths + 1))
        try:
            wake(world, dying)
            edge.holds = False
            world.clock.pass_by(seconds=10)
            wake(world, dying)
        except Died:
            deaths += 1
        else:
            break
        edge.holds = False
        world.clock.pass_by(minutes=2)
        deliver(restarted(world, edge))
        assert state(world, asked).state == SUCCEEDED, f"death at call {deaths}"
        assert 1 <= len(edge.calls) <= 2
        assert list(find_open(world.pipeline.state)) == []
    assert deaths >= 8


def test_where_the_lease_is_lost_one_of_two_begins_the_call(world: World) -> None:
    """Both have read that nothing is in flight."""
    edge, asked = Edge(holds=True), ask(world)

    class Meanwhile(Faulty):
        """Another instance is as far before this one writes its record."""

        def replace(self, name: str, data: bytes, settings: Any, *, etag: str | None) -> str | None:
            if name.startswith(FOLDER) and not edge.calls:
                purging._serve(restarted(world, edge), endpoint_of(edge))
            return super().replace(name, data, settings, etag=etag)

    wake(world, replace(restarted(world, edge), state=Meanwhile(world.pipeline.state)))
    assert edge.calls == [[POINTER]]
    edge.holds = False
    deliver(restarted(world, edge))
    assert edge.calls == [[POINTER]]
    assert state(world, asked).state == SUCCEEDED


FAR_OFF = "9999-01-01T00:00:00Z"


def record_of(**call: Any) -> bytes:
    """A record of a call as somebody may have written it."""
    good = {"operations": ["0" * 32], "paths": [POINTER], "begunAt": "2026-11-23T12:00:00Z", "token": "x"}
    return json.dumps({"failures": 0, "call": {**good, **call}}).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"{}", b'{"failures": 0, "call": {"token": "x"}}', b'{"failures": "x"}', b'{"failures": 1e999}',
        b"[" * 100_000, b" " * (calls.LIMIT + 1), json.dumps({"failures": 0, "due": FAR_OFF}).encode(),
        json.dumps({"failures": 0, "error": "\ud800"}).encode(), record_of(begunAt=FAR_OFF), record_of(token=5),
        record_of(token="\ud800"), record_of(paths=["/*"]), record_of(paths=["@example.org/"]), record_of(paths=[]),
        record_of(operations=["0" * 32] * (calls.MOST_OPERATIONS + 1)),
    ],
)  # fmt: skip
def test_a_record_that_cannot_be_read_is_as_none(world: World, data: bytes) -> None:
    name = f"{FOLDER}local.edge.json"
    world.pipeline.state.create(name, data, private(name))
    asked = ask(world)
    deliver(world.pipeline)
    assert state(world, asked).state == SUCCEEDED
    found = world.pipeline.state.read(name, limit=1000)
    assert found is not None
    assert json.loads(found.data).keys() == {"failures", "due"}
    assert json.loads(found.data)["failures"] == 0


def operation_of(number: int, **changes: Any) -> tuple[str, bytes]:
    """An open operation as somebody may have written it."""
    name = f"{number:032x}"
    document = {
        "operation": name, "state": QUEUED, "paths": [POINTER], "actor": "eve", "attempts": 0,
        "requestedAt": "2026-11-23T12:00:00Z", **changes,
    }  # fmt: skip
    return f"{OPEN_ONES}{name}.json", json.dumps(document).encode()


def test_operations_that_cannot_be_read_stop_no_others(world: World) -> None:
    for name, data in [
        (f"{OPEN_ONES}x.json", b"{}"), (f"{OPEN_ONES}{'0' * 32}.json", b"[" * 100_000),
        (f"{OPEN_ONES}{'1' * 32}.json", b" " * (LIMIT + 1)), (f"{OPEN_ONES}{'2' * 32}.json", b"\xff"),
        (f"{OPEN_ONES}x/y.json", operation_of(3, operation="x/y")[1]), operation_of(4, operation="0" * 31 + "5"),
        operation_of(6, attempts="many"), operation_of(7, requestedAt="today"), operation_of(8, actor="\ud800"),
        operation_of(9, paths=[5]), operation_of(10, paths=["/*"]), operation_of(11, paths=["@example.org/"]),
        operation_of(12, paths=[f"/f-{number}/*" for number in range(101)]), operation_of(13, pending=[]),
        operation_of(14, pending={"local.edge": 5}), operation_of(15, state=SUCCEEDED), operation_of(16, state="odd"),
    ]:  # fmt: skip
        world.pipeline.state.create(name, data, private(name))
    asked = ask(world, "/remote-index.json")
    deliver(world.pipeline)
    assert state(world, asked).state == SUCCEEDED
    assert world.edge.calls == [["/remote-index.json"]]
    purging.resume(world.pipeline)
    deliver(world.pipeline)
    assert world.edge.calls == [["/remote-index.json"]]


def test_t44_what_piled_up_in_days_of_outage_is_a_few_calls_and_a_record_that_can_be_read(world: World) -> None:
    asked = [ask(world) for _ in range(calls.MOST_OPERATIONS + 1)]
    world.edge.holds = True
    wake(world)
    record = calls.load(world.pipeline.state, "local.edge")
    assert record.call is not None
    assert len(record.call.operations) == calls.MOST_OPERATIONS
    world.edge.holds = False
    deliver(world.pipeline)
    assert len(world.edge.calls) == 2
    assert {state(world, one).state for one in asked} == {SUCCEEDED}


def test_a_call_dated_in_the_future_is_begun_anew_after_an_hour_too(world: World) -> None:
    name, paths = f"{FOLDER}local.edge.json", ("/remote-index.json",)
    world.pipeline.state.create(name, record_of(begunAt=FAR_OFF, token="call 1"), private(name))
    world.edge.holds, world.edge._in_flight = True, "call 1"
    asked = ask(world, *paths)
    wake(world)
    world.clock.pass_by(minutes=61)
    world.edge.holds, world.edge.failures, world.edge._in_flight = False, [AWAY], None
    wake(world)
    assert calls.load(world.pipeline.state, "local.edge").call is None
    deliver(world.pipeline)
    assert state(world, asked).state == SUCCEEDED


def test_the_cdn_may_not_ask_for_days(world: World) -> None:
    class Slow(Edge):
        def purge(self, paths: Sequence[str], token: str | None) -> InFlight | None:
            flight = super().purge(paths, token)
            return None if flight is None else replace(flight, pause=timedelta(days=30))

    ask(world)
    began = world.clock()
    wake(world, restarted(world, Slow(holds=True)))
    due = calls.load(world.pipeline.state, "local.edge").due
    assert due is not None
    assert due - began <= timedelta(hours=1)


def test_a_token_that_somebody_put_there_is_only_a_purge_that_is_not_known(world: World) -> None:
    call = calls.Call(("0" * 32,), (POINTER,), world.clock(), "somebody's")
    calls.store(world.pipeline.state, calls.load(world.pipeline.state, "local.edge"), call=call)
    asked = ask(world)
    deliver(world.pipeline)
    assert state(world, asked).state == SUCCEEDED
    assert world.edge.calls == [[POINTER]]


def test_the_port_says_what_is_in_flight() -> None:
    edge = Edge(holds=True)
    assert edge.purge([POINTER], None) == InFlight("call 1", timedelta(seconds=10))
