"""What every Store and BulkStore promises (publisher/ports.py), on memory, a folder, and Azurite."""

from __future__ import annotations

import hashlib
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest

from artifact.errors import Code, ContentError
from publisher.content_types import immutable, pointer
from publisher.ports import Created, Upload
from tests.contracts.bodies import upload, wrong, zeros
from tests.contracts.conftest import PAGE, Subject

NAME = "feature-a/releases.json"
SETTINGS = pointer(NAME, 30)
MIB = 1024 * 1024

ALLOWED = "!$&'()+,-.09;=@AZ[]^_`az{}~"
"""Every kind of character of P3."""


def put(subject: Subject, name: str, data: bytes) -> None:
    assert subject.store.create(name, data, immutable(name)) is Created.NEW


def content(subject: Subject, name: str) -> bytes | None:
    found = subject.store.read(name, limit=512 * MIB)
    return None if found is None else found.data


def names(subject: Subject, prefix: str = "") -> list[str]:
    return [info.name for info in subject.store.list(prefix)]


def test_what_is_not_there_reads_as_none_and_is_not_deleted(subject: Subject) -> None:
    assert subject.store.read(NAME, limit=10) is None
    assert subject.store.delete(NAME) is False
    assert names(subject) == []


def test_create_says_whether_it_was_new_the_same_or_other_and_never_overwrites(subject: Subject) -> None:
    put(subject, NAME, b"first")
    assert subject.store.create(NAME, b"first", SETTINGS) is Created.SAME
    assert subject.store.create(NAME, b"other", SETTINGS) is Created.OTHER
    assert subject.store.create(NAME, b"firs", SETTINGS) is Created.OTHER
    assert subject.store.create(NAME, b"first and more", SETTINGS) is Created.OTHER
    assert content(subject, NAME) == b"first"


def test_folders_are_the_next_level_only_in_name_order_over_as_many_pages_as_there_are(subject: Subject) -> None:
    wanted = [f"feature-{number:02}/" for number in range(2 * PAGE)]
    for folder in reversed(wanted):
        put(subject, f"{folder}1.0.0/assets/app.js", b"1")
        put(subject, f"{folder}releases.json", b"2")
    put(subject, "remote-index.json", b"3")
    assert list(subject.store.folders("")) == wanted
    assert list(subject.store.folders("feature-00/")) == ["feature-00/1.0.0/"]
    assert list(subject.store.folders("feature-0/")) == []
    assert list(subject.store.folders("feature-00/1.0.0/assets/")) == []


def test_an_empty_object_is_an_object(subject: Subject) -> None:
    put(subject, NAME, b"")
    assert content(subject, NAME) == b""
    assert subject.store.create(NAME, b"", SETTINGS) is Created.SAME
    assert [info.size for info in subject.store.list("")] == [0]


def test_read_is_limited(subject: Subject) -> None:
    put(subject, NAME, b"12345")
    assert subject.store.read(NAME, limit=5).data == b"12345"
    with pytest.raises(ContentError) as caught:
        subject.store.read(NAME, limit=4)
    assert caught.value.code == Code.LIMIT_EXCEEDED


def test_replace_needs_the_etag_of_what_it_replaces(subject: Subject) -> None:
    assert subject.store.replace(NAME, b"one", SETTINGS, etag="0x1") is None
    first = subject.store.replace(NAME, b"one", SETTINGS, etag=None)
    assert first is not None
    assert subject.store.read(NAME, limit=10).etag == first
    assert subject.store.replace(NAME, b"two", SETTINGS, etag=None) is None
    second = subject.store.replace(NAME, b"two", SETTINGS, etag=first)
    assert second not in {None, first}
    assert '"' not in first + second
    assert subject.store.replace(NAME, b"three", SETTINGS, etag=first) is None
    assert content(subject, NAME) == b"two"
    assert next(iter(subject.store.list(NAME))).etag == second


def test_a_replace_by_another_that_wrote_the_same_bytes_is_no_success_of_ours(subject: Subject) -> None:
    etag = subject.store.replace(NAME, b"one", SETTINGS, etag=None)
    assert subject.store.replace(NAME, b"two", SETTINGS, etag=etag) is not None
    assert subject.store.replace(NAME, b"two", SETTINGS, etag=etag) is None


def test_delete_removes(subject: Subject) -> None:
    put(subject, NAME, b"x")
    assert subject.store.delete(NAME) is True
    assert subject.store.read(NAME, limit=10) is None
    assert names(subject) == []
    put(subject, NAME, b"y")


def test_r5_of_many_creators_at_once_exactly_one_finds_it_new(subject: Subject) -> None:
    barrier = Barrier(12)

    def create(number: int) -> Created:
        barrier.wait()
        created: Created = subject.store.create(NAME, b"%d" % number, SETTINGS)
        return created

    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(create, range(12)))
    assert sorted(found, key=str) == [Created.NEW, *[Created.OTHER] * 11]
    assert content(subject, NAME) == b"%d" % found.index(Created.NEW)


