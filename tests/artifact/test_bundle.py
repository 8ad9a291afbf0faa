"""B1: bundles are read in one pass, in any chunks, and written so that the same tree gives the same bytes."""

from __future__ import annotations

import hashlib
import io
import itertools
import tarfile
import tracemalloc
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from artifact.bundle import CHUNK, BundleReader, write_tar
from artifact.errors import Code, ContentError
from artifact.manifest import FileEntry, Manifest
from artifact.paths import Limits
from artifact.versions import Version
from tests.artifact.strategies import trees
from tests.vectors.judge import JSON, accepted, bundle, content, vectors
from tests.vectors.making.archive import END, gzip, header, member

MIB = 1024 * 1024
MANIFEST = b'{"any":"bytes"}'
Tree = dict[str, bytes]


def _manifest(tree: Tree, *, sizes: bool = True) -> Manifest:
    files = {
        path: FileEntry(path, hashlib.sha256(data).digest(), len(data) if sizes else None)
        for path, data in tree.items()
    }
    return Manifest("feature-x", Version("1.0.0"), "stable", files, None, None, None)


def _tar(tree: Tree, chunk: int = 1000) -> bytes:
    files = ((path, len(tree[path]), _pieces(tree[path], chunk)) for path in sorted(tree))
    return b"".join(write_tar(MANIFEST, files))


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def _read(chunks: Iterable[bytes], manifest: Manifest, limits: Limits | None = None) -> Tree:
    reader = BundleReader(chunks, where="bundle", limits=limits or Limits())
    assert reader.manifest() == MANIFEST
    return {entry.path: b"".join(pieces) for entry, pieces in reader.files(manifest)}


@given(trees, st.integers(1, 3000), st.booleans())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_tree_comes_back_as_it_was_in_any_chunks(tree: Tree, chunk: int, sizes: bool) -> None:
    data = gzip(_tar(tree))
    assert _read(_pieces(data, chunk), _manifest(tree, sizes=sizes)) == tree


@given(trees, st.integers(1, 3000))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_same_tree_gives_the_same_bytes(tree: Tree, chunk: int) -> None:
    again = dict(reversed(tree.items()))
    assert _tar(again, chunk) == _tar(tree)


@given(trees)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_an_ordinary_tar_program_reads_what_we_write(tree: Tree) -> None:
    with tarfile.open(fileobj=io.BytesIO(_tar(tree)), mode="r:") as archive:
        members = archive.getmembers()
        assert [found.name for found in members] == ["manifest.json", *sorted(tree)]
        assert all(found.isreg() and found.mode == 0o644 for found in members)
        assert {(found.mtime, found.uid, found.gid, found.uname, found.gname) for found in members} == {
            (0, 0, 0, "", "")
        }
        read = {found.name: archive.extractfile(found) for found in members}
        assert {name: stream.read() for name, stream in read.items() if stream} == {"manifest.json": MANIFEST, **tree}


@given(trees)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_an_ordinary_tar_program_writes_is_read(tree: Tree) -> None:
    """Times and owners are not looked at; a path longer than one name field is a pax record there."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:", format=tarfile.PAX_FORMAT) as archive:
        for name, data in [("manifest.json", MANIFEST), *sorted(tree.items())]:
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.uid, info.uname = len(data), 1_700_000_000, 1000, "somebody"
            archive.addfile(info, io.BytesIO(data))
    assert _read([gzip(target.getvalue())], _manifest(tree)) == tree


@pytest.mark.parametrize("length", [99, 100, 101, 155, 156, 157, 255, 256, 257, 512, 1012, 1013, 1023, 1024])
def test_paths_of_every_length_that_p3_allows_come_back(length: int) -> None:
    path = ("d" * 99 + "/") * (length // 100) + "f" * (length % 100)
    path = path[:-1] + "f" if path.endswith("/") else path
    tree = {path: b"content"}
    assert len(path) == length
    assert _read([gzip(_tar(tree))], _manifest(tree)) == tree
    unsplittable = {"a/" + "b" * 120 + "/c" * (max(0, length - 122) // 2): b""}
    assert _read([gzip(_tar(unsplittable))], _manifest(unsplittable)) == unsplittable


REFUSED = [vector for vector in vectors("bundles.json") if vector["code"] != "ok"]


@pytest.mark.parametrize("chunk", [1, 7, 512, 4096])
def test_vectors_are_judged_the_same_in_any_chunks(chunk: int) -> None:
    """T17: the place where a chunk ends hides nothing."""
    for vector in accepted("bundles.json"):
        digests = {path: hashlib.sha256(data).hexdigest() for path, data in bundle(vector, content(vector)).items()}
        assert digests == vector["files"]
        assert bundle(vector, content(vector), chunk=chunk) == bundle(vector, content(vector))
    for vector in REFUSED:
        assert _refusal(vector, chunk) == vector["code"], vector["name"]


def _refusal(vector: JSON, chunk: int) -> str:
    with pytest.raises(ContentError) as refusal:
        bundle(vector, content(vector), chunk=chunk)
    return str(refusal.value.code)


@pytest.mark.parametrize("tail", [b"x", bytes(512), b"\x1f\x8b"])
@pytest.mark.parametrize("records", [1, 2, 3])
def test_what_follows_the_gzip_member_is_seen_wherever_the_pieces_end(records: int, tail: bytes) -> None:
    """T17: the archive's end may fall together with the end of a piece."""
    rest = records * CHUNK - len(_tar({"a": b""})) - 512
    tree = {"a": b"", "b": bytes(rest)}
    data = gzip(_tar(tree))
    assert len(_tar(tree)) % CHUNK == 0
    assert _read([data], _manifest(tree)) == tree
    for chunks in ([data, tail], [data + tail], _pieces(data + tail, CHUNK)):
        with pytest.raises(ContentError) as refusal:
            _read(chunks, _manifest(tree))
        assert refusal.value.code == Code.BUNDLE_INVALID
    with pytest.raises(ContentError, match=r"cut short|damaged"):
        _read([data[:-4]], _manifest(tree))


