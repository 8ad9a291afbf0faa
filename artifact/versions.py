"""P1, P2: feature ids and versions."""

from __future__ import annotations

import re
from functools import total_ordering

from artifact.errors import Code, ContentError

VERSION_LENGTH = 128

FEATURE_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER = r"(?:0|[1-9][0-9]*)"
_IDENTIFIER = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
SEMVER = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_IDENTIFIER}(?:\.{_IDENTIFIER})*)?")

_Identifier = tuple[int, int, str]


def check_feature_id(text: str, *, where: str) -> str:
    """`text` if it is a DNS label (P1); else ContentError `schema_invalid`."""
    if FEATURE_ID.fullmatch(text) is None:
        raise ContentError(
            Code.SCHEMA_INVALID, "P1", "bad feature id", where=where, expected=FEATURE_ID.pattern, seen=text
        )
    return text


@total_ordering
class Version:
    """A SemVer 2.0.0 version without build metadata (P2), in the order of SemVer precedence."""

    __slots__ = ("text",)

    def __init__(self, text: str, *, where: str = "version") -> None:
        """Raises ContentError `schema_invalid`."""
        if len(text) > VERSION_LENGTH or SEMVER.fullmatch(text) is None:
            raise ContentError(
                Code.SCHEMA_INVALID,
                "P2",
                "bad version",
                where=where,
                expected=f"SemVer without build metadata, at most {VERSION_LENGTH} characters",
                seen=text,
            )
        self.text = text

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Version({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, Version) else NotImplemented

    def __lt__(self, other: Version) -> bool:
        return _precedence(self.text) < _precedence(other.text)

    def __hash__(self) -> int:
        return hash(self.text)


def _precedence(text: str) -> tuple[list[int], bool, list[_Identifier]]:
    """SemVer 11; made where versions are compared, which an index of thousands of features never does."""
    release, _, pre = text.partition("-")
    # A version without a pre-release is higher than the same one with any (11.3).
    return [int(number) for number in release.split(".")], not pre, [_identifier(part) for part in pre.split(".")]


def _identifier(part: str) -> _Identifier:
    """SemVer 11.4: numbers by value and below words, words in ASCII order; a longer list is above its beginning."""
    return (0, int(part), "") if part.isdigit() else (1, 0, part)
