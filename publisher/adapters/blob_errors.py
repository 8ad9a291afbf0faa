"""What Blob Storage and its clients say, as errors of ours. Nothing of it names a SAS, a key or a token (T21)."""

from __future__ import annotations

from collections.abc import Mapping

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from artifact.errors import Code, DeliveryError, TransientError
from publisher.adapters.backoff import UnansweredError
from publisher.adapters.connections import reason_of

EXISTS = frozenset({"BlobAlreadyExists", "BlobImmutableDueToPolicy", "UnauthorizedBlobOverwrite"})
"""A create was refused since the object is there; the last: by a SAS that may create and not overwrite."""

CONDITION_FAILED = frozenset({"ConditionNotMet", "SourceConditionNotMet", "TargetConditionNotMet"})
NO_OBJECT = frozenset({"BlobNotFound"})
NO_SOURCE = CONDITION_FAILED | NO_OBJECT | {"CannotVerifyCopySource"}
"""What a copy is answered whose source is not there, or not to be seen."""

_AGAIN = {408, 429, 500, 502, 503, 504}
_BUSY = {"AccountBeingCreated", "ContainerBeingDeleted", "OperationTimedOut", "PendingCopyOperation", "ServerBusy"}


def from_answer(status: int, code: str, where: str, *, retry_after: str | None = None) -> DeliveryError:
    """The error for an HTTP status and `x-ms-error-code`; UnansweredError where trying again may help at once."""
    seen = f"{status} {code}".rstrip()
    if status in _AGAIN or code in _BUSY:
        seconds = float(retry_after) if retry_after is not None and retry_after.isdigit() else 0.0
        return UnansweredError("the storage cannot answer now", where=where, seen=seen, retry_after=seconds)
    if status in {401, 403}:
        return TransientError(Code.UNAUTHORIZED, "W1", "the storage does not permit it", where=where, seen=seen)
    if code == "ContainerNotFound":
        hint = "no such container; is it the right account, and are the containers of W1 made?"
        return TransientError(Code.NOT_FOUND, "W1", hint, where=where, seen=seen)
    if status == 507 or "Quota" in code or code == "InsufficientStorage":
        return TransientError(Code.STORAGE_FULL, "W1", "the storage is full", where=where, seen=seen)
    return TransientError(Code.TRANSPORT_FAILED, "W1", "the storage refused", where=where, seen=seen)


def from_library(error: AzureError, where: str) -> DeliveryError:
    """The error for what the Azure libraries raise."""
    if isinstance(error, HttpResponseError) and error.status_code is not None and error.status_code >= 400:
        return from_answer(error.status_code, code_of(error), where, retry_after=_header(error, "Retry-After"))
    if isinstance(error, ClientAuthenticationError):
        return TransientError(
            Code.UNAUTHORIZED, "W1", "no credential for the storage", where=where, seen=type(error).__name__
        )
    return no_answer(error, where)


def no_answer(error: BaseException, where: str) -> UnansweredError:
    """The error for a request that got no answer."""
    return UnansweredError("the storage does not answer", where=where, seen=reason_of(error))


def code_of(error: HttpResponseError) -> str:
    """`x-ms-error-code`, which also answers to HEAD requests have; empty where there is none."""
    return _header(error, "x-ms-error-code") or ""


def _header(error: HttpResponseError, name: str) -> str | None:
    headers: Mapping[str, str] = getattr(error.response, "headers", {})
    return headers.get(name)
