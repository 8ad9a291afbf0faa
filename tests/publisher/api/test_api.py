"""C6: the HTTP API, from a request to what it changed."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jsonschema_rs
import pytest

from artifact.errors import Code, TransientError
from artifact.versions import Version
from publisher import purge, release
from publisher.api.openapi import document
from publisher.content_types import private
from publisher.ingest import ingest
from publisher.ports import ContentSettings, Created
from tests.publisher.api.caller import Caller, client_principal
from tests.publisher.platform import bodies, bundle_of, deliver, names, submit
from tests.publisher.world import BECAUSE, FEATURE, Edge, World
from tests.simulator.faults import Died, Faulty

WHY = {"reason": "blank page", "ticket": "INC-7"}


@pytest.fixture
def caller(world: World) -> Caller:
    """1.1.0 is active, 1.2.0 is the canary."""
    world.publish("1.0.0")
    world.publish("1.1.0")
    world.publish("1.2.0", channel="canary")
    return Caller(world.pipeline, {"x-actor": "anna"})


def in_storage(caller: Caller, store: Faulty) -> Caller:
    """The same caller, whose requests meet another storage."""
    pipeline = caller.pipeline
    return replace(caller, pipeline=replace(pipeline, environment=replace(pipeline.environment, artifacts=store)))


def changed(world: World) -> bool:
    return world.index().sequence != 3 or bool(bodies(world.pipeline.changes))


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
    assert isinstance(world.pipeline.purger, Edge)
    assert f"/{FEATURE}/releases.json" in world.pipeline.purger.calls[0]
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


# Concurrency


def test_if_match_lets_an_action_through_that_is_meant_for_this_sequence(world: World, caller: Caller) -> None:
    etag = caller.call("read_feature").headers["ETag"]
    assert caller.with_headers(if_match=etag).act("rollback", {"version": "1.0.0"}).status == 200
    late = caller.with_headers(if_match=etag).act("rollback", {"version": "1.1.0"})
    assert (late.status, late.document["code"]) == (412, "conflict")
    assert world.index().active == Version("1.0.0")
    assert caller.with_headers(if_match="*").act("rollback", {"version": "1.1.0"}).status == 200


@pytest.mark.parametrize("value", ["three", '"0"', '"-1"', 'W/"3"', '"3", "4"', '"99999999999999999999"'])
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


# Idempotency


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


def test_t40_an_action_whose_app_died_at_any_call_is_done_once_under_its_key(world: World, caller: Caller) -> None:
    deaths = 0
    while True:
        number, before = deaths + 1, world.index().sequence
        keyed = caller.with_headers(idempotency_key=f"key-{number}")
        try:
            in_storage(keyed, Faulty(world.store, die_at=number)).act("refresh", WHY)
        except Died:
            deaths += 1
        else:
            break
        assert keyed.act("refresh", WHY).status in {200, 409}
        world.clock.pass_by(minutes=2)
        assert keyed.act("refresh", WHY).status == 200
        assert world.index().sequence == before + 1
    assert deaths >= 5


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


# Who asks


def test_where_the_platform_authenticates_the_role_decides_and_the_actor_is_who_signed_in(
    world: World, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBSITE_AUTH_ENABLED", "True")
    signed_in = caller.with_headers(x_ms_client_principal=client_principal("Delivery.Release"))
    assert signed_in.act("rollback", {"version": "1.0.0"}).status == 200
    change = world.index().change
    assert change is not None
    assert change.actor == "anna@example.org"
    assert signed_in.call("read_features").status == 403
    assert signed_in.call("purge_paths", {"paths": ["/remote-index.json"]}).status == 403


@pytest.mark.parametrize(
    ("role", "allowed"), [("Delivery.Read", "read_features"), ("Delivery.Purge", "purge_paths"), ("Other", None)]
)
def test_t21_a_role_opens_its_own_power_and_no_other(
    world: World, caller: Caller, monkeypatch: pytest.MonkeyPatch, role: str, allowed: str | None
) -> None:
    monkeypatch.setenv("WEBSITE_AUTH_ENABLED", "true")
    signed_in = caller.with_headers(x_ms_client_principal=client_principal(role))
    requests: list[tuple[str, Any]] = [
        ("read_features", None), ("purge_paths", {"paths": ["/remote-index.json"]}), ("release_refresh", {}),
    ]  # fmt: skip
    for name, body in requests:
        assert (signed_in.call(name, body).status == 403) == (name != allowed)
    assert not changed(world)


@pytest.mark.parametrize("header", ["", "rubbish", "e30=", "W10=", "eyJjbGFpbXMiOiBbMV19"])
def test_t21_where_the_platform_authenticates_nobody_comes_in_without_it(
    world: World, caller: Caller, monkeypatch: pytest.MonkeyPatch, header: str
) -> None:
    monkeypatch.setenv("WEBSITE_AUTH_ENABLED", "true")
    assert caller.with_headers(x_ms_client_principal=header).act("refresh", {}).status in {401, 403}
    assert not changed(world)


def test_t21_a_principal_that_the_platform_did_not_set_is_not_believed(world: World, caller: Caller) -> None:
    spoofed = caller.with_headers(x_ms_client_principal=client_principal("Delivery.Release", name="boss@example.org"))
    spoofed.act("refresh", {})
    change = world.index().change
    assert change is not None
    assert change.actor == "anna (by function key)"


def test_an_actor_that_cannot_be_printed_is_400(world: World, caller: Caller) -> None:
    for actor in ("", "a\x00b", "a" * 129):
        assert caller.with_headers(x_actor=actor).act("refresh", {}).status == 400
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
    assert isinstance(world.pipeline.purger, Edge)
    assert world.pipeline.purger.calls == [[f"/{FEATURE}/*"]]


@pytest.mark.parametrize(
    "body",
    [
        {}, {"paths": []}, {"paths": ["/*"]}, {"paths": [f"/{FEATURE}/*"]}, {"paths": [f"/{FEATURE}/1.0.0/index.js"]},
        {"paths": ["/remote-index.json"], "featureId": FEATURE, "reason": "both"}, {"paths": "/remote-index.json"},
        {"paths": ["/remote-index.json"] * 101}, {"paths": ["https://elsewhere/remote-index.json"]},
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


@pytest.mark.parametrize("operation", ["0" * 32, "../x", "", "A" * 32])
def test_an_operation_that_is_not_there_is_404(caller: Caller, operation: str) -> None:
    assert caller.call("purge_operation", operation=operation).status == 404


# What is not told


def test_t21_a_fault_of_the_storage_is_503_without_its_address(world: World, caller: Caller) -> None:
    class Down(Faulty):
        def read(self, name: str, *, limit: int) -> Any:
            raise TransientError(
                Code.TRANSPORT_FAILED, "W1", "the storage does not answer", where="https://acct.blob.core/x?sig=s3cret"
            )

    down = in_storage(caller, Down(world.store))
    for response in (down.act("refresh", {}), down.call("read_features")):
        assert (response.status, response.headers["Retry-After"]) == (503, "30")
        assert b"acct" not in response.body
        assert b"s3cret" not in response.body


def test_t21_a_fault_of_the_app_tells_nothing_but_that(
    world: World, caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Faulty):
        def read(self, name: str, *, limit: int) -> Any:
            raise ZeroDivisionError("secret detail")

    response = in_storage(caller, Broken(world.store)).act("refresh", {})
    assert response.status == 500
    assert b"secret detail" not in response.body
    assert "secret detail" in caplog.text


def test_a_wrong_state_in_storage_is_no_fault_of_the_caller(world: World, caller: Caller) -> None:
    state = f"{FEATURE}/releases.4.json"
    world.store.put(state, b"rubbish", private(state))
    response = caller.act("refresh", {})
    assert (response.status, response.document["code"]) == (500, "document_invalid")


def test_an_answer_is_what_openapi_says_it_is(world: World, caller: Caller) -> None:
    api = json.loads(json.dumps(document()))
    world.clock.now += timedelta(seconds=1)
    submit(world.pipeline, f"{FEATURE}/3.0.0.tar.gz", bundle_of(world.directory("3.0.0")))
    ingest(world.pipeline, f"{FEATURE}/3.0.0.tar.gz")
    operation = caller.call("purge_paths", {"paths": ["/remote-index.json"]})
    answers = {
        ("/api/features", "get"): caller.call("read_features"),
        ("/api/features/{id}", "get"): caller.call("read_feature"),
        ("/api/receipts/{id}/{version}", "get"): caller.call("read_receipts", version="3.0.0"),
        ("/api/features/{id}/refresh", "post"): caller.act("refresh", {}),
        ("/api/features/{id}/rollback", "post"): caller.act("rollback", {"version": "9.9.9"}),
        ("/api/purge", "post"): operation,
        ("/api/purge/{operation}", "get"): caller.call("purge_operation", operation=operation.document["operation"]),
    }
    for (path, method), response in answers.items():
        content = api["paths"][path][method]["responses"][str(response.status)]["content"][response.media_type]
        schema = {**content["schema"], "components": api["components"]}
        jsonschema_rs.Draft202012Validator(schema).validate(json.loads(response.body))
