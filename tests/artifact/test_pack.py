"""B1: the gzip of a bundle is one member that any program reads, whichever number of threads made it."""

from __future__ import annotations

import gzip as reference
import io
import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from publisher import pack

MIB = 1024 * 1024


def _joined(chunks: list[bytes]) -> bytes:
    return b"".join(pack.gzip(chunks))


def _mixed(size: int) -> bytes:
    """Text that repeats itself over block borders, between noise that does not."""
    chance = random.Random(7)
    noise = chance.randbytes(size // 4)
    return (noise[: size // 8] + b"import { a } from './a.js';\n" * (size // 56) + noise[size // 8 :])[:size]


@pytest.mark.parametrize("size", [0, 1, pack.BLOCK - 1, pack.BLOCK, pack.BLOCK + 1, 3 * MIB + 17])
def test_it_is_one_gzip_member_that_other_programs_read(size: int) -> None:
    data = _mixed(size)
    packed = _joined([data])
    assert reference.decompress(packed) == data
    inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
    assert inflater.decompress(packed) + inflater.flush() == data
    assert inflater.eof
    assert not inflater.unused_data, "a second member"


def test_it_does_not_depend_on_threads_or_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same tree gives the same bytes."""
    data = _mixed(5 * MIB + 3)
    made = set()
    for workers, chunk in ((1, 5000), (2, 1 << 16), (7, MIB), (64, len(data))):
        monkeypatch.setattr("os.cpu_count", lambda count=workers: count)
        made.add(_joined([data[at : at + chunk] for at in range(0, len(data), chunk)]))
    assert len(made) == 1


def test_it_says_neither_name_nor_time() -> None:
    with reference.GzipFile(fileobj=io.BytesIO(_joined([b"x"]))) as stream:
        stream.read()
        assert stream.mtime == 0
    assert _joined([b"x"])[3] == 0, "flags"


def test_it_packs_nearly_as_small_as_one_thread_would() -> None:
    data = _mixed(4 * MIB)
    assert len(_joined([data])) < 1.01 * len(zlib.compress(data, pack.LEVEL))


@given(st.lists(st.binary(max_size=300), max_size=20))
@settings(deadline=None, max_examples=40)
def test_any_chunks_are_packed_as_their_sum(chunks: list[bytes]) -> None:
    assert _joined(chunks) == _joined([b"".join(chunks)])
    assert reference.decompress(_joined(chunks)) == b"".join(chunks)
