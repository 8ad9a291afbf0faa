"""What purging Front Door and classic CDN have in common: Azure Resource Manager's long-running operations.

Slow to import. The library's own poller would wait for up to twenty minutes; here each look is one request, and what
is to be remembered between two looks is the library's continuation token. It is kept in storage, so it is not trusted:
whatever it says, no request and no token of ours goes to another host than the Resource Manager's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.core.polling import LROPoller
from azure.mgmt.cdn import CdnManagementClient
from azure.mgmt.core.polling.arm_polling import ARMPolling

from artifact.errors import Code
from publisher.ports import InFlight, PurgeError

POLL_SECONDS = 10.0
"""Between two looks, where the Resource Manager does not say."""

# Tries come from the app, hours apart if need be: the library's own would keep it waiting.
_PATIENCE: dict[str, Any] = {"retry_total": 0, "connection_timeout": 10, "read_timeout": 30, "permit_redirects": False}

_NO_RESULT = {"final-state-via": "azure-async-operation"}
"""A purge has no result that is to be fetched after its end."""

Begin = Callable[[CdnManagementClient, ARMPolling, str | None], LROPoller[None]]
"""Begins a purge, or takes one up again by its token; `polling` is how it is looked after."""


class ForeignHostError(AzureError):
    """A request was to go to another host than the Resource Manager's."""


class OneHost(SansIOHTTPPolicy[Any, Any]):
    """Lets requests to one origin pass. Comes before a request is given our token."""

    def __init__(self, base_url: str) -> None:
        self._origin = _origin(base_url)

    def on_request(self, request: PipelineRequest[Any]) -> None:
        if _origin(request.http_request.url) != self._origin:
            raise ForeignHostError("an address of another host")


class WholeSeconds(SansIOHTTPPolicy[Any, Any]):
    """Drops a `Retry-After` that is no number of seconds: the library would lose what has been begun over it."""

    def on_response(self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]) -> None:
        headers = response.http_response.headers
        if re.fullmatch("[0-9]{1,5}", headers.get("Retry-After", "0")) is None:
            del headers["Retry-After"]


class Look(ARMPolling):
    """Looks after an operation at most once, and does not wait."""

    def __init__(self, *, looks: bool, **settings: Any) -> None:
        super().__init__(timeout=POLL_SECONDS, lro_options=_NO_RESULT, **settings)
        self._looks = looks

    def _poll(self) -> None:
        if self._looks and not self.finished():
            self.update_status()
        if self.finished():
            super()._poll()

    @property
    def pause(self) -> timedelta:
        """What the last answer asks for before the next look."""
        return timedelta(seconds=self._extract_delay())


def open_client(base_url: str, subscription: str, credential: TokenCredential) -> CdnManagementClient:
    """A client of the Resource Manager at `base_url`; nothing is asked of it yet."""
    return CdnManagementClient(
        credential,
        subscription,
        base_url,
        credential_scopes=[f"{base_url}/.default"],
        per_call_policies=[OneHost(base_url), WholeSeconds()],
        **_PATIENCE,
    )


def purge(client: CdnManagementClient, begin: Begin, token: str | None, *, enforce_https: bool) -> InFlight | None:
    """Begin, or look once. Raises PurgeError."""
    polling = Look(looks=token is not None, enforce_https=enforce_https)
    try:
        poller = begin(client, polling, token)
        poller.result()
    except AzureError as error:
        raise _error(error) from None
    except (ValueError, KeyError, TypeError):
        raise PurgeError("what was remembered of a purge cannot be read", is_over=True) from None
    return None if polling.finished() else InFlight(poller.continuation_token(), polling.pause)


def _error(error: AzureError) -> PurgeError:
    """The Resource Manager's words are cut to its code: they repeat names and addresses."""
    if isinstance(error, ForeignHostError):
        return PurgeError("what was remembered of a purge names another host", is_over=True)
    if isinstance(error, ClientAuthenticationError):
        return PurgeError("no token for the Resource Manager, or it is not accepted", code=Code.UNAUTHORIZED)
    if not isinstance(error, HttpResponseError) or error.response is None:
        return PurgeError("the Resource Manager does not answer", seen=type(error).__name__)
    status = error.status_code or 0
    seen = " ".join(part for part in (str(status), _code(error)) if part)
    match status:
        case 200:
            return PurgeError("the CDN reports that a purge has failed", seen=_code(error) or None, is_over=True)
        case 401 | 403:
            return PurgeError("the identity may not purge this endpoint", code=Code.UNAUTHORIZED, seen=seen)
        case 404:
            return PurgeError("no such endpoint, or no such purge", seen=seen, is_over=True)
    return PurgeError("the CDN refuses a purge for now", seen=seen, pause=_retry_after(error))


def _code(error: HttpResponseError) -> str:
    return str(getattr(error.error, "code", None) or "")


def _retry_after(error: HttpResponseError) -> timedelta:
    return timedelta(seconds=int(getattr(error.response, "headers", {}).get("Retry-After", "0")))


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port
    except ValueError:
        return "", None, None
