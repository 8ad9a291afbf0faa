"""The stable error codes (C5) and the tree of errors, by blame.

Only the edges (a command, a trigger) catch these: they become an exit status, an HTTP status, or are raised again so
that the platform retries.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class Code(StrEnum):
    """The stable codes of C5."""

    DOCUMENT_INVALID = "document_invalid"
    SCHEMA_INVALID = "schema_invalid"
    SIGNATURE_INVALID = "signature_invalid"
    KEY_UNKNOWN = "key_unknown"
    KEY_NOT_ALLOWED = "key_not_allowed"
    FEATURE_MISMATCH = "feature_mismatch"
    PATH_INVALID = "path_invalid"
    LIMIT_EXCEEDED = "limit_exceeded"
    INTEGRITY_MISMATCH = "integrity_mismatch"
    FILE_MISSING = "file_missing"
    FILE_UNDECLARED = "file_undeclared"
    MANIFEST_MISMATCH = "manifest_mismatch"
    SEQUENCE_ROLLBACK = "sequence_rollback"
    SEQUENCE_FORK = "sequence_fork"
    EXPIRED = "expired"
    BUNDLE_INVALID = "bundle_invalid"
    VERSION_EXISTS = "version_exists"
    VERSION_WITHDRAWN = "version_withdrawn"
    CONFLICT = "conflict"
    TRANSPORT_FAILED = "transport_failed"
    TRANSPORT_SLOW = "transport_slow"
    NOT_FOUND = "not_found"
    UNAUTHORIZED = "unauthorized"
    STORAGE_FULL = "storage_full"
    CONFIGURATION_INVALID = "configuration_invalid"


class DeliveryError(Exception):
    """What went wrong, under which rule, where, what was expected and what was seen.

    `str(error)` is one line for people: `where: what (expected ..., saw ...) [rule]`; nothing in it is secret.
    """

    exit_status: ClassVar[int]

    def __init__(
        self, code: Code, rule: str, what: str, *, where: str = "", expected: object = None, seen: object = None
    ) -> None:
        self.code = code
        self.rule = rule
        self.what = what
        self.where = where
        self.expected = expected
        self.seen = seen
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """One line: where, what, expected and seen; without the rule and the code, which stand beside it in JSON."""
        place = f"{self.where}: " if self.where else ""
        facts = []
        if self.expected is not None:
            facts.append(f"expected {_short(self.expected)}")
        if self.seen is not None:
            facts.append(f"saw {_short(self.seen)}")
        detail = f" ({', '.join(facts)})" if facts else ""
        return f"{place}{self.what}{detail}"

    def __str__(self) -> str:
        return f"{self.message} [{self.code}, {self.rule}]"

    def as_json(self) -> dict[str, str]:
        """The error as `--json`, receipts and problem documents show it: `{"code", "rule", "message"}`."""
        return {"code": str(self.code), "rule": self.rule, "message": self.message}


class ContentError(DeliveryError):
    """The content is wrong: refused, never retried (exit status 3)."""

    exit_status = 3


class TransientError(DeliveryError):
    """It failed for now: the transport, the disk, or somebody else was first; a retry may help (exit status 1)."""

    exit_status = 1


class ConfigurationError(DeliveryError):
    """A setting or a call is wrong: stop before anything is done (exit status 2)."""

    exit_status = 2

    def __init__(
        self, what: str, *, rule: str = "C1", where: str = "", expected: object = None, seen: object = None
    ) -> None:
        super().__init__(Code.CONFIGURATION_INVALID, rule, what, where=where, expected=expected, seen=seen)


TRANSIENT_CODES = frozenset(
    {
        Code.TRANSPORT_FAILED,
        Code.TRANSPORT_SLOW,
        Code.NOT_FOUND,
        Code.UNAUTHORIZED,
        Code.STORAGE_FULL,
        Code.CONFLICT,
    }
)


def _short(value: object, limit: int = 200) -> str:
    """`value` on one printable line of at most `limit` characters: it may come from an attacker."""
    text = value if isinstance(value, str) else repr(value)
    text = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text[: limit + 1])
    return text if len(text) <= limit else text[: limit - 1] + "…"
