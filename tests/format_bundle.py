"""What the code says about the bundle of docs/FORMAT.md: its bytes (B1), and what refuses it (B2)."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from itertools import groupby

from artifact.bundle import BundleReader
from publisher.pack import gzip as gzip_member
from tests.format_story import LIMITS, archive, bundle_tar, files, manifest, verified


def hexdump(data: bytes, start: int = 0) -> Iterator[str]:
    """As `hexdump -C` writes it; of rows of zeros that repeat only the first, then `*`."""
    rows = [(start + at, data[at : at + 16]) for at in range(0, len(data), 16)]
    for is_zero, group in groupby(rows, lambda row: not any(row[1])):
        same = list(group)
        for at, row in same[:1] if is_zero else same:
            text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
            yield f"{at:08x}  {row.hex(' '):<47}  |{text}|"
        if is_zero and len(same) > 1:
            yield "*"


def layout() -> str:
    at, rows = 0, []
    for path, data in [("manifest.json", manifest("1.0.0")), *files("1.0.0").items()]:
        padding = -len(data) % 512
        rows += [(512, f"header of {path}"), (len(data), path), (padding, "zeros")]
    out = []
    for length, what in [*rows, (1024, "two zero blocks")]:
        out.append(f"{at:>5}  {length:>5}  {what}")
        at += length
    assert at == len(bundle_tar())
    return "\n".join([*out, f"{at:>5}         the end; SHA-256 {hashlib.sha256(bundle_tar()).hexdigest()}"])


def pax() -> str:
    data = archive([(f"assets/{'a' * 100}.js", b"")])
    length = int(data[124:135], 8)
    record = data[512 : 512 + length].decode().replace("\n", "\\n")
    return "\n".join([*hexdump(data[:512]), "", record, "", *hexdump(data[1024:1136])])


def gzip_ends() -> str:
    data = b"".join(gzip_member([bundle_tar()]))
    assert gzip.decompress(data) == bundle_tar()
    return f"{data[:10].hex(' ')}\n{data[-8:].hex(' ')}"


def judge_bundle(left: str) -> None:
    members = [("manifest.json", manifest("1.0.0")), *files("1.0.0").items()]
    path, content = members[-1]
    altered = {
        "one byte of entry.js": [*members[:-1], (path, b"X" + content[1:])],
        "entry.js left out": members[:-1],
        "evil.js added": [*members, ("evil.js", b"")],
        "entry.js twice": [*members, members[-1]],
        "the files in reverse order": [members[0], *reversed(members[1:])],
        "manifest.json last": [*members[1:], members[0]],
    }
    data = archive(altered.get(left, members)) + (b"x" if left == "a byte after the end" else b"")
    packed = gzip.compress(data, mtime=0) + (gzip.compress(b"", mtime=0) if left == "a second gzip member" else b"")
    reader = BundleReader([packed[:-1] if left == "the last byte cut off" else packed], where="", limits=LIMITS)
    declared = verified(reader.manifest()).manifest
    for _, chunks in reader.files(declared):
        for _ in chunks:
            pass
