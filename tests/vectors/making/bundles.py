"""B1: bundles, honest and hostile (T17)."""

from __future__ import annotations

import zlib

from tests.vectors.making.archive import BLOCK, END, gzip, header, member, pax, record
from tests.vectors.making.forge import (
    DELETE,
    FEATURE,
    FILES,
    JSON,
    LONG,
    MOMENT,
    VERSION,
    edit,
    integrity,
    manifest,
    sha256,
    sign,
    text,
    vector,
)

SMALL = {"index.js": b"export {}\n", "lib/a.js": b"1"}
MANIFEST = text(sign(manifest(SMALL), "build")).encode()
FIRST = member("manifest.json", MANIFEST)
INDEX = member("index.js", SMALL["index.js"])
LIB = member("lib/a.js", SMALL["lib/a.js"])


def _bundle(name: str, code: str, archive: bytes, files: dict[str, bytes] | None = None) -> JSON:
    hashes = None if files is None else {path: sha256(data) for path, data in files.items()}
    context = {"trust": "full", "featureId": FEATURE, "version": VERSION, "at": MOMENT}
    expected = {} if hashes is None else {"files": hashes}
    return {**vector(name, "B1", code, archive, **context), **expected}


def _of(files: dict[str, bytes]) -> bytes:
    """The tar of a version with these files."""
    content = {"index.js": b"export {}\n", **files}
    document = text(sign(manifest(content), "build")).encode()
    return b"".join(
        [member("manifest.json", document), *(member(path, content[path]) for path in sorted(content)), END]
    )


def _accepted() -> list[JSON]:
    whole = FIRST + INDEX + LIB + END
    dated = {"owner": b"somebody", "mode": b"0100755\0", "time": b"14750000000\0"}
    other = (
        member("manifest.json", MANIFEST, **dated)
        + member("index.js", SMALL["index.js"], **dated)
        + member("lib/a.js", SMALL["lib/a.js"], kind=b"\0")
    )
    prefixed = "p" * 60 + "/" + "q" * 60 + ".js"
    split = header(prefixed[61:].encode(), 1, prefix=prefixed[:60].encode()) + b"1".ljust(BLOCK, b"\0")
    longest = "/".join(["d" * 204] * 5)
    with_prefix = {"index.js": b"export {}\n", prefixed: b"1"}
    document = text(sign(manifest(with_prefix), "build")).encode()
    with_long = {"index.js": b"export {}\n", LONG: b"long", longest[:1024]: b"longest"}
    no_sizes = text(sign(edit(manifest(SMALL), "sizes", to=DELETE), "build")).encode()
    return [
        _bundle("two files", "ok", gzip(whole), SMALL),
        _bundle("an empty file and folders", "ok", gzip(_of(FILES)), {**FILES, "index.js": FILES["index.js"]}),
        _bundle("padded to a record", "ok", gzip(whole + bytes(-len(whole) % 10240)), SMALL),
        _bundle("other times, owners, modes, and the old type of a file", "ok", gzip(other + END), SMALL),
        _bundle("a name in the gzip header", "ok", gzip(whole, name=b"bundle.tar"), SMALL),
        _bundle(
            "a path in ustar's prefix", "ok", gzip(member("manifest.json", document) + INDEX + split + END), with_prefix
        ),
        _bundle("paths that only pax can hold, one the longest of all", "ok", gzip(_of(with_long)), with_long),
        _bundle("without sizes", "ok", gzip(member("manifest.json", no_sizes) + INDEX + LIB + END), SMALL),
    ]


