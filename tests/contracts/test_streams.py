"""What every StreamStore promises (publisher/ports.py), on memory and Azurite."""

from __future__ import annotations

import io
import tracemalloc
from contextlib import suppress

import pytest

from artifact.errors import Code, ContentError, TransientError
from publisher.content_types import private
from tests.contracts.bodies import zeros
from tests.contracts.conftest import Subject, blob
from tools.local.azurite import Account

NAME = "feature-a/1.0.0.tar.gz"
SETTINGS = private(NAME)
MIB = 1024 * 1024
LARGE = bytes(range(256)) * (9 * MIB // 256) + b"end"


def put(subject: Subject, data: bytes, name: str = NAME) -> str:
    etag: str = subject.store.put_file(name, io.BytesIO(data), len(data), SETTINGS)
    return etag


@pytest.mark.parametrize("data", [b"", b"small", LARGE], ids=["empty", "small", "large"])
def test_a_file_comes_back_as_a_stream_at_its_etag(streams: Subject, data: bytes) -> None:
    etag = put(streams, data)
    stream = streams.store.stream(NAME)
    assert (stream.etag, stream.size) == (etag, len(data))
    assert '"' not in etag
    assert b"".join(stream) == data
    assert streams.headers(NAME) == SETTINGS


def test_what_is_not_there_is_no_stream(streams: Subject) -> None:
    assert streams.store.stream(NAME) is None


def test_put_file_overwrites(streams: Subject) -> None:
    first = put(streams, LARGE)
    assert put(streams, b"second") != first
    assert b"".join(streams.store.stream(NAME)) == b"second"


@pytest.mark.parametrize("there", [3, 9 * MIB])
@pytest.mark.parametrize("promised", [-1, +1])
def test_a_file_of_another_length_is_not_written(streams: Subject, there: int, promised: int) -> None:
    put(streams, b"before")
    with pytest.raises(ContentError) as caught:
        streams.store.put_file(NAME, zeros(there), there + promised, SETTINGS)
    assert caught.value.code == Code.INTEGRITY_MISMATCH
    assert b"".join(streams.store.stream(NAME)) == b"before"


@pytest.mark.parametrize("change", ["overwritten", "deleted"])
def test_b2_a_stream_never_goes_on_in_another_object(streams: Subject, change: str) -> None:
    put(streams, LARGE)
    chunks = iter(streams.store.stream(NAME))
    found = [next(chunks)]
    if change == "overwritten":
        put(streams, LARGE.swapcase())
    else:
        streams.store.delete(NAME)
    with suppress(TransientError):  # or a server goes on with what it has begun
        found.extend(chunks)
        assert b"".join(found) == LARGE
    assert LARGE.startswith(b"".join(found))


def test_b2_a_stream_does_not_begin_in_another_object(streams: Subject) -> None:
    put(streams, LARGE)
    stream = streams.store.stream(NAME)
    put(streams, LARGE.swapcase())
    with pytest.raises(TransientError) as caught:
        next(iter(stream))
    assert caught.value.code == Code.TRANSPORT_FAILED


def test_b4_move_takes_an_object_to_another_container_with_its_settings(streams: Subject) -> None:
    etag = put(streams, LARGE)
    assert streams.store.move(NAME, streams.other, "aside/x.tar.gz", etag=etag) is True
    assert streams.store.stream(NAME) is None
    assert b"".join(streams.other.stream("aside/x.tar.gz")) == LARGE
    assert streams.headers("aside/x.tar.gz") == SETTINGS


def test_move_leaves_what_changed_and_says_so(streams: Subject) -> None:
    etag = put(streams, b"first")
    put(streams, b"second")
    assert streams.store.move(NAME, streams.other, "aside", etag=etag) is False
    assert b"".join(streams.store.stream(NAME)) == b"second"
    assert streams.other.stream("aside") is None


def test_move_of_what_is_gone_says_so(streams: Subject) -> None:
    etag = put(streams, b"first")
    streams.store.delete(NAME)
    assert streams.store.move(NAME, streams.other, "aside", etag=etag) is False


def test_t40_a_move_that_died_between_copy_and_delete_is_repeated(streams: Subject) -> None:
    etag = put(streams, b"bundle")
    streams.other.put_file("aside", io.BytesIO(b"bundle"), 6, SETTINGS)  # where it died: copied, not yet deleted
    assert streams.store.move(NAME, streams.other, "aside", etag=etag) is True
    assert streams.store.stream(NAME) is None
    assert b"".join(streams.other.stream("aside")) == b"bundle"


def test_t40_a_move_that_was_complete_is_repeated_without_harm(streams: Subject) -> None:
    etag = put(streams, b"bundle")
    assert streams.store.move(NAME, streams.other, "aside", etag=etag) is True
    assert streams.store.move(NAME, streams.other, "aside", etag=etag) is False
    assert b"".join(streams.other.stream("aside")) == b"bundle"


def test_b2_a_large_file_goes_up_and_comes_down_in_bounded_memory(storage: Account) -> None:
    subject = blob(storage)
    put(subject, b"warm-up", "warm-up")
    assert b"".join(subject.store.stream("warm-up")) == b"warm-up"
    size = 96 * MIB
    tracemalloc.start()
    try:
        subject.store.put_file(NAME, zeros(size), size, SETTINGS)
        uploading = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        assert sum(len(chunk) for chunk in subject.store.stream(NAME)) == size
        downloading = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert uploading < 12 * MIB
    assert downloading < 12 * MIB
