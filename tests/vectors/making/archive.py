"""Tar and gzip by hand, also in ways that no honest program writes."""

from __future__ import annotations

import zlib

BLOCK = 512
END = bytes(2 * BLOCK)
USTAR = b"ustar\x0000"


def header(
    name: bytes,
    size: int,
    *,
    kind: bytes = b"0",
    link: bytes = b"",
    magic: bytes = USTAR,
    prefix: bytes = b"",
    size_field: bytes | None = None,
    owner: bytes = b"",
    mode: bytes = b"0000644\0",
    time: bytes = b"00000000000\0",
    checksum: bytes | None = None,
) -> bytes:
    """One tar header; every field as it is given, the checksum right unless it is given."""
    fields = [
        (0, name), (100, mode), (108, b"0000000\0" * 2), (124, b"%011o\0" % size if size_field is None else size_field),
        (136, time), (156, kind), (157, link), (257, magic), (265, owner), (345, prefix),
    ]  # fmt: skip
    block = bytearray(BLOCK)
    for at, value in fields:
        block[at : at + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block) if checksum is None else checksum
    return bytes(block)


def padding(size: int) -> bytes:
    return bytes(-size % BLOCK)


def record(key: bytes, value: bytes) -> bytes:
    """One pax record."""
    length = len(key) + len(value) + 3
    while len(str(length)) + len(key) + len(value) + 3 != length:
        length = len(str(length)) + len(key) + len(value) + 3
    return b"%d %s=%s\n" % (length, key, value)


def pax(*records: bytes, kind: bytes = b"x") -> bytes:
    """A pax header member."""
    data = b"".join(records)
    return header(b"pax", len(data), kind=kind) + data + padding(len(data))


def member(path: str | bytes, data: bytes = b"", **fields: bytes) -> bytes:
    """A member: header, content, padding; a pax record before it where the path is too long for one name field."""
    name = path.encode() if isinstance(path, str) else path
    before = b""
    if len(name) > 100:
        before, name = pax(record(b"path", name)), name[:100]
    return before + header(name, len(data), **fields) + data + padding(len(data))


def gzip(data: bytes, *, name: bytes = b"", crc: int | None = None, size: int | None = None) -> bytes:
    """One gzip member of stored blocks: the same bytes, whichever zlib there is."""
    head = b"\x1f\x8b\x08" + (b"\x08" if name else b"\x00") + bytes(4) + b"\x00\xff" + (name + b"\0" if name else b"")
    body = b""
    for at in range(0, max(len(data), 1), 0xFFFF):
        block = data[at : at + 0xFFFF]
        last = at + 0xFFFF >= len(data)
        body += bytes([last]) + len(block).to_bytes(2, "little") + (len(block) ^ 0xFFFF).to_bytes(2, "little") + block
    checksum = zlib.crc32(data) if crc is None else crc
    length = len(data) if size is None else size
    return head + body + checksum.to_bytes(4, "little") + length.to_bytes(4, "little")