def _members() -> dict[str, bytes]:
    """Tars whose members are not what B1 allows."""
    name = b"lib/a.js"
    kinds = {
        "hard link": b"1", "symbolic link": b"2", "character device": b"3", "block device": b"4", "folder": b"5",
        "fifo": b"6", "contiguous file": b"7", "GNU long name": b"L", "GNU long link": b"K", "GNU sparse file": b"S",
        "GNU multi-volume": b"M", "global pax header": b"g", "Solaris extended header": b"X", "unknown type": b"Z",
    }  # fmt: skip
    tars = {kind: FIRST + INDEX + header(name, 0, kind=flag, link=b"index.js") + END for kind, flag in kinds.items()}
    long_name = b"../../etc/passwd\0"
    path, a_js = LONG.encode(), SMALL["lib/a.js"]
    sparse = record(b"GNU.sparse.major", b"1") + record(b"GNU.sparse.name", name)
    return tars | {
        "a folder before its files": FIRST + INDEX + header(b"lib/", 0, kind=b"5") + LIB + END,
        "GNU long name that climbs": FIRST + member(b"././@LongLink", long_name, kind=b"L") + INDEX + LIB + END,
        "global pax header first": pax(record(b"path", path), kind=b"g") + FIRST + INDEX + LIB + END,
        "a regular file with a link name": FIRST + INDEX + member(name, a_js, link=b"index.js") + END,
        "a link with content": FIRST + INDEX + member(name, a_js, kind=b"2", link=b"/etc/passwd") + END,
        "pax record for a short path": FIRST + INDEX + pax(record(b"path", name)) + LIB + END,
        "pax path and time": FIRST + INDEX + pax(record(b"path", path), record(b"mtime", b"1")) + LIB + END,
        "pax size": FIRST + INDEX + pax(record(b"size", b"1")) + LIB + END,
        "pax linkpath": FIRST + INDEX + pax(record(b"linkpath", b"/etc/passwd")) + LIB + END,
        "pax sparse file": FIRST + INDEX + pax(sparse) + LIB + END,
        "pax header twice": FIRST + INDEX + pax(record(b"path", path)) * 2 + LIB + END,
        "pax path twice": FIRST + INDEX + pax(record(b"path", path) * 2) + LIB + END,
        "pax header without a file": FIRST + INDEX + LIB + pax(record(b"path", path)) + END,
        "pax header before a link": FIRST + INDEX + pax(record(b"path", path)) + header(name, 0, kind=b"2") + END,
        "pax record of a wrong length": FIRST + INDEX + pax(b"999 path=" + path + b"\n") + LIB + END,
        "pax record without a length": FIRST + INDEX + pax(b"path=" + path + b"\n") + LIB + END,
        "pax header that is empty": FIRST + INDEX + pax() + LIB + END,
        "pax header that is endless": FIRST + INDEX + pax(record(b"path", b"a/" * 1000)) + LIB + END,
        "pax path that is not ASCII": FIRST + INDEX + pax(record(b"path", path + "æ".encode())) + LIB + END,
        "GNU format": FIRST + INDEX + member(name, a_js, magic=b"ustar  \0") + END,
        "tar of 1979": FIRST + INDEX + member(name, a_js, magic=bytes(8)) + END,
        "wrong checksum": FIRST + INDEX + member(name, a_js, checksum=b"000001\0 ") + END,
        "no checksum": FIRST + INDEX + member(name, a_js, checksum=bytes(8)) + END,
        "size as base-256": FIRST + INDEX + member(name, a_js, size_field=b"\x80" + bytes(10) + b"\x01") + END,
        "negative size": FIRST + INDEX + member(name, a_js, size_field=b"-0000000001\0") + END,
        "size that is not octal": FIRST + INDEX + member(name, a_js, size_field=b"00000000009\0") + END,
        "size that is empty": FIRST + INDEX + member(name, a_js, size_field=bytes(12)) + END,
        "a NUL inside the name": FIRST + INDEX + member(b"lib/a.js\0.txt", a_js) + END,
        "a name that is not ASCII": FIRST + INDEX + member("lib/æ.js", a_js) + END,
        "data in the padding": FIRST + INDEX + header(name, 1) + b"1".ljust(BLOCK, b"x") + END,
    }


def _wholes() -> dict[str, bytes]:
    """Tars whose order, number or end is wrong."""
    return {
        "no member": END,
        "manifest.json is not the first": INDEX + FIRST + LIB + END,
        "manifest.json is missing": INDEX + LIB + END,
        "manifest.json by another case": member("Manifest.json", MANIFEST) + INDEX + LIB + END,
        "manifest.json by a pax record": pax(record(b"path", b"manifest.json")) + FIRST + INDEX + LIB + END,
        "manifest.json twice": FIRST + INDEX + LIB + FIRST + END,
        "a file twice": FIRST + INDEX + INDEX + LIB + END,
        "another order": FIRST + LIB + INDEX + END,
        "cut in a header": (FIRST + INDEX + LIB)[:-700],
        "cut in a content": (FIRST + INDEX + LIB)[:-500],
        "without an end": FIRST + INDEX + LIB,
        "half an end": FIRST + INDEX + LIB + bytes(BLOCK),
        "a zero block between members": FIRST + INDEX + bytes(BLOCK) + LIB + END,
        "members after the end": FIRST + INDEX + LIB + END + INDEX,
        "a byte after the end": FIRST + INDEX + LIB + END + b"\x01",
        "more zeros after the end than a record": FIRST + INDEX + LIB + END + bytes(10241),
    }


