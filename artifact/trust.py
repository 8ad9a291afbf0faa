"""S3-S6: the trust store: which key may sign what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from artifact.documents import parse
from artifact.errors import Code, ConfigurationError, ContentError
from artifact.fields import Fields, format_time
from artifact.keys import PublicKey

TRUST_STORE_LIMIT = 1024 * 1024

_MEMBERS = frozenset({"publicKey", "roles", "features", "validUntil"})


class Role(StrEnum):
    """What a key may sign (S3)."""

    MANIFEST = "manifest"
    RELEASES = "releases"
    INDEX = "index"


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """One entry. `features` are ids, or beginnings of ids that end in `*`."""

    key: PublicKey
    roles: frozenset[Role]
    features: tuple[str, ...]
    valid_until: datetime | None = None

    def covers(self, feature_id: str) -> bool:
        """Whether the feature is in this key's scope (S4)."""
        return any(
            feature_id.startswith(pattern[:-1]) if pattern.endswith("*") else feature_id == pattern
            for pattern in self.features
        )


@dataclass(frozen=True, slots=True)
class TrustStore:
    """Key ids and what each key may sign. `source` names where it came from, for messages."""

    keys: Mapping[str, TrustedKey]
    source: str = field(default="trust store", compare=False)

    @classmethod
    def parse(cls, data: bytes, *, source: str) -> TrustStore:
        """Both forms of S3, also mixed. An empty one trusts nobody and is refused. Raises ConfigurationError."""
        try:
            document = parse(data, limit=TRUST_STORE_LIMIT, where=source)
            keys = {key_id: _entry(key_id, value, source) for key_id, value in document.items()}
        except ContentError as error:
            raise ConfigurationError(
                f"bad trust store: {error.what}", rule="S3", where=source, expected=error.expected, seen=error.seen
            ) from error
        if not keys:
            raise ConfigurationError("the trust store has no key", rule="S5", where=source)
        return cls(keys, source)

    def key_for(self, key_id: str, *, role: Role, feature_id: str | None, at: datetime | None, where: str) -> PublicKey:
        """The key named `key_id`, if it may sign this.

        `feature_id` is None where scope does not apply (`index`). `at` is the moment to hold against `validUntil`;
        None where that was judged before. Raises ContentError `key_unknown` or `key_not_allowed`.
        """
        trusted = self.keys.get(key_id)
        if trusted is None:
            raise ContentError(
                Code.KEY_UNKNOWN,
                "S3",
                "signed with a key that is not trusted",
                where=where,
                expected=f"one of {', '.join(sorted(self.keys))} ({self.source})",
                seen=key_id,
            )
        if role not in trusted.roles:
            raise _not_allowed(key_id, f"the role {role}", ", ".join(sorted(trusted.roles)) or "no role", where)
        if feature_id is not None and not trusted.covers(feature_id):
            raise _not_allowed(key_id, f"a scope with {feature_id}", ", ".join(trusted.features) or "no feature", where)
        if at is not None and trusted.valid_until is not None and at > trusted.valid_until:
            raise _not_allowed(
                key_id, f"a moment until {format_time(trusted.valid_until)}", format_time(at), where, rule="S6"
            )
        return trusted.key


def _not_allowed(key_id: str, expected: str, seen: str, where: str, rule: str = "S4") -> ContentError:
    return ContentError(
        Code.KEY_NOT_ALLOWED, rule, f"key {key_id} may not sign this", where=where, expected=expected, seen=seen
    )


def _entry(key_id: str, value: Any, source: str) -> TrustedKey:
    where = f"{source}: {key_id}"
    if key_id == "":
        raise ConfigurationError("empty key id", rule="S3", where=source)
    if isinstance(value, str):
        return TrustedKey(PublicKey.parse(value, where=where), frozenset(Role), ("*",))
    if not isinstance(value, dict):
        raise ConfigurationError("bad entry", rule="S3", where=where, expected="a public key or an object")
    fields = Fields(value, where=where, rule="S3")
    unknown = fields.rest(_MEMBERS)
    if unknown:
        # A misspelt `validUntil` would otherwise trust for ever.
        raise ConfigurationError("unknown member", rule="S3", where=where, seen=", ".join(sorted(unknown)))
    return TrustedKey(
        PublicKey.parse(fields.text("publicKey"), where=where),
        frozenset(_role(name, where) for name in fields.texts("roles")),
        tuple(_pattern(pattern, where) for pattern in fields.texts("features")),
        fields.optional_time("validUntil"),
    )


def _role(name: str, where: str) -> Role:
    try:
        return Role(name)
    except ValueError as error:
        raise ConfigurationError(
            "unknown role", rule="S3", where=where, expected=" or ".join(Role), seen=name
        ) from error


def _pattern(pattern: str, where: str) -> str:
    if pattern == "" or "*" in pattern[:-1]:
        raise ConfigurationError(
            "bad feature pattern", rule="S3", where=where, expected="an id, or '*' only at the end", seen=pattern
        )
    return pattern
