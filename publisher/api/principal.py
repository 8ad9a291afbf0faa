"""Who asks. Function keys are the platform's; roles of Entra ID come on top where its authentication is on."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from publisher.api.messages import Request, Response
from publisher.api.problems import problem

ACTOR_LENGTH = 128
_ROLE_CLAIMS = {"roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"}
_NAME_CLAIMS = ("preferred_username", "name", "azp", "appid")


class Power(StrEnum):
    """What a caller may do; the name of a function begins with the power that opens it."""

    READ = "read"
    PURGE = "purge"
    RELEASE = "release"

    @property
    def role(self) -> str:
        """The app role of Entra ID."""
        return f"Delivery.{self.capitalize()}"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, as it is recorded in `change`."""

    actor: str


def authenticate(request: Request, power: Power) -> Principal | Response:
    """Who asks, or the problem: 401 without a principal, 403 without the role.

    The platform sets `X-MS-CLIENT-PRINCIPAL`, and takes it from callers, only while its authentication is on: otherwise
    the header is anybody's claim, and is not looked at. Then a function key was shown to the platform, which does not
    say whose it is; the actor is what the caller says, and marked as such.
    """
    if os.environ.get("WEBSITE_AUTH_ENABLED", "").lower() != "true":
        return _with_key(request)
    principal = _decoded(request.header("x-ms-client-principal"))
    if principal is None:
        return problem(HTTPStatus.UNAUTHORIZED, "sign in first")
    claims = [claim for claim in principal.get("claims", []) if isinstance(claim, dict)]
    roles = {claim.get("val") for claim in claims if claim.get("typ") in _ROLE_CLAIMS}
    if power.role not in roles:
        return problem(HTTPStatus.FORBIDDEN, f"this needs the role {power.role}")
    return Principal(_name(request, claims))


def _with_key(request: Request) -> Principal | Response:
    named = request.header("x-actor")
    if named is None:
        return Principal("function key")
    if not 1 <= len(named) <= ACTOR_LENGTH or not named.isprintable():
        return problem(HTTPStatus.BAD_REQUEST, f"X-Actor has 1 to {ACTOR_LENGTH} printable characters")
    return Principal(f"{named} (by function key)")


def _decoded(header: str | None) -> dict[str, Any] | None:
    try:
        document = json.loads(base64.b64decode(header or "", validate=True))
    except ValueError:
        return None
    return document if isinstance(document, dict) and isinstance(document.get("claims"), list) else None


def _name(request: Request, claims: list[dict[str, Any]]) -> str:
    named = {claim.get("typ"): claim.get("val") for claim in claims}
    names = [request.header("x-ms-client-principal-name"), *(named.get(claim) for claim in _NAME_CLAIMS)]
    found = next((str(name) for name in names if name), "unnamed principal")
    return "".join(character for character in found if character.isprintable())[:ACTOR_LENGTH]
