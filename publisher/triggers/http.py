"""The HTTP triggers: one function a route of the API, and two that anybody may call."""

from __future__ import annotations

import azure.functions as func

from publisher import health as app_health
from publisher.api.messages import Request, Response
from publisher.api.routes import ROUTES, Route
from publisher.api.serve import serve
from publisher.wiring import invocation, now, pipeline

blueprint = func.Blueprint()
_health = app_health.Cached(lambda: app_health.check(pipeline), now)


def _register(route: Route) -> None:
    def handle(request: func.HttpRequest, context: func.Context) -> func.HttpResponse:
        with invocation(route.name, context.invocation_id):
            return _answer(serve(route, pipeline, _request(request)))

    handle.__doc__ = route.summary
    triggered = blueprint.route(
        route=route.path, trigger_arg_name="request", methods=[route.method], auth_level=func.AuthLevel.FUNCTION
    )
    blueprint.function_name(route.name)(triggered(handle))


for _route in ROUTES:
    _register(_route)


@blueprint.function_name("health")
@blueprint.route(route="health", trigger_arg_name="request", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def health(request: func.HttpRequest) -> func.HttpResponse:
    """Whether the app works, and in words what is wrong; 503 where it does not."""
    found = _health()
    return _answer(Response(503 if found.status == app_health.FAILING else 200, found.document()))


@blueprint.function_name("openapi")
@blueprint.route(route="openapi.json", trigger_arg_name="request", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def openapi(request: func.HttpRequest) -> func.HttpResponse:
    """The OpenAPI 3.1 document."""
    from publisher.api.openapi import document  # noqa: PLC0415 (seldom asked for)

    return _answer(Response(200, document()))


def _request(request: func.HttpRequest) -> Request:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Request(dict(request.route_params), headers, request.get_body() or b"")


def _answer(response: Response) -> func.HttpResponse:
    return func.HttpResponse(
        response.body, status_code=response.status, headers=dict(response.headers), mimetype=response.media_type
    )
