"""C6: the OpenAPI document is true of what is accepted and of what is answered."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import jsonschema_rs
import pytest

from artifact.errors import ContentError
from publisher.api.headers import ACTOR, IDEMPOTENCY_KEY, IF_MATCH, Header
from publisher.api.messages import Request, Response
from publisher.api.openapi import document
from publisher.api.routes import ROUTES, Route
from publisher.ingest import ingest
from tests.publisher.api.caller import Caller, in_storage
from tests.publisher.platform import bundle_of, submit
from tests.publisher.world import FEATURE, World
from tests.simulator.faults import Faulty


def served() -> dict[str, Any]:
    """The document as callers get it."""
    found: dict[str, Any] = json.loads(json.dumps(document()))
    return found


def answers(world: World, caller: Caller) -> list[tuple[str, str, Response]]:
    """One answer of each kind: path, method, what came."""
    world.clock.now += timedelta(seconds=1)
    submit(world.pipeline, f"{FEATURE}/3.0.0.tar.gz", bundle_of(world.directory("3.0.0")))
    ingest(world.pipeline, f"{FEATURE}/3.0.0.tar.gz")
    down = in_storage(caller, Faulty(world.store, fail_at=range(1, 1000)))
    operation = caller.call("purge_paths", {"paths": ["/remote-index.json"]})
    keyed = caller.with_headers(idempotency_key="once")
    return [
        ("/api/features", "get", caller.call("read_features")),
        ("/api/features/{id}", "get", caller.call("read_feature")),
        ("/api/receipts/{id}/{version}", "get", caller.call("read_receipts", version="3.0.0")),
        ("/api/features/{id}/refresh", "post", caller.act("refresh", {})),
        *(("/api/features/{id}/remove", "post", keyed.act("remove", {"reason": "retired"})) for _ in range(2)),
        ("/api/features/{id}/refresh", "post", down.act("refresh", {})),
        ("/api/features/{id}/rollback", "post", caller.act("rollback", {"version": "9.9.9"})),
        ("/api/purge", "post", operation),
        ("/api/purge/{operation}", "get", caller.call("purge_operation", operation=operation.document["operation"])),
    ]


def test_an_answer_is_what_openapi_says_it_is(world: World, caller: Caller) -> None:
    api = served()
    for path, method, response in answers(world, caller):
        described = api["paths"][path][method]["responses"][str(response.status)]
        schema = {**described["content"][response.media_type]["schema"], "components": api["components"]}
        jsonschema_rs.Draft202012Validator(schema).validate(json.loads(response.body))
        headers = described.get("headers", {})
        assert {name for name in headers if headers[name]["required"]} <= set(response.headers) <= set(headers)


@pytest.mark.parametrize("header", [ACTOR, IDEMPOTENCY_KEY, IF_MATCH], ids=lambda header: header.name)
@pytest.mark.parametrize(
    "value", ["", "a", "Anna Smith", "Zo\u00eb", "a\tb", "*", "3", '"3"', '"03"', "a" * 128, "a" * 129, "a" * 256]
)
def test_a_header_is_accepted_exactly_where_its_schema_says_so(header: Header, value: str) -> None:
    is_described = jsonschema_rs.Draft202012Validator(header.schema()).is_valid(value)
    try:
        header.read(Request(headers={header.name.lower(): value}))
    except ContentError:
        assert not is_described
    else:
        assert is_described


@pytest.mark.parametrize("route", [route for route in ROUTES if route.body], ids=lambda route: route.name)
def test_a_body_is_required_exactly_where_a_request_without_one_is_wrong(caller: Caller, route: Route) -> None:
    operation = served()["paths"][f"/api/{route.path}"]["post"]
    assert operation["requestBody"]["required"] == (caller.call(route.name).status == 400)
