"""Who asks. Function keys are the platform's; roles of Entra ID come on top where its authentication is on."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from artifact.errors import Code
from publisher.api.headers import ACTOR
from publisher.api.messages import Request, Response
from publisher.api.problems import problem

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
        return problem(
            HTTPStatus.UNAUTHORIZED,
            "sign in first",
            code=Code.UNAUTHORIZED,
            rule="C6",
            headers={"WWW-Authenticate": "Bearer"},
        )
    claims = _claims(principal)
    if power.role not in {value for kind, value in claims if kind in _ROLE_CLAIMS}:
        return problem(HTTPStatus.FORBIDDEN, f"this needs the role {power.role}", code=Code.UNAUTHORIZED, rule="C6")
    return Principal(_name(request, dict(claims)))


def _with_key(request: Request) -> Principal:
    named = ACTOR.read(request)
    return Principal("function key" if named is None else f"{named} (by function key)")


def _decoded(header: str | None) -> dict[str, Any] | None:
    try:
        document = json.loads(base64.b64decode(header or "", validate=True))
    except ValueError:
        return None
    return document if isinstance(document, dict) and isinstance(document.get("claims"), list) else None


def _claims(principal: dict[str, Any]) -> list[tuple[str, str]]:
    """Types and values; a type may come several times."""
    claims = [claim for claim in principal["claims"] if isinstance(claim, dict)]
    pairs = [(claim.get("typ"), claim.get("val")) for claim in claims]
    return [(kind, value) for kind, value in pairs if isinstance(kind, str) and isinstance(value, str)]


def _name(request: Request, named: dict[str, str]) -> str:
    names = [request.header("x-ms-client-principal-name"), *(named.get(claim) for claim in _NAME_CLAIMS)]
    found = next((name for name in names if name), "unnamed principal")
    return "".join(character for character in found if character.isprintable())[: ACTOR.longest]
