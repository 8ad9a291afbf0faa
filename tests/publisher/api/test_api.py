"""C6: the HTTP API, from a request to what it changed."""

from __future__ import annotations

from typing import Any

import pytest

from artifact.versions import Version
from publisher import changes, purge, release
from publisher.ingest import ingest
from tests.publisher.api.caller import WHY, Caller, changed
from tests.publisher.platform import bundle_of, deliver, names, submit
from tests.publisher.world import BECAUSE, FEATURE, World

ACTIONS: dict[str, tuple[dict[str, Any], str, dict[str, str]]] = {
    "canary": ({"version": "1.2.0"}, "1.1.0", {"stable": "1.1.0", "canary": "1.2.0"}),
    "promote": ({"force": True}, "1.2.0", {"stable": "1.2.0"}),
    "rollback": ({"version": "1.0.0"}, "1.0.0", {"stable": "1.0.0", "canary": "1.2.0"}),
    "withdraw": ({"version": "1.1.0", "successor": "1.0.0"}, "1.0.0", {"stable": "1.0.0", "canary": "1.2.0"}),
    "refresh": ({}, "1.1.0", {"stable": "1.1.0", "canary": "1.2.0"}),
    "remove": ({}, "1.1.0", {"stable": "1.1.0", "canary": "1.2.0"}),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_of_r6_answers_with_the_state_that_it_made(world: World, caller: Caller, action: str) -> None:
    body, active, channels = ACTIONS[action]
    response = caller.act(action, {**body, **WHY})
    assert response.status == 200
    sequence = 3 if action == "canary" else 4
    assert response.document == {
        "featureId": FEATURE,
        "sequence": sequence,
        "activeVersion": active,
        "channels": channels,
    }
    assert response.headers["ETag"] == f'"{sequence}"'
    change = world.index().change
    assert change is not None
    if action != "canary":
        assert (change.action, change.reason, change.ticket) == (action, "blank page", "INC-7")
        assert change.actor == "anna (by function key)"


@pytest.mark.parametrize("action", ACTIONS)
def test_the_remote_index_and_the_cdn_follow_every_action(world: World, caller: Caller, action: str) -> None:
    caller.act(action, {**ACTIONS[action][0], **WHY})
    deliver(world.pipeline)
    entry = world.remote().entry(FEATURE)
    assert (entry is None) == (action == "remove")
    assert entry is None or entry.sequence == world.index().sequence
    assert f"/{FEATURE}/releases.json" in world.edge.calls[0]
    assert (f"{FEATURE}/1.1.0/index.js" in world.objects()) == (action != "withdraw")


REFUSED = [
    ("rollback", {"version": "1.1.0"}, 409, "conflict"),
    ("rollback", {"version": "9.9.9"}, 409, "conflict"),
    ("promote", {}, 409, "conflict"),
    ("promote", {"version": "1.0.0"}, 409, "conflict"),
    ("canary", {"version": "1.0.0"}, 409, "conflict"),
    ("withdraw", {"version": "1.1.0", "reason": "leaks"}, 409, "conflict"),
    ("rollback", {}, 400, "schema_invalid"),
    ("rollback", {"version": 1}, 400, "schema_invalid"),
    ("rollback", {"version": "v1"}, 400, "schema_invalid"),
    ("rollback", {"version": "1.0.0\n"}, 400, "schema_invalid"),
    ("rollback", {"version": "1.0.0", "reason": ""}, 400, "schema_invalid"),
    ("rollback", {"version": "1.0.0", "reason": "a\u0000b"}, 400, "schema_invalid"),
    ("rollback", {"version": "1.0.0", "reason": "a" * 1001}, 400, "schema_invalid"),
    ("rollback", {"version": "1.0.0", "reason": "blank page\n"}, 400, "schema_invalid"),
    ("rollback", {"version": "1.0.0", "reason": "blank \u202eegap"}, 400, "schema_invalid"),
    ("rollback", {"version": "1.0.0", "ticket": "a" * 129}, 400, "schema_invalid"),
    ("rollback", {"version": "1.0.0", "force": True}, 400, "schema_invalid"),
    ("rollback", [], 400, "schema_invalid"),
    ("promote", {"force": True}, 400, "schema_invalid"),
    ("withdraw", {"version": "1.0.0"}, 400, "schema_invalid"),
    ("remove", {}, 400, "schema_invalid"),
    ("rollback", b"{", 400, "document_invalid"),
    ("rollback", b'{"version":"1.0.0","version":"1.2.0"}', 400, "document_invalid"),
    ("rollback", b'{"version":"1.0.0","reason":"\\ud800"}', 400, "document_invalid"),
    ("rollback", b"\xff", 400, "document_invalid"),
    ("rollback", b" " * 16_385, 413, "limit_exceeded"),
]


@pytest.mark.parametrize(("action", "body", "status", "code"), REFUSED)
def test_what_is_refused_is_a_problem_with_its_code_and_changes_nothing(
    world: World, caller: Caller, action: str, body: Any, status: int, code: str
) -> None:
    response = caller.act(action, body)
    assert (response.status, response.document["code"]) == (status, code)
    assert response.media_type == "application/problem+json"
    assert response.document["status"] == status
    assert response.document["title"]
    assert response.document["detail"]
    assert response.document["rule"]
    assert not changed(world)


def test_another_media_type_is_415(world: World, caller: Caller) -> None:
    response = caller.with_headers(content_type="text/plain").act("rollback", {"version": "1.0.0"})
    assert response.status == 415
    assert not changed(world)


@pytest.mark.parametrize("feature", ["feature-nobody", "Feature_X", "..", "a" * 64])
def test_a_feature_that_is_not_there_is_404_and_a_bad_id_400(world: World, caller: Caller, feature: str) -> None:
    expected = 404 if feature == "feature-nobody" else 400
    assert caller.act("rollback", {"version": "1.0.0"}, feature=feature).status == expected
    assert caller.call("read_feature", feature=feature).status == expected
    assert not changed(world)


# Reading


def test_features_are_shown_as_status_shows_them(world: World, caller: Caller) -> None:
    release.rollback(world.env, FEATURE, Version("1.0.0"), BECAUSE)
    document = caller.call("read_features").document
    assert document["remoteIndexSequence"] == 3
    (one,) = document["features"]
    assert (one["featureId"], one["sequence"], one["listedSequence"]) == (FEATURE, 4, 3)
    assert one["versions"] == ["1.2.0", "1.1.0", "1.0.0"]
    assert one["change"]["reason"] == "a test"
    assert caller.call("read_feature").document == one


def test_receipts_come_newest_first_and_none_is_an_empty_list(world: World, caller: Caller) -> None:
    assert caller.call("read_receipts", version="3.0.0").document == []
    name = f"{FEATURE}/3.0.0.tar.gz"
    submit(world.pipeline, name, b"rubbish")
    ingest(world.pipeline, name)
    world.clock.pass_by(minutes=1)
    submit(world.pipeline, name, bundle_of(world.directory("3.0.0")))
    ingest(world.pipeline, name)
    found = caller.call("read_receipts", version="3.0.0").document
    assert [receipt["status"] for receipt in found] == ["published", "rejected"]
    assert caller.call("read_receipts", version="a/b").status == 400
    assert caller.call("read_receipts", version="..").status == 400


# Purging


def test_a_purge_of_pointers_is_accepted_followed_and_done(world: World, caller: Caller) -> None:
    accepted = caller.call("purge_paths", {"paths": ["/remote-index.json", f"/{FEATURE}/releases.json"]})
    operation = accepted.document["operation"]
    assert (accepted.status, accepted.document["state"]) == (202, "queued")
    assert accepted.headers["Location"] == f"/api/purge/{operation}"
    deliver(world.pipeline)
    found = caller.call("purge_operation", operation=operation).document
    assert (found["state"], found["actor"]) == ("succeeded", "anna (by function key)")


def test_a_whole_feature_is_purged_with_a_reason(world: World, caller: Caller) -> None:
    assert caller.call("purge_paths", {"featureId": FEATURE}).status == 400
    assert caller.call("purge_paths", {"featureId": FEATURE, "reason": "edge poisoned"}).status == 202
    deliver(world.pipeline)
    assert world.edge.calls == [[f"/{FEATURE}/*"]]


@pytest.mark.parametrize(
    "body",
    [
        {}, {"paths": []}, {"paths": ["/*"]}, {"paths": [f"/{FEATURE}/*"]}, {"paths": [f"/{FEATURE}/1.0.0/index.js"]},
        {"paths": ["/remote-index.json"], "featureId": FEATURE, "reason": "both"}, {"paths": "/remote-index.json"},
        {"paths": ["/remote-index.json"] * 101}, {"paths": ["https://elsewhere/remote-index.json"]},
        {"paths": ["/remote-index.json\n"]},
    ],
)  # fmt: skip
def test_t21_nothing_else_can_be_purged(world: World, caller: Caller, body: Any) -> None:
    assert caller.call("purge_paths", body).status == 400
    assert names(world.pipeline.state) == []


def test_when_too_many_purges_wait_more_are_told_to_come_back(world: World, caller: Caller) -> None:
    for _ in range(100):
        purge.request(world.pipeline, ["/remote-index.json"], actor="test", reason=None)
    response = caller.call("purge_paths", {"paths": ["/remote-index.json"]})
    assert (response.status, "Retry-After" in response.headers) == (429, True)
    deliver(world.pipeline)
    assert caller.call("purge_paths", {"paths": ["/remote-index.json"]}).status == 202


def test_the_purges_of_the_app_itself_keep_nobody_out(world: World, caller: Caller) -> None:
    for _ in range(100):
        purge.request(world.pipeline, ["/remote-index.json"], actor=changes.ACTOR, reason=None)
    assert caller.call("purge_paths", {"paths": ["/remote-index.json"]}).status == 202


@pytest.mark.parametrize("operation", ["0" * 32, "../x", "", "A" * 32])
def test_an_operation_that_is_not_there_is_404(caller: Caller, operation: str) -> None:
    assert caller.call("purge_operation", operation=operation).status == 404
