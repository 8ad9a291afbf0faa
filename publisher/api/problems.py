"""RFC 9457: what went wrong, as the API says it. No stack, no secret, no address of the storage (T21)."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from http import HTTPStatus

from artifact.errors import Code, ConfigurationError, ContentError, DeliveryError
from publisher.api.messages import PROBLEM, Response
from publisher.chain import StoredStateError
from publisher.logs import without_secrets
from publisher.release import PreconditionError

RETRY_SECONDS = "30"

_PLACES = re.compile(r"\w[\w+.-]*://[^\s\"'<>)\]]+|\b[\w-]+(?:\.[\w-]+)*\.(?:windows\.net|azure\.(?:net|com))\b")
"""URLs, and names of storage, vaults and the platform's management."""

_BAD = {Code.DOCUMENT_INVALID, Code.SCHEMA_INVALID, Code.PATH_INVALID}
_CONFLICTS = {Code.CONFLICT, Code.VERSION_EXISTS, Code.VERSION_WITHDRAWN}

logger = logging.getLogger("favn.publisher.api")


def problem(
    status: HTTPStatus,
    detail: str,
    *,
    code: str | None = None,
    rule: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem document."""
    document = {"type": "about:blank", "title": status.phrase, "status": int(status), "detail": detail}
    known = {name: value for name, value in (("code", code), ("rule", rule)) if value is not None}
    return Response(int(status), {**document, **known}, headers or {}, PROBLEM)


def of(error: Exception) -> Response:
    """The problem document of an error. What is no error of ours, or not the caller's, is logged and not told."""
    if not isinstance(error, DeliveryError):
        logger.error("the API failed", exc_info=error)
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "this is a fault of the app; its log has more")
    status = status_of(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("the API failed: %s", error)
        # Where and what was seen may name the storage.
        headers = {"Retry-After": RETRY_SECONDS} if status is HTTPStatus.SERVICE_UNAVAILABLE else None
        return problem(status, error.what, code=error.code, rule=error.rule, headers=headers)
    return problem(status, error.message, code=error.code, rule=error.rule)


def told(text: str) -> str:
    """What was stored of a fault, as it may be shown: without secrets and without addresses."""
    return _PLACES.sub("***", without_secrets(text))


def status_of(error: DeliveryError) -> HTTPStatus:
    """The HTTP status that an error means."""
    if isinstance(error, (StoredStateError, ConfigurationError)):
        return HTTPStatus.INTERNAL_SERVER_ERROR
    if isinstance(error, PreconditionError):
        return HTTPStatus.PRECONDITION_FAILED
    if error.code is Code.NOT_FOUND:
        return HTTPStatus.NOT_FOUND
    if error.code in _CONFLICTS:
        return HTTPStatus.CONFLICT
    if error.code is Code.LIMIT_EXCEEDED:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    if error.code in _BAD:
        return HTTPStatus.BAD_REQUEST
    if isinstance(error, ContentError):
        return HTTPStatus.INTERNAL_SERVER_ERROR
    return HTTPStatus.SERVICE_UNAVAILABLE
