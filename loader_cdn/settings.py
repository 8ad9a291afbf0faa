"""C3: what a run is told by flags and environment, judged before anything is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from artifact.documents import INTEGER_LIMIT
from artifact.errors import ConfigurationError, ContentError
from artifact.paths import Limits
from artifact.trust import TRUST_STORE_LIMIT, TrustStore
from artifact.versions import check_feature_id
from loader_cdn.bounds import TransferSettings
from loader_cdn.origin import checked, shown

SELECTOR = "favn.io/feature-registration=true"
"""The label that makes a ConfigMap a registration."""


class StartWith(StrEnum):
    """What a host needs to start: everything as it is published now, something of every feature (also what an earlier
    run left), or whatever is there.
    """

    CURRENT = "current"
    KEPT = "kept"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. No `host`: on all interfaces."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Settings:
    """One run. `features` maps feature ids to their base URL, which ends in `/`; `timeout` of a pass and `poll` between
    two are in seconds. `namespaces` empty: the one that the pod is in, or the context's.
    """

    root: Path
    trust_keys: str
    features: Mapping[str, str] = field(default_factory=dict)
    remote_index: str | None = None
    kubernetes: bool = False
    selector: str = SELECTOR
    namespaces: Sequence[str] = ()
    registrations: Path | None = None
    min_sequence: Mapping[str, int] = field(default_factory=dict)
    ready_file: Path | None = None
    timeout: float = 300.0
    poll: float = 30.0
    grace: timedelta = timedelta(minutes=10)
    allow_expired: bool = False
    allow_missing: bool = False
    start_with: StartWith | None = None
    wait: bool = False
    listen: Address | None = None
    on_swap: str | None = None
    limits: Limits = field(default_factory=Limits)
    transfer: TransferSettings = field(default_factory=TransferSettings)

    def __post_init__(self) -> None:
        """Raises ConfigurationError."""
        if not (self.features or self.remote_index or self.kubernetes or self.registrations):
            what = "nothing is registered: give --feature, --remote-index, --kubernetes or --registrations"
            raise ConfigurationError(what, rule="L1")
        for url in self.features.values():
            checked(url, allow_http=self.transfer.allow_http)
        if self.remote_index is not None:
            checked(self.remote_index, allow_http=self.transfer.allow_http)


def features(values: Iterable[str]) -> dict[str, str]:
    """`ID=URL`, once a feature, as feature id -> base URL with a `/` at its end. Raises ConfigurationError."""
    found: dict[str, str] = {}
    for value in values:
        feature_id, url = _pair(value, "--feature", "ID=URL")
        if feature_id in found:
            raise ConfigurationError("a feature is registered twice", rule="L1", where="--feature", seen=feature_id)
        found[feature_id] = _base(url)
    return found


def min_sequences(values: Iterable[str]) -> dict[str, int]:
    """`ID=N`, as feature id -> N (L7). Raises ConfigurationError."""
    found: dict[str, int] = {}
    for value in values:
        feature_id, number = _pair(value, "--min-sequence", "ID=N")
        if not (number.isascii() and number.isdigit() and len(number) <= 16 and int(number) <= INTEGER_LIMIT):
            raise ConfigurationError("not a sequence", where="--min-sequence", expected="ID=N", seen=value)
        found[feature_id] = int(number)
    return found


def address(value: str) -> Address:
    """`[HOST:]PORT`; an IPv6 host stands in brackets. Raises ConfigurationError."""
    host, _, port = value.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port[:6]) < 65536) or (
        ":" in host and host[:1] + host[-1:] != "[]"
    ):
        raise ConfigurationError("not an address", where="--listen", expected="[HOST:]PORT", seen=value)
    return Address(host.strip("[]"), int(port))


def hook(value: str | None) -> str | None:
    """A URL, or a file's path. Raises ConfigurationError."""
    if value is not None and "://" in value:
        checked(value, allow_http=True)
    return value


def remote_index_url(value: str) -> str:
    """The URL of a remote index. Raises ConfigurationError."""
    return _plain(value, "--remote-index")


def load_trust(value: str) -> TrustStore:
    """S3: the trust store in `value`, which is JSON or the path of a file. Raises ConfigurationError."""
    if value.lstrip().startswith("{"):
        return TrustStore.parse(value.encode("utf-8"), source="--trust-keys")
    try:
        with Path(value).open("rb") as file:
            data = file.read(TRUST_STORE_LIMIT + 1)
    except OSError as error:
        raise ConfigurationError(
            "the trust store cannot be read; --trust-keys takes a file or JSON",
            rule="S5",
            where=value,
            seen=error.strerror,
        ) from error
    return TrustStore.parse(data, source=value)


def _pair(value: str, flag: str, expected: str) -> tuple[str, str]:
    feature_id, equals, rest = value.partition("=")
    if not equals or not rest:
        raise ConfigurationError("not a pair", where=flag, expected=expected, seen=shown(value))
    try:
        return check_feature_id(feature_id, where=flag), rest
    except ContentError as error:
        raise ConfigurationError(
            error.what, rule=error.rule, where=flag, expected=error.expected, seen=feature_id
        ) from error


def _base(url: str) -> str:
    if "://" not in url and "@sha256:" in url:
        raise ConfigurationError(
            "this is an image: features are read from a CDN only",
            rule="L1",
            where="--feature",
            expected="ID=https://…",
            seen=url,
        )
    plain = _plain(url, "--feature")
    return plain if plain.endswith("/") else plain + "/"


def _plain(url: str, flag: str) -> str:
    """A query would be lost when the URLs of files are made from this one (I2)."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ConfigurationError("not an http(s) URL", rule="C3", where=flag, seen=shown(url)) from error
    if parts.query or parts.fragment:
        raise ConfigurationError(
            "a URL with a query or fragment cannot be a base for others", rule="C3", where=flag, seen=shown(url)
        )
    return url