def test_nothing_wrong_is_given_out_as_a_whole_file() -> None:
    """T17, T01: the last chunk of a file comes only when its size and hash are right."""
    data = b"a" * (3 * CHUNK)
    manifest = _manifest({"f": data})
    reader = BundleReader([gzip(_tar({"f": data[:-1] + b"b"}))], where="bundle", limits=Limits())
    reader.manifest()
    _, pieces = next(reader.files(manifest))
    seen: list[int] = []
    with pytest.raises(ContentError) as refusal:
        seen.extend(map(len, pieces))
    assert refusal.value.code == Code.INTEGRITY_MISMATCH
    assert sum(seen) < len(data)


def test_a_bomb_ends_at_the_limits_and_in_bounded_memory() -> None:
    """T13, T17: 200 MiB of zeros in 200 kB; without sizes only P4 stands between it and the disk."""
    manifest = _manifest({"f": b""}, sizes=False)
    bomb = _deflated([member("manifest.json", MANIFEST), header(b"f", 200 * MIB)], 200)
    tracemalloc.start()
    try:
        with pytest.raises(ContentError) as refusal:
            _read(_pieces(bomb, 65536), manifest, Limits(file_bytes=200 * MIB - 1))
        assert refusal.value.code == Code.LIMIT_EXCEEDED
        with pytest.raises(ContentError) as refusal:
            _drain(_pieces(bomb, 65536), manifest)
        assert refusal.value.code == Code.INTEGRITY_MISMATCH
        assert tracemalloc.get_traced_memory()[1] < 8 * CHUNK
    finally:
        tracemalloc.stop()


def test_the_files_of_a_version_are_counted_together() -> None:
    """P4."""
    tree = {"a": b"1" * 60, "b": b"2" * 60}
    with pytest.raises(ContentError) as refusal:
        _read([gzip(_tar(tree))], _manifest(tree, sizes=False), Limits(version_bytes=119))
    assert refusal.value.code == Code.LIMIT_EXCEEDED
    assert _read([gzip(_tar(tree))], _manifest(tree, sizes=False), Limits(version_bytes=120)) == tree


def test_an_endless_end_is_refused_early() -> None:
    """T17: zeros for ever after the archive."""
    chunks = itertools.chain([_open_gzip(member("manifest.json", MANIFEST) + END)], _endless_zeros())
    with pytest.raises(ContentError) as refusal:
        _read(chunks, _manifest({}))
    assert refusal.value.code == Code.BUNDLE_INVALID


def _drain(chunks: Iterable[bytes], manifest: Manifest) -> None:
    reader = BundleReader(chunks, where="bundle", limits=Limits())
    reader.manifest()
    for _, pieces in reader.files(manifest):
        for _ in pieces:
            pass


def _deflated(heads: list[bytes], mib: int) -> bytes:
    import zlib

    deflater = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    pieces = [deflater.compress(head) for head in heads]
    pieces += [deflater.compress(bytes(MIB)) for _ in range(mib)]
    return b"".join([*pieces, deflater.flush()])


def _open_gzip(data: bytes) -> bytes:
    """A gzip member that goes on."""
    whole = gzip(data)
    return whole[:10] + b"\x00" + whole[11:-8]


def _endless_zeros() -> Iterator[bytes]:
    block = b"\x00\x00\x80\xff\x7f" + bytes(0x8000)
    return itertools.repeat(block)
