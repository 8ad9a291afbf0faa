"""P1, P2: feature ids and versions."""

from __future__ import annotations

import re
from functools import total_ordering

from artifact.errors import Code, ContentError

VERSION_LENGTH = 128

_FEATURE_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER = r"(?:0|[1-9][0-9]*)"
_IDENTIFIER = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_SEMVER = re.compile(rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?")

_Identifier = tuple[int, int, str]


def check_feature_id(text: str, *, where: str) -> str:
    """`text` if it is a DNS label (P1); else ContentError `schema_invalid`."""
    if _FEATURE_ID.fullmatch(text) is None:
        raise ContentError(
            Code.SCHEMA_INVALID, "P1", "bad feature id", where=where, expected=_FEATURE_ID.pattern, seen=text
        )
    return text


@total_ordering
class Version:
    """A SemVer 2.0.0 version without build metadata (P2), in the order of SemVer precedence."""

    __slots__ = ("_key", "text")

    def __init__(self, text: str, *, where: str = "version") -> None:
        """Raises ContentError `schema_invalid`."""
        match = _SEMVER.fullmatch(text) if len(text) <= VERSION_LENGTH else None
        if match is None:
            raise ContentError(
                Code.SCHEMA_INVALID,
                "P2",
                "bad version",
                where=where,
                expected=f"SemVer without build metadata, at most {VERSION_LENGTH} characters",
                seen=text,
            )
        self.text = text
        major, minor, patch, pre = match.groups()
        # A version without a pre-release is higher than the same one with any (SemVer 11.3).
        self._key = (int(major), int(minor), int(patch), pre is None, _precedence(pre))

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Version({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, Version) else NotImplemented

    def __lt__(self, other: Version) -> bool:
        return self._key < other._key

    def __hash__(self) -> int:
        return hash(self.text)


def _precedence(pre: str | None) -> tuple[_Identifier, ...]:
    """SemVer 11.4: numbers by value and below words, words in ASCII order, a longer list above its beginning."""
    if pre is None:
        return ()
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in pre.split("."))
