"""One request to one route: who asks, what is sent, what comes back. Nothing that fails gets out as anything else."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from artifact.errors import Code
from publisher.api import problems
from publisher.api.messages import JSON, Request, Response
from publisher.api.principal import Principal, authenticate
from publisher.api.routes import Route
from publisher.pipeline import Pipeline


def serve(route: Route, pipeline: Callable[[], Pipeline], request: Request) -> Response:
    """The response; a problem document in any case of failure."""
    try:
        principal = authenticate(request, route.power)
        if not isinstance(principal, Principal):
            return principal
        if route.body is not None and request.body and not _is_json(request):
            return problems.problem(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send {JSON}", code=Code.DOCUMENT_INVALID, rule="C6"
            )
        return route.handler(pipeline(), principal, request)
    except Exception as error:  # noqa: BLE001 (this is the edge)
        return problems.of(error)


def _is_json(request: Request) -> bool:
    media_type = (request.header("content-type") or "").partition(";")[0]
    return media_type.strip().lower() == JSON
