"""The settings of the Functions app: environment variables, parsed once, with the defaults of docs/FORMAT.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from artifact.actions import SMALLEST_WINDOW, Policy
from artifact.errors import ConfigurationError
from publisher.pipeline import Retention

STORAGE = "ArtifactsStorage"
"""The connection's name, as the triggers' bindings use it; `ArtifactsStorage__blobServiceUri`: managed identity."""

CHANGES, PURGES = "favn-changes", "favn-purges"
POISON = "webjobs-blobtrigger-poison"
"""Queues; the platform names the last one."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`storage` is a connection string or an account URL, as `queues` is, of the same account; `trust_keys` and
    `release_key` a file's path or the text, the latter also a secret of a Key Vault, which is read again after
    `release_key_reread`; `purge_endpoints` as
    `cdn.parse_endpoints` takes them; `edge_urls` are base URLs of what readers get.
    """

    storage: str
    queues: str
    trust_keys: str
    release_key: str
    release_key_id: str
    release_key_reread: timedelta
    policy: Policy
    takeover: timedelta
    pointer_max_age: int
    retention: Retention
    purge_endpoints: str
    edge_urls: tuple[str, ...]

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Settings:
        """From the app's environment. Raises ConfigurationError that names the variable."""
        storage = variables.get(f"{STORAGE}__blobServiceUri") or _required(variables, STORAGE)
        return cls(
            storage=storage,
            queues=variables.get(f"{STORAGE}__queueServiceUri") or storage.replace(".blob.", ".queue."),
            trust_keys=_required(variables, "FAVN_TRUST_KEYS"),
            release_key=_required(variables, "FAVN_RELEASE_KEY"),
            release_key_id=_required(variables, "FAVN_RELEASE_KEY_ID"),
            release_key_reread=_seconds(variables, "FAVN_RELEASE_KEY_REREAD_SECONDS", 5 * 60),
            policy=Policy(
                window=_number(variables, "FAVN_WINDOW", 5, minimum=SMALLEST_WINDOW),
                soak=_seconds(variables, "FAVN_SOAK_SECONDS", 30 * 60),
                releases_validity=_validity(variables, "FAVN_RELEASES_EXPIRY_SECONDS", 90),
                remote_validity=_validity(variables, "FAVN_REMOTE_EXPIRY_SECONDS", 7),
            ),
            takeover=_seconds(variables, "FAVN_TAKEOVER_SECONDS", 60 * 60),
            pointer_max_age=_number(variables, "FAVN_POINTER_MAX_AGE", 30, minimum=0),
            retention=Retention(
                versions=_days(variables, "FAVN_RETENTION_SECONDS", 30),
                incoming=_days(variables, "FAVN_INCOMING_RETENTION_SECONDS", 7),
                quarantine=_days(variables, "FAVN_QUARANTINE_RETENTION_SECONDS", 30),
                receipts=_days(variables, "FAVN_RECEIPT_RETENTION_SECONDS", 90),
            ),
            purge_endpoints=variables.get("FAVN_PURGE_ENDPOINTS", ""),
            edge_urls=tuple(variables.get("FAVN_EDGE_URLS", "").split()),
        )


def _required(variables: Mapping[str, str], name: str) -> str:
    value = variables.get(name, "")
    if not value:
        raise ConfigurationError(f"the setting {name} is missing", where="application settings")
    return value


def _number(variables: Mapping[str, str], name: str, default: int, *, minimum: int) -> int:
    text = variables.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or int(text) < minimum:
        raise ConfigurationError(f"bad setting {name}", expected=f"a whole number, at least {minimum}", seen=text)
    return int(text)


def _seconds(variables: Mapping[str, str], name: str, default: int) -> timedelta:
    return timedelta(seconds=_number(variables, name, default, minimum=0))


def _days(variables: Mapping[str, str], name: str, default: int) -> timedelta:
    """Given in seconds as all times are, so that a trial can be short; `default` in days."""
    return _seconds(variables, name, default * 24 * 60 * 60)


def _validity(variables: Mapping[str, str], name: str, default_days: int) -> timedelta | None:
    """0 means that indexes do not expire."""
    return _days(variables, name, default_days) or None
