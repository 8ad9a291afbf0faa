"""The table of routes: what the app serves, who may, and what OpenAPI says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from publisher.api import acting, bodies, reading
from publisher.api.headers import ACTOR, IDEMPOTENCY_KEY, IF_MATCH, Header
from publisher.api.messages import Request, Response
from publisher.api.principal import Power, Principal
from publisher.pipeline import Pipeline

Handler = Callable[[Pipeline, Principal, Request], Response]

_READING = (HTTPStatus.SERVICE_UNAVAILABLE,)
_ACTING = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. `name` is the function's, and begins with the power that opens it; `path` is below `/api/`.

    `body` is None where nothing is sent. `problems` are the statuses of its problem documents, beside 401, 403, 500.
    """

    name: str
    method: str
    path: str
    power: Power
    summary: str
    handler: Handler
    answer: type
    status: HTTPStatus = HTTPStatus.OK
    body: type[bodies.Body] | None = None
    headers: tuple[Header, ...] = ()
    problems: tuple[HTTPStatus, ...] = _READING


def _reading(handler: Callable[[Pipeline, Request], Response]) -> Handler:
    return lambda pipeline, principal, request: handler(pipeline, request)


def _action(name: str, summary: str, handler: Handler, body: type[bodies.Body]) -> Route:
    return Route(
        name=f"release_{name}",
        method="POST",
        path=f"features/{{id}}/{name}",
        power=Power.RELEASE,
        summary=summary,
        handler=handler,
        answer=bodies.Released,
        body=body,
        headers=_ACTION_HEADERS,
        problems=(*_ACTING, HTTPStatus.PRECONDITION_FAILED),
    )


_PURGE_HEADERS = (IDEMPOTENCY_KEY, ACTOR)
_ACTION_HEADERS = (*_PURGE_HEADERS, IF_MATCH)

ROUTES = (
    Route("read_features", "GET", "features", Power.READ, "All features of the environment",
          _reading(reading.features), bodies.Features),
    Route("read_feature", "GET", "features/{id}", Power.READ, "One feature; its ETag is the sequence",
          _reading(reading.feature), bodies.Feature,
          problems=(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE)),
    Route("read_receipts", "GET", "receipts/{id}/{version}", Power.READ,
          "The receipts of a version's bundles, newest first; empty until one is answered",
          _reading(reading.receipts), list[bodies.Receipt],
          problems=(HTTPStatus.BAD_REQUEST, HTTPStatus.SERVICE_UNAVAILABLE)),
    _action("canary", "Make a listed version, higher than the active one, the canary", acting.canary, bodies.Canary),
    _action("promote", "Make the canary the active version", acting.promote, bodies.Promote),
    _action("rollback", "Make another listed version the active one", acting.rollback, bodies.Rollback),
    _action("withdraw", "Take a version away for good", acting.withdraw, bodies.Withdraw),
    _action("refresh", "Sign the release index again, with a new expiry", acting.refresh, bodies.Refresh),
    _action("remove", "Let the feature leave the remote index", acting.remove, bodies.Remove),
    Route("purge_paths", "POST", "purge", Power.PURGE, "Let the CDN forget pointers, or a whole feature",
          acting.purge_paths, bodies.Accepted, HTTPStatus.ACCEPTED, bodies.Purge,
          _PURGE_HEADERS,
          (*(status for status in _ACTING if status is not HTTPStatus.NOT_FOUND), HTTPStatus.TOO_MANY_REQUESTS)),
    Route("purge_operation", "GET", "purge/{operation}", Power.PURGE, "What became of a purge",
          _reading(reading.purge_operation), bodies.Operation,
          problems=(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE)),
)  # fmt: skip