def _outside() -> dict[str, bytes]:
    """Objects that are not one gzip member."""
    whole = FIRST + INDEX + LIB + END
    good = gzip(whole)
    return {
        "nothing": b"",
        "a tar without gzip": whole,
        "cut in the gzip header": good[:5],
        "cut in the middle": good[: len(good) // 2],
        "cut in the gzip trailer": good[:-1],
        "without the gzip trailer": good[:-8],
        "wrong CRC": gzip(whole, crc=zlib.crc32(whole) ^ 1),
        "wrong length in the trailer": gzip(whole, size=len(whole) + 1),
        "a second gzip member": good + good,
        "a second gzip member that is empty": good + gzip(b""),
        "the tar in two gzip members": gzip(whole[:1024]) + gzip(whole[1024:]),
        "a byte after the gzip member": good + b"x",
        "zeros after the gzip member": good + bytes(512),
        "another compression method": good[:2] + b"\x09" + good[3:],
    }


def _paths() -> dict[str, bytes]:
    """Tars with a member whose path P3 forbids."""
    bad = {
        "climbs": b"../x.js", "climbs later": b"a/../../x.js", "is absolute": b"/etc/passwd", "is hidden": b".env",
        "begins with a dot": b"./index.js", "has a backslash": b"..\\x.js", "is a drive": b"c:/x.js",
        "has a space": b"a b.js", "is a folder of the old type": b"lib/", "is empty": b"",
        "reserved by another case": b"MANIFEST.JSON",
    }  # fmt: skip
    tars = {name: FIRST + INDEX + member(path, b"1") + END for name, path in bad.items()}
    climbing = header(b"x.js", 0, prefix=b"../..")
    return tars | {
        "climbs by ustar's prefix": FIRST + INDEX + climbing + END,
        "climbs by a pax record": FIRST + INDEX + member(b"a/" * 60 + b"../" * 70 + b"x", b"1") + END,
        "is too long": FIRST + INDEX + member(b"a/" * 600 + b"x", b"1") + END,
        "has a NUL by a pax record": FIRST + INDEX + member(b"a/" * 60 + b"x\0", b"1") + END,
    }


def _contents() -> list[JSON]:
    """Archives that are well made but are not what the manifest says."""
    document = manifest(SMALL)
    lying = sign(edit(document, "integrity", "lib/a.js", to=integrity(b"2")), "build")
    no_sizes = member("manifest.json", text(sign(edit(document, "sizes", to=DELETE), "build")).encode())
    newer = manifest(SMALL, version="2.0.0")
    huge = 300 * 1024 * 1024

    def with_manifest(said: JSON) -> bytes:
        return gzip(member("manifest.json", text(said).encode()) + INDEX + LIB + END)

    unlisted = gzip(FIRST + INDEX + LIB + member("z.js", b"") + END)
    return [
        _bundle("a file that is not declared", "file_undeclared", unlisted),
        _bundle("a declared file is missing", "file_missing", gzip(FIRST + INDEX + END)),
        _bundle("all files are missing", "file_missing", gzip(FIRST + END)),
        _bundle("a file of another size", "integrity_mismatch", gzip(FIRST + INDEX + member("lib/a.js", b"12") + END)),
        _bundle("a file of another hash", "integrity_mismatch", gzip(FIRST + INDEX + member("lib/a.js", b"2") + END)),
        _bundle("a hash of another file", "integrity_mismatch", with_manifest(lying)),
        _bundle("a manifest that claims 2 MiB", "limit_exceeded", gzip(header(b"manifest.json", 2 * 1024 * 1024))),
        _bundle("a file that claims 300 MiB", "limit_exceeded", gzip(no_sizes + header(b"index.js", huge))),
        _bundle("a forged manifest", "signature_invalid", with_manifest(sign(document, "stranger", key_id="build"))),
        _bundle("a manifest without a signature", "signature_invalid", with_manifest(document)),
        _bundle("a manifest of an unknown key", "key_unknown", with_manifest(sign(document, "stranger"))),
        _bundle("a manifest of another version", "manifest_mismatch", with_manifest(sign(newer, "build"))),
        _bundle("a manifest that is no JSON", "document_invalid", gzip(member("manifest.json", b"{") + END)),
    ]


def files() -> dict[str, JSON]:
    wrong = {name: gzip(tar) for name, tar in (_members() | _wholes()).items()} | _outside()
    refused = [_bundle(name, "bundle_invalid", archive) for name, archive in wrong.items()]
    refused += [_bundle(f"a path that {name}", "path_invalid", gzip(tar)) for name, tar in _paths().items()]
    return {"bundles.json": {"vectors": _accepted() + refused + _contents()}}
