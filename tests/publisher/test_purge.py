"""W4: purging is queued, coalesced, tried again, and never needed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from artifact.errors import Code, ContentError, TransientError
from publisher import purge
from publisher.operations import FAILED, QUEUED, SUCCEEDED, Operation, find_open
from tests.publisher.platform import bodies, deliver, names
from tests.publisher.world import FEATURE, Edge, World

POINTER = f"/{FEATURE}/releases.json"
REFUSED = TransientError(Code.TRANSPORT_FAILED, "W4", "a purge is in flight")


@pytest.fixture
def edge(world: World) -> Edge:
    assert isinstance(world.pipeline.purger, Edge)
    return world.pipeline.purger


def ask(world: World, *paths: str) -> Operation:
    return purge.request(world.pipeline, paths or [POINTER], actor="anna", reason="looks stale")


def state(world: World, asked: Operation) -> Operation:
    found = purge.operation(world.pipeline, asked.operation)
    assert found is not None
    return found


def test_an_operation_is_queued_carried_out_and_remembered(world: World, edge: Edge) -> None:
    asked = ask(world)
    assert state(world, asked).state == QUEUED
    deliver(world.pipeline)
    done = state(world, asked)
    assert (done.state, done.attempts, done.actor, done.reason) == (SUCCEEDED, 1, "anna", "looks stale")
    assert done.ended_at is not None
    assert edge.calls == [[POINTER]]


def test_operations_that_wait_are_one_call_and_each_path_is_named_once(world: World, edge: Edge) -> None:
    asked = [ask(world, POINTER, "/remote-index.json"), ask(world, POINTER), ask(world, "/feature-b/releases.json")]
    deliver(world.pipeline)
    assert edge.calls == [["/feature-b/releases.json", POINTER, "/remote-index.json"]]
    assert {state(world, one).state for one in asked} == {SUCCEEDED}


def test_a_call_names_at_most_100_paths(world: World, edge: Edge) -> None:
    for start in (0, 60):
        ask(world, *(f"/feature-{number}/releases.json" for number in range(start, start + 60)))
    deliver(world.pipeline)
    assert [len(call) for call in edge.calls] == [60, 60]


def test_t44_a_purge_that_fails_for_days_is_tried_again_ever_more_rarely_and_says_so(world: World, edge: Edge) -> None:
    asked = ask(world)
    edge.failures = [REFUSED] * 20
    first = bodies(world.pipeline.purges)
    purge.run(world.pipeline, first[0])
    waiting = state(world, asked)
    assert waiting.state == QUEUED
    assert waiting.error is not None
    assert "in flight" in waiting.error
    deliver(world.pipeline)
    done = state(world, asked)
    assert (done.state, done.error) == (SUCCEEDED, None)
    assert done.attempts == 21
    assert done.ended_at is not None
    assert done.ended_at - asked.requested_at > timedelta(hours=2)


def test_t44_after_a_week_it_is_given_up(world: World, edge: Edge) -> None:
    asked = ask(world)
    edge.failures = [REFUSED] * 10_000
    world.clock.pass_by(days=7)
    deliver(world.pipeline)
    assert state(world, asked).state == FAILED
    assert list(find_open(world.pipeline.state)) == []


def test_a_lost_message_is_found_and_sent_again_and_others_are_left_alone(world: World, edge: Edge) -> None:
    asked = ask(world)
    (message,) = world.pipeline.purges.take(1, hidden=timedelta(seconds=1))
    world.pipeline.purges.drop(message)
    assert purge.resume(world.pipeline) == 0
    world.clock.pass_by(minutes=11)
    assert purge.resume(world.pipeline) == 1
    deliver(world.pipeline)
    assert state(world, asked).state == SUCCEEDED
    assert purge.resume(world.pipeline) == 0
    assert len(edge.calls) == 1


def test_a_message_that_comes_twice_purges_once(world: World, edge: Edge) -> None:
    ask(world)
    (body,) = bodies(world.pipeline.purges)
    deliver(world.pipeline)
    purge.run(world.pipeline, body)
    assert len(edge.calls) == 1


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"operation": "../x"}', '{"operation": "' + 32 * "0" + '"}'])
def test_a_message_that_names_no_operation_is_dropped(world: World, edge: Edge, body: str) -> None:
    purge.run(world.pipeline, body)
    assert edge.calls == []


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "remote-index.json", "/*", "//*", "/../*", "/Feature/releases.json", f"/{FEATURE}/releases.1.json",
        f"/{FEATURE}/1.0.0/index.js", f"/{FEATURE}/v1/*", f"/{FEATURE}/releases.json?x", f"/{FEATURE}/*/*",
        "https://elsewhere/remote-index.json", "/remote-index.1.json",
    ],
)  # fmt: skip
def test_t21_no_other_path_can_be_purged(world: World, path: str) -> None:
    with pytest.raises(ContentError) as caught:
        ask(world, POINTER, path)
    assert caught.value.code is Code.PATH_INVALID
    assert names(world.pipeline.state) == []
    assert bodies(world.pipeline.purges) == []


@pytest.mark.parametrize(
    "path", ["/remote-index.json", POINTER, f"/{FEATURE}/*", f"/{FEATURE}/1.0.0/*", f"/{FEATURE}/1.0.0-rc.1/*"]
)
def test_pointers_features_and_versions_can_be_purged(world: World, edge: Edge, path: str) -> None:
    ask(world, path)
    deliver(world.pipeline)
    assert edge.calls == [[path]]


def test_more_than_100_paths_or_none_are_refused(world: World) -> None:
    for paths in ([], [f"/feature-{number}/*" for number in range(101)]):
        with pytest.raises(ContentError) as caught:
            purge.request(world.pipeline, paths, actor="anna", reason=None)
        assert caught.value.code is Code.LIMIT_EXCEEDED
