"""The little of tar (POSIX.1-1988 ustar, and one pax record) that a bundle may hold (B1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

BLOCK = 512
NAME_BYTES = 100
PAX_LIMIT = 3 * BLOCK
"""Room for one record with the longest path that P3 allows."""
END = bytes(2 * BLOCK)

_NAME = slice(0, NAME_BYTES)
_SIZE = slice(124, 136)
_CHECKSUM = slice(148, 156)
_TYPE = slice(156, 157)
_LINK = slice(157, 257)
_MAGIC = slice(257, 265)
_PREFIX = slice(345, 500)

_OCTAL = re.compile(rb"([0-7]+)[ \0]*")
_PAX_PATH = re.compile(rb"([1-9][0-9]{0,3}) path=([^\n]+)\n")
_USTAR = b"ustar\x0000"
_FILE = b"0"
_PAX = b"x"


class TarError(ValueError):
    """Not what a bundle may hold."""


@dataclass(frozen=True, slots=True)
class Header:
    """One member's header. `path` is what ustar says; a pax record before it overrules."""

    path: str
    size: int
    is_pax: bool


def decode_header(block: bytes) -> Header:
    """The header in 512 bytes; TarError for links, devices, folders, other formats and damage."""
    checksum = _octal(block[_CHECKSUM], "checksum")
    if checksum != _checksum(block):
        raise TarError("damaged header")
    if block[_MAGIC] != _USTAR:
        raise TarError("not a ustar header")
    kind = block[_TYPE]
    if kind not in (_FILE, b"\0", _PAX):
        raise TarError(f"a member of type {kind!r}: only regular files are allowed")
    if block[_LINK].strip(b"\0"):
        raise TarError("a regular file with a link name")
    name, prefix = (_text(block[part]) for part in (_NAME, _PREFIX))
    return Header(f"{prefix}/{name}" if prefix else name, _octal(block[_SIZE], "size"), kind == _PAX)


def decode_pax(data: bytes) -> str:
    """The path in a pax header that holds one `path` record and nothing else, and is needed for it."""
    match = _PAX_PATH.fullmatch(data)
    if match is None or int(match[1]) != len(data):
        raise TarError("a pax header that is not one path record")
    if len(match[2]) <= NAME_BYTES:
        raise TarError("a pax path that a ustar header can hold")
    return _ascii(match[2])


def encode_member(path: str, size: int, content: Iterable[bytes]) -> Iterator[bytes]:
    """One regular file: headers, content, padding; mode 0644, no owner, no time."""
    name, prefix = _split(path)
    if name is None:
        record = _pax_record(path)
        yield _encode_header(b"pax", b"", len(record), _PAX)
        yield record
        yield _padding(len(record))
        name, prefix = path.encode("ascii")[-NAME_BYTES:], b""
    yield _encode_header(name, prefix, size, _FILE)
    yield from content
    yield _padding(size)


def padded(size: int) -> int:
    """`size` rounded up to whole blocks."""
    return -(-size // BLOCK) * BLOCK


def _encode_header(name: bytes, prefix: bytes, size: int, kind: bytes) -> bytes:
    block = bytearray(BLOCK)
    block[0 : len(name)] = name
    block[100:124] = b"0000644\0" + b"0000000\0" * 2
    block[_SIZE] = b"%011o\0" % size
    block[136:148] = b"%011o\0" % 0
    block[_TYPE] = kind
    block[_MAGIC] = _USTAR
    block[345 : 345 + len(prefix)] = prefix
    block[_CHECKSUM] = b"%06o\0 " % _checksum(bytes(block))
    return bytes(block)


def _padding(size: int) -> bytes:
    return bytes(padded(size) - size)


def _split(path: str) -> tuple[bytes | None, bytes]:
    """The ustar name and prefix; None where ustar cannot hold the path."""
    raw = path.encode("ascii")
    if len(raw) <= NAME_BYTES:
        return raw, b""
    for at in range(max(0, len(raw) - NAME_BYTES - 1), min(156, len(raw))):
        if raw[at : at + 1] == b"/":
            return raw[at + 1 :], raw[:at]
    return None, b""


def _pax_record(path: str) -> bytes:
    body = b" path=" + path.encode("ascii") + b"\n"
    length = len(body)
    while length != len(body) + len(str(length)):
        length = len(body) + len(str(length))
    return str(length).encode("ascii") + body


def _checksum(block: bytes) -> int:
    """The sum of all bytes, those of the checksum itself counted as spaces."""
    return sum(block) - sum(block[_CHECKSUM]) + 8 * ord(" ")


def _octal(field: bytes, name: str) -> int:
    match = _OCTAL.fullmatch(field.lstrip(b" "))
    if match is None:
        raise TarError(f"bad {name}")
    return int(match[1], 8)


def _text(field: bytes) -> str:
    raw, _, rest = field.partition(b"\0")
    if rest.strip(b"\0"):
        raise TarError("a name with a NUL inside")
    return _ascii(raw)


def _ascii(raw: bytes) -> str:
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError as error:
        raise TarError("a name that is not ASCII") from error
