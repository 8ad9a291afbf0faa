"""C6, T21: who asks, and what that opens."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.publisher.api.caller import Caller, changed, client_principal
from tests.publisher.world import World


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
    for actor in ("", "a\x00b", "a" * 129, "a\nb", "Zo\u00eb"):
        response = caller.with_headers(x_actor=actor).act("refresh", {})
        assert (response.status, response.document["code"]) == (400, "schema_invalid")
    assert not changed(world)


def test_an_actor_may_be_a_name_of_several_words(world: World, caller: Caller) -> None:
    caller.with_headers(x_actor=" Anna Smith ").act("refresh", {})
    change = world.index().change
    assert change is not None
    assert change.actor == "Anna Smith (by function key)"


@pytest.mark.parametrize(
    "claim", [{"typ": "roles", "val": ["Delivery.Release"]}, {"typ": ["roles"]}, {"val": {}}, 1, None]
)
def test_t21_a_claim_of_another_form_opens_nothing(
    world: World, caller: Caller, monkeypatch: pytest.MonkeyPatch, claim: Any
) -> None:
    monkeypatch.setenv("WEBSITE_AUTH_ENABLED", "true")
    header = base64.b64encode(json.dumps({"claims": [claim]}).encode()).decode()
    response = caller.with_headers(x_ms_client_principal=header).act("refresh", {})
    assert (response.status, response.document["code"]) == (403, "unauthorized")
    assert not changed(world)


def test_who_did_not_sign_in_is_told_how(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBSITE_AUTH_ENABLED", "true")
    response = caller.call("read_features")
    assert (response.status, response.document["code"]) == (401, "unauthorized")
    assert response.headers["WWW-Authenticate"] == "Bearer"
