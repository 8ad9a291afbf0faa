"""C6: `If-Match`: an action that is meant for one sequence."""

from __future__ import annotations

import threading

import pytest

from artifact.versions import Version
from publisher import release
from publisher.ports import ContentSettings, Created
from tests.publisher.api.caller import Caller, changed, in_storage
from tests.publisher.world import BECAUSE, FEATURE, World
from tests.simulator.faults import Faulty


def test_if_match_lets_an_action_through_that_is_meant_for_this_sequence(world: World, caller: Caller) -> None:
    etag = caller.call("read_feature").headers["ETag"]
    assert caller.with_headers(if_match=etag).act("rollback", {"version": "1.0.0"}).status == 200
    late = caller.with_headers(if_match=etag).act("rollback", {"version": "1.1.0"})
    assert (late.status, late.document["code"]) == (412, "conflict")
    assert world.index().active == Version("1.0.0")
    assert caller.with_headers(if_match="*").act("rollback", {"version": "1.1.0"}).status == 200


@pytest.mark.parametrize(
    "value",
    ["three", '"0"', '"-1"', 'W/"3"', '"3", "4"', "3", '"3', '3"', '"03"', "", '"99999999999999999999"'],
)
def test_an_if_match_that_names_no_sequence_is_400(world: World, caller: Caller, value: str) -> None:
    assert caller.with_headers(if_match=value).act("rollback", {"version": "1.0.0"}).status == 400
    assert not changed(world)


def test_of_many_at_once_who_all_looked_at_the_same_sequence_one_succeeds(world: World, caller: Caller) -> None:
    start, statuses = threading.Barrier(8), []

    def act(number: int) -> None:
        body = {"version": "1.0.0", "reason": f"{number}"}
        start.wait()
        statuses.append(caller.with_headers(if_match='"3"').act("rollback", body).status)

    threads = [threading.Thread(target=act, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, *(7 * [412])]
    assert world.index().sequence == 4


def test_it_is_judged_with_the_commit_and_not_before(world: World, caller: Caller) -> None:
    class Faster(Faulty):
        """Somebody else commits just before."""

        def create(self, name: str, data: bytes, settings: ContentSettings) -> Created:
            if world.index().sequence == 3:
                release.refresh(world.env, FEATURE, BECAUSE)
            return super().create(name, data, settings)

    late = in_storage(caller, Faster(world.store)).with_headers(if_match='"3"').act("rollback", {"version": "1.0.0"})
    assert late.status == 412
    assert (world.index().sequence, world.index().active) == (4, Version("1.1.0"))
