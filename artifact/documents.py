"""F: strict JSON in, canonical JSON out.

`parse` is the only way from bytes to a document; `canonical` gives the bytes that are signed (S1) and written (F4).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from artifact.errors import Code, ContentError

MANIFEST_LIMIT = 1024 * 1024
RELEASES_LIMIT = 1024 * 1024
REMOTE_INDEX_LIMIT = 8 * 1024 * 1024
NESTING_LIMIT = 32
INTEGER_LIMIT = 2**53 - 1

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,15}")
_CONTAINERS = frozenset({dict, list})
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")

TYPE_NAMES = {dict: "object", list: "array", str: "string", int: "integer", bool: "boolean", type(None): "null"}


def parse(data: bytes, *, limit: int, where: str) -> dict[str, Any]:
    """The JSON object that `data` holds, at most `limit` bytes long (F1, F2).

    Raises ContentError: `limit_exceeded` for size and nesting, `document_invalid` for all else, `schema_invalid` where
    the outermost value is no object.
    """
    if len(data) > limit:
        raise ContentError(
            Code.LIMIT_EXCEEDED, "F1", "document too long", where=where, expected=f"{limit} bytes", seen=len(data)
        )
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
        )
    except UnicodeDecodeError as error:
        raise _invalid("F1", f"not UTF-8 at byte {error.start}", where) from error
    except json.JSONDecodeError as error:
        raise _invalid("F2", f"not JSON: {error.msg} at character {error.pos}", where) from error
    except RecursionError as error:
        raise _too_deep(where) from error
    except _RefusedError as error:
        raise _invalid("F2", str(error), where) from error
    if _deeper_than(value, NESTING_LIMIT):
        raise _too_deep(where)
    # UTF-8 itself cannot carry a lone surrogate: only an escape can.
    if b"\\u" in data and not _encodable(value):
        raise _invalid("F2", "lone surrogate in a string", where)
    if not isinstance(value, dict):
        raise ContentError(
            Code.SCHEMA_INVALID, "F2", "not an object", where=where, expected="object", seen=TYPE_NAMES[type(value)]
        )
    return value


def canonical(value: Mapping[str, Any] | Sequence[Any]) -> bytes:
    """The RFC 8785 form of an F2 value: members in UTF-16 order, shortest escapes, no white space, UTF-8.

    Raises ContentError `document_invalid` for a lone surrogate, which a value that was not parsed may hold.
    """
    text = _dump(value, sort_keys=True)
    # Python sorts by code point; UTF-16 order differs only where a member name lies beyond U+FFFF.
    if not text.isascii() and _ASTRAL.search(text):
        text = _dump(_ordered(value), sort_keys=False)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise _invalid("F2", "lone surrogate in a string", "document to write") from error


class _RefusedError(ValueError):
    """Raised inside the JSON parser's hooks, which do not know where they are."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _RefusedError(f"duplicate member {_first_repeated(pairs)[:40]!a}")
    return members


def _first_repeated(pairs: list[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            return name
        seen.add(name)
    raise AssertionError("no member is repeated")


def _integer(spelling: str) -> int:
    if _INTEGER.fullmatch(spelling) is None or abs(value := int(spelling)) > INTEGER_LIMIT:
        _refuse_number(spelling)
    return value


def _refuse_number(spelling: str) -> NoReturn:
    raise _RefusedError(f"number {spelling[:40]} is not an integer in ±(2^53-1)")


def _invalid(rule: str, what: str, where: str) -> ContentError:
    return ContentError(Code.DOCUMENT_INVALID, rule, what, where=where)


def _too_deep(where: str) -> ContentError:
    return ContentError(
        Code.LIMIT_EXCEEDED, "F1", "nested too deep", where=where, expected=f"at most {NESTING_LIMIT} levels"
    )


def _deeper_than(value: Any, limit: int) -> bool:
    level = _containers([value])
    for _ in range(limit):
        level = [child for node in level for child in _containers(node.values() if type(node) is dict else node)]
    return bool(level)


def _containers(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if type(value) in _CONTAINERS]


def _encodable(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _dump(value: Any, *, sort_keys: bool) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=sort_keys, separators=(",", ":"), check_circular=False)


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _ordered(value[name]) for name in sorted(value, key=lambda n: n.encode("utf-16-be"))}
    if isinstance(value, list):
        return [_ordered(child) for child in value]
    return value
