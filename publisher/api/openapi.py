"""The OpenAPI 3.1 document, made from the table of routes and the types of their bodies."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from msgspec.json import schema_components

from artifact.errors import ContentError
from publisher.api import bodies
from publisher.api.headers import IDEMPOTENCY_KEY
from publisher.api.messages import JSON, PROBLEM
from publisher.api.routes import ROUTES, Route

_PARAMETERS = {
    "id": bodies.FeatureText,
    "version": bodies.RawVersion,
    "operation": bodies.OperationText,
}
_ALWAYS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.INTERNAL_SERVER_ERROR)

_RETRIED = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
"""Their answers say when to come back."""


@cache
def document() -> dict[str, Any]:
    """The document; it is the same for every caller."""
    types = [bodies.Problem, bodies.Health, *(route.answer for route in ROUTES)]
    types += [route.body for route in ROUTES if route.body is not None]
    schemas, components = schema_components([*types, *_PARAMETERS.values()], ref_template="#/components/schemas/{name}")
    of = dict(zip([str(kind) for kind in (*types, *_PARAMETERS.values())], schemas, strict=True))
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(f"/api/{route.path}", {})[route.method.lower()] = _operation(route, of)
    paths["/api/health"] = {"get": _health(of)}
    paths["/api/openapi.json"] = {"get": _openapi()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "favn-delivery",
            "version": version("favn-delivery"),
            "description": "Reads what is released, changes it, and purges the CDN. Problems are RFC 9457 documents.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "functionKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "x-functions-key",
                    "description": "A key opens the functions of one power: read, release or purge.",
                }
            },
        },
    }


def _operation(route: Route, of: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [str(route.power)],
        "security": [{"functionKey": []}],
        "parameters": [*_path_parameters(route, of), *_header_parameters(route)],
        "responses": {
            str(int(route.status)): {
                **_response(route.status, JSON, of[str(route.answer)]),
                "headers": _answer_headers(route),
            },
            **{
                str(int(status)): _response(status, PROBLEM, of[str(bodies.Problem)])
                for status in sorted({*route.problems, *_ALWAYS})
            },
        },
    }
    # The platform itself answers a missing key, with no document.
    operation["responses"]["401"] = {"description": HTTPStatus.UNAUTHORIZED.phrase}
    if route.body is not None:
        required = _is_required(route.body)
        operation["requestBody"] = {"required": required, "content": {JSON: {"schema": of[str(route.body)]}}}
    return operation


def _path_parameters(route: Route, of: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": of[str(kind)]}
        for name, kind in _PARAMETERS.items()
        if f"{{{name}}}" in route.path
    ]


def _header_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": header.name,
            "in": "header",
            "required": False,
            "description": header.description,
            "schema": header.schema(),
        }
        for header in route.headers
    ]


def _is_required(body: type[bodies.Body]) -> bool:
    """Whether an action is not allowed without a body, which is an empty object."""
    try:
        bodies.read(b"", body)
    except ContentError:
        return True
    return False


def _answer_headers(route: Route) -> dict[str, Any]:
    headers = {}
    if route.status is HTTPStatus.ACCEPTED:
        headers["Location"] = _header("Where its state is told")
    if route.answer in {bodies.Feature, bodies.Released}:
        headers["ETag"] = _header("The sequence, for `If-Match`")
    if IDEMPOTENCY_KEY in route.headers:
        headers["Idempotent-Replayed"] = _header("`true` where this is the answer of an earlier request", always=False)
    return headers


def _header(description: str, *, always: bool = True) -> dict[str, Any]:
    return {"description": description, "required": always, "schema": {"type": "string"}}


def _response(status: HTTPStatus, media_type: str, schema: Any) -> dict[str, Any]:
    response: dict[str, Any] = {"description": status.phrase, "content": {media_type: {"schema": schema}}}
    if media_type == PROBLEM and status in _RETRIED:
        response["headers"] = {"Retry-After": _header("Seconds")}
    return response


def _health(of: dict[str, Any]) -> dict[str, Any]:
    schema = of[str(bodies.Health)]
    return {
        "operationId": "health",
        "summary": "Whether the app works, and in words what is wrong",
        "security": [],
        "responses": {
            str(int(status)): _response(status, JSON, schema)
            for status in (HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE)
        },
    }


def _openapi() -> dict[str, Any]:
    return {
        "operationId": "openapi",
        "summary": "This document",
        "security": [],
        "responses": {"200": _response(HTTPStatus.OK, JSON, {"type": "object"})},
    }
