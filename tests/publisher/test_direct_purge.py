"""A purge straight at the endpoints, as a command carries it out where there is no app."""

from __future__ import annotations

from datetime import timedelta

import pytest

from artifact.errors import Code
from publisher.direct_purge import DirectPurge
from publisher.operations import QUEUED, RUNNING, SUCCEEDED
from publisher.ports import PurgeError
from tests.publisher.world import Clock, Edge, endpoint_of

PATHS = [f"/feature-{number}/releases.json" for number in range(30)]


def test_it_is_as_far_as_the_endpoint_that_is_furthest_behind() -> None:
    clock, quick, slow = Clock(), Edge(), Edge(holds=True)
    purge = DirectPurge([endpoint_of(quick, "quick"), endpoint_of(slow, "slow")], PATHS, clock)
    assert purge.state == QUEUED
    purge.step()
    assert purge.state == RUNNING
    assert [part["state"] for part in purge.document()["endpoints"]] == [SUCCEEDED, RUNNING]
    slow.holds = False
    purge.step()
    assert slow.looks == []  # not before its pause is over
    clock.now += purge.pause
    purge.step()
    assert (purge.state, purge.pause) == (SUCCEEDED, timedelta(0))
    assert (quick.calls, slow.calls) == ([PATHS], [PATHS])


def test_more_paths_than_a_call_takes_are_one_call_after_the_other() -> None:
    clock, edge = Clock(), Edge(holds=True, most=20)
    purge = DirectPurge([endpoint_of(edge)], PATHS, clock)
    purge.step()
    assert not purge.has_begun_all
    edge.holds = False
    while purge.state != SUCCEEDED:
        purge.step()
        clock.now += purge.pause
    assert edge.calls == [PATHS[:20], PATHS[20:]]
    assert purge.has_begun_all


def test_what_is_refused_is_asked_again_and_said_until_it_is_taken() -> None:
    clock, edge = Clock(), Edge(failures=[PurgeError("busy", seen=429, pause=timedelta(minutes=2))])
    purge = DirectPurge([endpoint_of(edge, "edge")], PATHS, clock)
    purge.step()
    assert (purge.state, purge.pause) == (QUEUED, timedelta(minutes=2))
    assert purge.errors() == ["edge: purge: busy (saw 429)"]
    clock.now += purge.pause
    purge.step()
    assert (purge.state, purge.errors()) == (SUCCEEDED, [])


def test_a_purge_that_fails_later_is_begun_anew() -> None:
    clock, edge = Clock(), Edge(holds=True)
    purge = DirectPurge([endpoint_of(edge)], PATHS, clock)
    purge.step()
    edge.failures, edge._in_flight, edge.holds = [PurgeError("failed", is_over=True)], None, False
    for _ in range(2):
        clock.now += purge.pause
        purge.step()
    assert purge.state == SUCCEEDED
    assert len(edge.calls) == 2


def test_what_no_waiting_mends_ends_it() -> None:
    edge = Edge(failures=[PurgeError("no role", code=Code.UNAUTHORIZED)])
    with pytest.raises(PurgeError):
        DirectPurge([endpoint_of(edge)], PATHS, Clock()).step()
