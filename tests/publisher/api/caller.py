"""A caller of the API: requests by route name, straight to what the triggers call."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from publisher.api.messages import JSON, Request, Response
from publisher.api.routes import ROUTES
from publisher.api.serve import serve
from publisher.pipeline import Pipeline
from tests.publisher.platform import bodies
from tests.publisher.world import FEATURE, World
from tests.simulator.faults import Faulty

WHY = {"reason": "blank page", "ticket": "INC-7"}


@dataclass(frozen=True)
class Caller:
    """`headers` go with every request."""

    pipeline: Pipeline
    headers: Mapping[str, str]

    def call(self, name: str, body: Any = None, *, feature: str = FEATURE, **parameters: str) -> Response:
        """One request; `body` is a document, or bytes as they are."""
        (route,) = (route for route in ROUTES if route.name == name)
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        headers = {"content-type": JSON, **self.headers} if data else dict(self.headers)
        response = serve(route, lambda: self.pipeline, Request({"id": feature, **parameters}, headers, data))
        assert json.loads(response.body) is not None
        return response

    def act(self, action: str, body: Any = None, **given: Any) -> Response:
        return self.call(f"release_{action}", body, **given)

    def with_headers(self, **headers: str) -> Caller:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **named})


def client_principal(*roles: str, name: str = "anna@example.org") -> str:
    """`X-MS-CLIENT-PRINCIPAL`, as the platform's authentication makes it."""
    claims = [{"typ": "preferred_username", "val": name}, *({"typ": "roles", "val": role} for role in roles)]
    return base64.b64encode(json.dumps({"auth_typ": "aad", "claims": claims}).encode()).decode()


def caller_in(world: World) -> Caller:
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