def test_r5_no_replacement_is_lost(subject: Subject) -> None:
    put(subject, NAME, b"0")

    def count(_worker: int) -> None:
        for _ in range(5):
            while True:
                found = subject.store.read(NAME, limit=10)
                following = b"%d" % (int(found.data) + 1)
                if subject.store.replace(NAME, following, SETTINGS, etag=found.etag) is not None:
                    break

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(4)))
    assert content(subject, NAME) == b"20"


def test_a_listing_has_all_pages_in_name_order_with_what_is_known_of_each_object(subject: Subject) -> None:
    expected = sorted([f"a/{number}.js" for number in range(3 * PAGE)] + ["a-b/x", "a.b/x", "a/0.js.map", "ab"])
    for name in expected:
        put(subject, name, name.encode())
    before = datetime.now(UTC) - timedelta(minutes=5)
    found = list(subject.store.list(""))
    assert [info.name for info in found] == expected
    for info in found:
        data = info.name.encode()
        assert info.size == len(data)
        assert info.md5 in {None, hashlib.md5(data).digest()}
        assert info.etag == subject.store.read(info.name, limit=100).etag
        assert before < info.last_modified < before + timedelta(minutes=10)


def test_a_prefix_is_the_beginning_of_a_name_not_a_folder(subject: Subject) -> None:
    for name in ("a/releases.1.json", "a/releases.2.json", "a/releases.json", "a/1.0.0/x.js", "ab/x.js"):
        put(subject, name, b"x")
    assert names(subject, "a/releases.") == ["a/releases.1.json", "a/releases.2.json", "a/releases.json"]
    assert names(subject, "a/") == ["a/1.0.0/x.js", "a/releases.1.json", "a/releases.2.json", "a/releases.json"]
    assert names(subject, "a/releases.json") == ["a/releases.json"]
    assert names(subject, "none/here") == []


def test_p3_every_allowed_character_is_a_name_of_its_own(subject: Subject) -> None:
    expected = sorted([f"f/1.0.0/a{c}b" for c in ALLOWED] + [f"f/1.0.0/{c}" for c in ALLOWED if c != "."])
    for name in expected:
        put(subject, name, name.encode())
    assert names(subject, "f/1.0.0/") == expected
    for name in expected:
        assert content(subject, name) == name.encode()


@pytest.mark.parametrize("name", ["", "/", "a//b", "/a", "a/", "a/../b", "..", "a/./b", "a/" + "x" * 1024])
def test_a_name_that_means_another_object_is_refused(subject: Subject, name: str) -> None:
    for attempt in (
        lambda: subject.store.read(name, limit=1),
        lambda: subject.store.create(name, b"x", SETTINGS),
        lambda: subject.store.replace(name, b"x", SETTINGS, etag=None),
        lambda: subject.store.delete(name),
        lambda: list(subject.store.create_all([upload(name, b"x")])),
    ):
        with pytest.raises(ContentError) as caught:
            attempt()
        assert caught.value.code == Code.PATH_INVALID
    assert names(subject) == []


def test_w3_content_settings_are_kept_by_a_create_and_set_anew_by_a_replace(with_headers: Subject) -> None:
    store = with_headers.store
    store.create(NAME, b"1", pointer(NAME, 30))
    assert with_headers.headers(NAME) == pointer(NAME, 30)
    etag = store.read(NAME, limit=10).etag
    store.replace(NAME, b"2", pointer(NAME, 60), etag=etag)
    assert with_headers.headers(NAME) == pointer(NAME, 60)
    store.replace("f/x.svg", b"3", immutable("f/x.svg"), etag=None)
    assert with_headers.headers("f/x.svg") == immutable("f/x.svg")
    list(store.create_all([upload("f/1.0.0/x.js", b"4"), upload("f/1.0.0/big.wasm", bytes(3 * MIB))]))
    assert with_headers.headers("f/1.0.0/x.js") == immutable("f/1.0.0/x.js")
    assert with_headers.headers("f/1.0.0/big.wasm") == immutable("f/1.0.0/big.wasm")


