"""The faults that T40 and T43 are tested with do what they say."""

from __future__ import annotations

import io

import pytest

from artifact.errors import TransientError
from publisher.adapters.memory import MemoryStore
from publisher.content_types import immutable
from publisher.ports import Created
from tests.contracts.bodies import upload
from tests.simulator.faults import Died, Faults, Faulty

SETTINGS = immutable("x.js")


def test_a_call_that_fails_does_nothing() -> None:
    store = MemoryStore()
    faulty = Faulty(store, fail_at=2)
    assert faulty.create("a", b"1", SETTINGS) is Created.NEW
    with pytest.raises(TransientError):
        faulty.create("b", b"2", SETTINGS)
    assert store.get("b") is None
    assert faulty.create("b", b"2", SETTINGS) is Created.NEW


def test_a_call_whose_answer_is_lost_was_carried_out() -> None:
    faulty = Faulty(MemoryStore(), lose_at=1)
    with pytest.raises(TransientError):
        faulty.create("a", b"1", SETTINGS)
    assert faulty.create("a", b"1", SETTINGS) is Created.SAME


def test_t40_after_a_death_nothing_reaches_the_storage() -> None:
    store = MemoryStore()
    faulty = Faulty(store, die_at=1)
    with pytest.raises(Died):
        faulty.create("a", b"1", SETTINGS)
    assert store.get("a") is not None
    with pytest.raises(Died):
        faulty.delete("a")
    assert store.get("a") is not None
    assert not issubclass(Died, Exception)


def test_faults_at_several_calls() -> None:
    faulty = Faulty(MemoryStore(), fail_at=range(1, 4))
    for _ in range(3):
        with pytest.raises(TransientError):
            faulty.read("a", limit=1)
    assert faulty.read("a", limit=1) is None
    assert faulty.calls == 4


def test_each_object_of_a_version_and_each_chunk_of_a_stream_is_a_call() -> None:
    faulty = Faulty(MemoryStore(chunk_size=2), die_at=8)
    assert len(list(faulty.create_all([upload("a", b"1"), upload("b", b"2")]))) == 2
    faulty.put_file("c", io.BytesIO(b"12345"), 5, SETTINGS)
    stream = faulty.stream("c")
    assert stream is not None
    assert b"".join(stream) == b"12345"
    assert faulty.log == [
        "create a",
        "create b",
        "put_file c",
        "stream c",
        "chunk of c",
        "chunk of c",
        "chunk of c",
    ]
    with pytest.raises(Died):
        list(faulty.create_all([upload("d", b"4"), upload("e", b"5")]))
    assert [info.name for info in faulty.inner.list("")] == ["a", "b", "c", "d"]


def test_several_stores_share_one_count_and_one_death() -> None:
    faults = Faults(die_at=2)
    first, second = Faulty(MemoryStore(), faults), Faulty(MemoryStore(), faults)
    first.create("a", b"1", SETTINGS)
    with pytest.raises(Died):
        second.create("a", b"1", SETTINGS)
    with pytest.raises(Died):
        first.read("a", limit=1)


def test_a_move_between_wrapped_stores_is_one_call() -> None:
    faults = Faults(lose_at=2)
    first, second = Faulty(MemoryStore(), faults), Faulty(MemoryStore(), faults)
    etag = first.put_file("a", io.BytesIO(b"1"), 1, SETTINGS)
    with pytest.raises(TransientError):
        first.move("a", second, "b", etag=etag)
    assert second.read("b", limit=1) is not None
    assert first.move("a", second, "b", etag=etag) is False
