"""What a check found, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from artifact.errors import DeliveryError

OK, WARNING, PROBLEM = "ok", "warning", "problem"

NAMED = 5
"""How many of many things one finding names."""

_REMEDIES = {
    "unauthorized": "give this identity the role Storage Blob Data Contributor, or check the SAS and its expiry",
    "transport_failed": "check the address, the variables of the proxy, and the firewall there",
    "not_found": "check the address, and that the containers are made",
    "key_unknown": "add the key to the trust store, or sign again with a trusted one: cdn-release rotate",
    "key_not_allowed": "widen the key's entry in the trust store, or sign again with another: cdn-release rotate",
    "signature_invalid": "somebody changed a state: cdn-release history --verify, then cdn-release rebuild-index",
    "configuration_invalid": "set it right, and call doctor again",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """`level` is `ok`, `warning` or `problem`; `remedy` says what to do, empty where there is nothing to do.

    `error` is what a problem ends the command with.
    """

    check: str
    level: str
    what: str
    remedy: str = ""
    error: DeliveryError | None = None


def problem(check: str, error: DeliveryError, remedy: str = "") -> Finding:
    """The finding for an error."""
    remedy = remedy or _REMEDIES.get(str(error.code), "the message says what was expected")
    return Finding(check, PROBLEM, error.message, remedy, error)


def guarded(check: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """The findings of a check; an error of it is a finding too, and ends no other check."""
    try:
        yield from findings
    except DeliveryError as error:
        yield problem(check, error)


def some(names: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