def test_create_all_creates_many_objects_small_and_large(subject: Subject) -> None:
    bodies = {f"f/1.0.0/{number % 7}/{number}.js": b"%d" % number * number for number in range(300)}
    bodies |= {"f/1.0.0/empty": b"", "f/1.0.0/edge": bytes(MIB), "f/1.0.0/above": bytes(MIB + 1)}
    bodies |= {"f/1.0.0/large": bytes(range(256)) * (5 * MIB // 256)}
    uploads = [upload(name, data) for name, data in bodies.items()]
    settled = {one.name: created for one, created in subject.store.create_all(iter(uploads))}
    assert settled == dict.fromkeys(bodies, Created.NEW)
    assert names(subject) == sorted(bodies)
    assert all(content(subject, name) == data for name, data in bodies.items())


def test_create_all_of_nothing_is_nothing(subject: Subject) -> None:
    assert list(subject.store.create_all([])) == []


def test_create_all_resumes_and_finds_what_is_there_the_same_or_other(subject: Subject) -> None:
    put(subject, "f/same", b"same")
    put(subject, "f/other", b"other")
    put(subject, "f/longer", b"longer")
    put(subject, "f/same-large", bytes(3 * MIB))
    put(subject, "f/other-large", bytes(3 * MIB))
    wanted = [
        upload("f/same", b"same"),
        upload("f/other", b"OTHER"),
        upload("f/longer", b"long"),
        upload("f/same-large", bytes(3 * MIB)),
        upload("f/other-large", bytes(3 * MIB - 1) + b"x"),
        upload("f/new", b"new"),
        upload("f/new-large", bytes(2 * MIB)),
    ]
    settled = {one.name: created for one, created in subject.store.create_all(wanted)}
    assert settled == {
        "f/same": Created.SAME,
        "f/other": Created.OTHER,
        "f/longer": Created.OTHER,
        "f/same-large": Created.SAME,
        "f/other-large": Created.OTHER,
        "f/new": Created.NEW,
        "f/new-large": Created.NEW,
    }
    assert content(subject, "f/other") == b"other"
    assert content(subject, "f/other-large") == bytes(3 * MIB)


@pytest.mark.parametrize("size", [0, 1, MIB, MIB + 1, 5 * MIB])
def test_bytes_that_turn_out_to_be_wrong_leave_no_object(subject: Subject, size: int) -> None:
    with pytest.raises(ContentError) as caught:
        list(subject.store.create_all([wrong("f/1.0.0/x.js", size)]))
    assert caught.value.code == Code.INTEGRITY_MISMATCH
    assert names(subject) == []


@pytest.mark.parametrize("there", [MIB // 2, 2 * MIB])
@pytest.mark.parametrize("promised", [-1, +1, +MIB])
def test_m3_a_stream_of_another_length_leaves_no_object(subject: Subject, there: int, promised: int) -> None:
    one = Upload("f/1.0.0/x.js", there + promised, lambda: zeros(there), immutable("x.js"))
    with pytest.raises(ContentError) as caught:
        list(subject.store.create_all([one]))
    assert caught.value.code == Code.INTEGRITY_MISMATCH
    assert names(subject) == []


def test_the_first_error_ends_it_after_what_was_in_flight_has_ended(subject: Subject) -> None:
    many = 400
    uploads = [wrong(f"f/{n}", 10) if n == 20 else upload(f"f/{n}", b"%d" % n) for n in range(many)]
    settled: list[str] = []
    with pytest.raises(ContentError) as caught:
        settled.extend(one.name for one, _ in subject.store.create_all(uploads))
    assert caught.value.code == Code.INTEGRITY_MISMATCH
    there = names(subject)
    assert set(settled) <= set(there)
    assert "f/20" not in there
    assert len(there) < many / 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("upload")]
    assert names(subject) == there


def test_an_error_of_the_iterable_ends_it_as_well(subject: Subject) -> None:
    def uploads() -> Iterator[Upload]:
        yield upload("f/1", b"1")
        raise ContentError(Code.BUNDLE_INVALID, "B1", "the bundle ends too early")

    with pytest.raises(ContentError) as caught:
        list(subject.store.create_all(uploads()))
    assert caught.value.code == Code.BUNDLE_INVALID
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("upload")]


def test_who_stops_listening_stops_the_uploads(subject: Subject) -> None:
    settling = subject.store.create_all(upload(f"f/{n}", b"x") for n in range(400))
    next(settling)
    settling.close()
    there = names(subject)
    assert 1 <= len(there) < 200
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("upload")]


def test_uploads_are_taken_only_a_little_ahead_of_what_is_settled(subject: Subject) -> None:
    taken = 0

    def uploads() -> Iterator[Upload]:
        nonlocal taken
        for number in range(400):
            taken += 1
            yield upload(f"f/{number}", b"x")

    ahead = [taken - settled for settled, _ in enumerate(subject.store.create_all(uploads()))]
    assert len(ahead) == 400
    assert max(ahead) <= 64 + 1


def test_b2_a_large_object_is_uploaded_in_bounded_memory(lasting: Subject) -> None:
    size = 96 * MIB
    one = Upload("f/1.0.0/large", size, lambda: zeros(size), immutable("large"))
    list(lasting.store.create_all([upload("f/warm-up", b"x")]))
    tracemalloc.start()
    try:
        assert list(lasting.store.create_all([one])) == [(one, Created.NEW)]
        assert list(lasting.store.create_all([one])) == [(one, Created.SAME)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12 * MIB
    assert [info.size for info in lasting.store.list("f/1")] == [size]
