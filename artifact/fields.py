"""Reading a document's members by name and type, with errors that say which member and what was there instead."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from artifact.documents import TYPE_NAMES
from artifact.errors import Code, ContentError
from artifact.versions import Version, check_feature_id

T = TypeVar("T")

_MISSING = object()

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?Z", re.ASCII)
_HEX_SHA256 = re.compile(r"[0-9a-f]{64}")


class Fields:
    """One JSON object's members. Every method raises ContentError `schema_invalid` under `rule`."""

    __slots__ = ("members", "place", "rule", "where")

    def __init__(self, members: Mapping[str, Any], *, where: str, rule: str, place: str = "") -> None:
        self.members = members
        self.where = where
        self.rule = rule
        self.place = place

    def refuse(self, name: str, what: str, *, expected: object = None, seen: object = None) -> ContentError:
        """The error to raise about member `name`."""
        member = f"{self.place}{name}: " if name else ""
        return ContentError(
            Code.SCHEMA_INVALID, self.rule, f"{member}{what}", where=self.where, expected=expected, seen=seen
        )

    def _typed(self, name: str, kind: type[T]) -> T:
        value = self.members.get(name, _MISSING)
        # bool is an int to Python, not to JSON
        if type(value) is kind:
            return value
        if value is _MISSING:
            raise self.refuse(name, "missing member")
        raise self.refuse(name, "wrong type", expected=TYPE_NAMES[kind], seen=TYPE_NAMES[type(value)])

    def has(self, name: str) -> bool:
        return name in self.members

    def text(self, name: str) -> str:
        """A string that is not empty."""
        value = self._typed(name, str)
        if value == "":
            raise self.refuse(name, "empty string")
        return value

    def any_text(self, name: str) -> str:
        """A string, also an empty one."""
        return self._typed(name, str)

    def optional_text(self, name: str) -> str | None:
        """Any string, or None where there is no such member."""
        return self.any_text(name) if self.has(name) else None

    def integer(self, name: str, *, minimum: int) -> int:
        value = self._typed(name, int)
        if value < minimum:
            raise self.refuse(name, "too small", expected=f"at least {minimum}", seen=value)
        return value

    def optional_integer(self, name: str, *, minimum: int) -> int | None:
        return self.integer(name, minimum=minimum) if self.has(name) else None

    def constant(self, name: str, expected: str | int) -> None:
        value = self._typed(name, type(expected))
        if value != expected:
            raise self.refuse(name, "wrong value", expected=expected, seen=value)

    def choice(self, name: str, options: Collection[str]) -> str:
        value = self.text(name)
        if value not in options:
            raise self.refuse(name, "wrong value", expected=" or ".join(sorted(options)), seen=value)
        return value

    def array(self, name: str, *, minimum: int = 0) -> list[Any]:
        value: list[Any] = self._typed(name, list)
        if len(value) < minimum:
            raise self.refuse(name, "empty array")
        return value

    def texts(self, name: str, *, minimum: int = 0) -> tuple[str, ...]:
        """An array of strings."""
        values = self.array(name, minimum=minimum)
        for value in values:
            if type(value) is not str:
                raise self.refuse(name, "wrong type of item", expected="string", seen=TYPE_NAMES[type(value)])
        return tuple(values)

    def object(self, name: str) -> Fields:
        return Fields(self._typed(name, dict), where=self.where, rule=self.rule, place=f"{self.place}{name}.")

    def objects(self, name: str) -> Iterator[Fields]:
        """The items of an array of objects."""
        for number, item in enumerate(self.array(name)):
            if type(item) is not dict:
                raise self.refuse(name, "wrong type of item", expected="object", seen=TYPE_NAMES[type(item)])
            yield Fields(item, where=self.where, rule=self.rule, place=f"{self.place}{name}[{number}].")

    def time(self, name: str) -> datetime:
        """An RFC 3339 time in UTC with `Z` (F5)."""
        text = self.text(name)
        try:
            return parse_time(text)
        except ValueError as error:
            raise self.refuse(name, "not a time", expected="RFC 3339 in UTC with Z (F5)", seen=text) from error

    def optional_time(self, name: str) -> datetime | None:
        return self.time(name) if self.has(name) else None

    def hex_sha256(self, name: str) -> str:
        """64 lower-case hexadecimal digits."""
        text = self.text(name)
        if _HEX_SHA256.fullmatch(text) is None:
            raise self.refuse(name, "not a SHA-256", expected="64 lower-case hexadecimal digits", seen=text)
        return text

    def optional_hex_sha256(self, name: str) -> str | None:
        return self.hex_sha256(name) if self.has(name) else None

    def version(self, name: str) -> Version:
        text = self.text(name)
        try:
            return Version(text)
        except ContentError as error:
            raise self._placed(error, name) from error

    def feature_id(self, name: str) -> str:
        text = self.text(name)
        try:
            return check_feature_id(text, where=self.where)
        except ContentError as error:
            raise self._placed(error, name) from error

    def _placed(self, error: ContentError, name: str) -> ContentError:
        """`error` with its place in the document, which is not put together for the thousands that are right."""
        where = f"{self.where}: {self.place}{name}"
        return ContentError(error.code, error.rule, error.what, where=where, expected=error.expected, seen=error.seen)

    def rest(self, known: frozenset[str]) -> dict[str, Any]:
        """The members that a reader does not know: signed and kept, never interpreted (F3)."""
        if known.issuperset(self.members):
            return {}
        return {name: value for name, value in self.members.items() if name not in known}


def parse_time(text: str) -> datetime:
    """An F5 time; ValueError for anything else, also for a day or hour that does not exist."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"not an RFC 3339 time in UTC with Z: {text!r}")
    fraction = (match[2] or ".0")[1:].ljust(6, "0")[:6]
    return datetime.fromisoformat(match[1]).replace(microsecond=int(fraction), tzinfo=UTC)


def format_time(moment: datetime) -> str:
    """The F5 form; fractions of a second only where there are any."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def whole_seconds(moment: datetime) -> datetime:
    """`moment` in UTC without a fraction, as the documents that we write say it."""
    return moment.astimezone(UTC) - timedelta(microseconds=moment.microsecond)


def strict_base64(text: str) -> bytes:
    """Standard alphabet, padded, canonical, no white space (S2); ValueError otherwise."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("not base64") from error
    if base64.b64encode(data).decode("ascii") != text:
        raise ValueError("not canonical base64")
    return data
