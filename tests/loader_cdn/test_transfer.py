"""The transfer of documents and files from a server that behaves, or recovers."""

from __future__ import annotations

import gzip
import hashlib
import resource
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from artifact.errors import Code, ConfigurationError, ContentError, DeliveryError, TransientError
from loader_cdn.transfer import (
    FileDownload,
    NotModified,
    Response,
    TransferSettings,
)
from tests.loader_cdn.blocking import Blocking
from tests.loader_cdn.hostile import (
    Behaviour,
    Connection,
    HostileServer,
    answer,
    drip,
    in_turn,
    raw,
    refused_port,
    silence,
    together,
    unless_matched,
)

QUICK = TransferSettings(backoff_seconds=0.01, backoff_limit=0.02, retry_after_limit=0.02, connections=8, in_flight=12)


@pytest.fixture
def server() -> Iterator[HostileServer]:
    with HostileServer() as running:
        yield running


@pytest.fixture
def transfer() -> Iterator[Blocking]:
    with Blocking(QUICK) as made:
        yield made


def download(url: str, target: Path, body: bytes, *, size: int | None = None, limit: int = 1 << 20) -> FileDownload:
    return FileDownload(url, target, hashlib.sha256(body).digest(), len(body) if size is None else size, limit)


def only_error(transfer: Blocking, wanted: FileDownload) -> DeliveryError | None:
    ((done, error),) = transfer.fetch_files([wanted])
    assert done is wanted
    return error


class TestDocuments:
    def test_a_document_comes_with_its_bytes_and_its_etag(self, server: HostileServer, transfer: Blocking) -> None:
        url = server.url("/releases.json", answer(b"{}", fields={"ETag": '"one"'}))
        assert transfer.get(url, limit=100) == Response(b"{}", '"one"', url)

    def test_a_conditional_request_that_finds_nothing_new_is_not_modified(
        self, server: HostileServer, transfer: Blocking
    ) -> None:
        url = server.url("/releases.json", unless_matched('W/"one"', answer(b"new", fields={"ETag": '"two"'})))
        assert transfer.get(url, limit=100, etag='W/"one"') == NotModified(url)
        # The handle is used again: its next request is not conditional
        assert transfer.get(url, limit=100) == Response(b"new", '"two"', url)
        assert "if-none-match" not in server.requests[-1].fields

    @pytest.mark.parametrize("etag", ["one", '"a"\r\nX-Injected: 1', '"\u00e9"', ""])
    def test_what_is_no_etag_is_neither_sent_nor_given(
        self, server: HostileServer, transfer: Blocking, etag: str
    ) -> None:
        url = server.url("/a", answer(b"a", fields={"ETag": "unquoted"}))
        assert transfer.get(url, limit=10, etag=etag) == Response(b"a", None, url)
        assert "if-none-match" not in server.requests[0].fields

    def test_a_body_of_exactly_the_limit_passes_and_one_byte_more_is_refused(
        self, server: HostileServer, transfer: Blocking
    ) -> None:
        """F1: the cap is on what is decoded."""
        url = server.url("/a", answer(b"12345"))
        assert transfer.get(url, limit=5) == Response(b"12345", None, url)
        with pytest.raises(ContentError) as caught:
            transfer.get(url, limit=4)
        assert caught.value.code is Code.LIMIT_EXCEEDED
        assert len(server.requests) == 2

    def test_gzip_is_asked_for_and_decoded(self, server: HostileServer, transfer: Blocking) -> None:
        body = b"compressible " * 1000
        packed = gzip.compress(body)
        url = server.url("/a", answer(packed, fields={"Content-Encoding": "gzip"}))
        answered = transfer.get(url, limit=len(body))
        assert isinstance(answered, Response)
        assert answered.data == body
        assert server.requests[0].fields["accept-encoding"] == "gzip"
        assert transfer.stats.decoded_bytes == len(body)
        assert len(packed) <= transfer.stats.wire_bytes < len(packed) + 200

    def test_many_documents_come_each_with_its_own_answer_or_error(
        self, server: HostileServer, transfer: Blocking
    ) -> None:
        urls = [server.url(f"/{n}", answer(b"%d" % n)) for n in range(40)]
        urls += [server.base + "/missing", "ftp://example.test/x"]
        answers = transfer.get_all(urls, limit=10)
        for n, url in enumerate(urls[:40]):
            assert answers[url] == Response(b"%d" % n, None, url)
        missing, wrong = answers[urls[40]], answers[urls[41]]
        assert isinstance(missing, TransientError)
        assert missing.code is Code.NOT_FOUND
        assert isinstance(wrong, ConfigurationError)

    def test_connections_are_kept_from_call_to_call(self, server: HostileServer, transfer: Blocking) -> None:
        url = server.url("/a", answer(b"a"))
        for _ in range(5):
            transfer.get(url, limit=10)
        assert server.connections == 1
        assert transfer.stats.connections == 1

    @pytest.mark.parametrize(("near_seconds", "most"), [(3600.0, 2), (0.0, 8)])
    def test_a_near_server_gets_few_connections_and_a_far_one_many(
        self, server: HostileServer, near_seconds: float, most: int
    ) -> None:
        settings = replace(QUICK, near_connections=2, near_seconds=near_seconds)
        behaviours = [answer(b"x")] * 2 + [together(most, answer(b"x"))] * most + [answer(b"x")] * 30
        urls = [server.url(f"/{n}", each) for n, each in enumerate(behaviours)]
        with Blocking(settings) as transfer:
            answers = transfer.get_all(urls, limit=10)
        assert answers == {url: Response(b"x", None, url) for url in urls}
        assert server.connections == most

    @pytest.mark.parametrize(
        ("status", "code"),
        [
            ("404 Not Found", Code.NOT_FOUND),
            ("410 Gone", Code.NOT_FOUND),
            ("401 Unauthorized", Code.UNAUTHORIZED),
            ("403 Forbidden", Code.UNAUTHORIZED),
        ],
    )
    def test_an_answer_that_no_retry_mends_is_asked_for_once(
        self, server: HostileServer, transfer: Blocking, status: str, code: Code
    ) -> None:
        url = server.url("/a", answer(b"<html>", status=status))
        with pytest.raises(TransientError) as caught:
            transfer.get(url, limit=100)
        assert caught.value.code is code
        assert len(server.requests) == 1
        assert url in str(caught.value)


class TestFiles:
    def test_files_are_in_their_places_in_folders_that_were_not_there(
        self, server: HostileServer, transfer: Blocking, tmp_path: Path
    ) -> None:
        bodies = {f"assets/{n % 3}/f{n}.js": b"%d " % n * (n * 997) for n in range(60)}
        wanted = [download(server.url(f"/{p}", answer(b)), tmp_path / "v" / p, b) for p, b in bodies.items()]
        assert [error for _, error in transfer.fetch_files(wanted)] == [None] * 60
        found = {str(p.relative_to(tmp_path / "v")): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
        assert found == bodies

    @pytest.mark.parametrize("packed", [False, True])
    def test_a_large_file_is_hashed_and_written_while_it_arrives(
        self, server: HostileServer, transfer: Blocking, tmp_path: Path, packed: bool
    ) -> None:
        body = hashlib.shake_128(b"seed").digest(3 << 20)
        sent = answer(gzip.compress(body, 1), fields={"Content-Encoding": "gzip"}) if packed else answer(body)
        wanted = download(server.url("/big", sent), tmp_path / "big", body, limit=4 << 20)
        assert only_error(transfer, wanted) is None
        assert wanted.target.read_bytes() == body
        assert transfer.stats.decoded_bytes == len(body)

    def test_an_empty_file_is_a_file(self, server: HostileServer, transfer: Blocking, tmp_path: Path) -> None:
        wanted = download(server.url("/empty", answer(b"")), tmp_path / "empty", b"")
        assert only_error(transfer, wanted) is None
        assert wanted.target.read_bytes() == b""

    def test_a_file_of_unknown_size_is_bounded_by_its_limit(
        self, server: HostileServer, transfer: Blocking, tmp_path: Path
    ) -> None:
        """M3: without `sizes`, P4 caps."""
        url, digest = server.url("/a", answer(b"12345")), hashlib.sha256(b"12345").digest()
        assert only_error(transfer, FileDownload(url, tmp_path / "a", digest, None, 5)) is None
        error = only_error(transfer, FileDownload(url, tmp_path / "b", digest, None, 4))
        assert isinstance(error, ContentError)
        assert (error.code, error.rule) == (Code.LIMIT_EXCEEDED, "P4")
        assert sorted(p.name for p in tmp_path.iterdir()) == ["a"]

    def test_a_file_declared_above_its_limit_is_not_asked_for(
        self, server: HostileServer, transfer: Blocking, tmp_path: Path
    ) -> None:
        wanted = download(server.url("/a", answer(b"12345")), tmp_path / "a", b"12345", limit=4)
        error = only_error(transfer, wanted)
        assert error is not None
        assert error.code is Code.LIMIT_EXCEEDED
        assert server.requests == []

    def test_what_was_there_is_replaced_by_one_rename_and_only_by_what_is_right(
        self, server: HostileServer, transfer: Blocking, tmp_path: Path
    ) -> None:
        target = tmp_path / "a"
        target.write_bytes(b"old")
        url = server.url("/a", answer(b"new"))
        assert only_error(transfer, download(url, target, b"NEW")) is not None
        assert target.read_bytes() == b"old"
        assert only_error(transfer, download(url, target, b"new")) is None
        assert target.read_bytes() == b"new"
        assert [p.name for p in tmp_path.iterdir()] == ["a"]

    def test_a_folder_that_refuses_is_storage_full_and_is_not_tried_again(
        self, server: HostileServer, transfer: Blocking, tmp_path: Path
    ) -> None:
        """T32: whatever the disk objects to; here a file stands where the folder should be."""
        (tmp_path / "taken").write_bytes(b"")
        wanted = download(server.url("/a", answer(b"a")), tmp_path / "taken" / "a", b"a")
        error = only_error(transfer, wanted)
        assert isinstance(error, TransientError)
        assert error.code is Code.STORAGE_FULL
        assert len(server.requests) == 1

    def test_a_disk_that_takes_no_more_ends_the_file_and_not_the_others(
        self, server: HostileServer, transfer: Blocking, tmp_path: Path
    ) -> None:
        """T32: a real write fails in the middle, by the limit that the kernel sets on a file's size."""
        body = hashlib.shake_128(b"seed").digest(700_100)
        wanted = [
            download(server.url("/big", answer(body)), tmp_path / "big", body),
            download(server.url("/small", answer(b"s")), tmp_path / "small", b"s"),
        ]
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, hard))
        try:
            errors = {done.target.name: error for done, error in transfer.fetch_files(wanted)}
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert isinstance(errors["big"], TransientError)
        assert errors["big"].code is Code.STORAGE_FULL
        assert errors["small"] is None
        assert [p.name for p in tmp_path.iterdir()] == ["small"]
        assert len([r for r in server.requests if r.target == "/big"]) == 1


class TestRetries:
    @pytest.mark.parametrize(
        "fault",
        [
            answer(b"busy", status="503 Service Unavailable"),
            answer(b"slow down", status="429 Too Many Requests", fields={"Retry-After": "3600"}),
            answer(b"", status="500 Internal Server Error"),
            raw(b""),
            raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
            raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
            raw(b"HTTP/1.1 200 OK\r\n\r\nhalf"),
            raw(b"this is no HTTP\r\n\r\n"),
        ],
        ids=["503", "429", "500", "closed", "short", "short-chunked", "short-unframed", "garbage"],
    )
    def test_a_fault_that_passes_is_retried_until_the_file_is_right(
        self, server: HostileServer, transfer: Blocking, tmp_path: Path, fault: Behaviour
    ) -> None:
        """C5: a body cut short is a fault of the transport. T15."""
        wanted = download(server.url("/a", in_turn(fault, fault, answer(b"whole"))), tmp_path / "a", b"whole")
        assert only_error(transfer, wanted) is None
        assert wanted.target.read_bytes() == b"whole"
        assert transfer.stats.retries == 2
        assert len(list(tmp_path.iterdir())) == 1

    def test_a_fault_that_stays_is_transport_failed_after_three_attempts(
        self, server: HostileServer, transfer: Blocking
    ) -> None:
        url = server.url("/a", answer(b"busy", status="503 Service Unavailable"))
        with pytest.raises(TransientError) as caught:
            transfer.get(url, limit=100)
        assert caught.value.code is Code.TRANSPORT_FAILED
        assert "503" in str(caught.value)
        assert len(server.requests) == 3

    def test_nobody_there_is_transport_failed(self, transfer: Blocking) -> None:
        with refused_port() as port, pytest.raises(TransientError) as caught:
            transfer.get(f"http://127.0.0.1:{port}/a", limit=100)
        assert caught.value.code is Code.TRANSPORT_FAILED

    def test_others_go_on_while_one_waits_for_its_retry(self, server: HostileServer, tmp_path: Path) -> None:
        settings = TransferSettings(backoff_seconds=0.0, retry_after_limit=60.0, connections=1, in_flight=4)
        busy = answer(b"", status="503 Service Unavailable", fields={"Retry-After": "1"})
        wanted = [download(server.url("/late", in_turn(busy, answer(b"l"))), tmp_path / "late", b"l")]
        wanted += [download(server.url(f"/{n}", answer(b"x")), tmp_path / str(n), b"x") for n in range(20)]
        with Blocking(settings) as transfer:
            order = [done.target.name for done, error in transfer.fetch_files(wanted) if error is None]
        assert order[-1] == "late"
        assert len(order) == 21

    def test_a_retry_that_would_come_after_the_total_deadline_is_not_waited_for(self, server: HostileServer) -> None:
        busy = answer(b"", status="503 Service Unavailable", fields={"Retry-After": "600"})
        with Blocking(TransferSettings(retry_after_limit=600.0)) as transfer, pytest.raises(TransientError):
            transfer.get(server.url("/a", busy), limit=100)
        assert len(server.requests) == 1


class TestBounds:
    def test_downloads_are_taken_as_there_is_room(
        self, server: HostileServer, transfer: Blocking, tmp_path: Path
    ) -> None:
        url = server.url("/a", answer(b"a"))
        taken: list[int] = []
        arrived: list[FileDownload] = []
        most = 0

        def downloads() -> Iterator[FileDownload]:
            nonlocal most
            for n in range(300):
                taken.append(n)
                most = max(most, len(taken) - len(arrived))
                yield download(url, tmp_path / str(n), b"a")

        fetched = transfer.transfer.fetch_files(downloads(), url, lambda one, error: arrived.append(one))
        transfer.network.run(fetched)
        assert len(arrived) == 300
        assert most <= QUICK.in_flight + 1
        assert server.connections <= QUICK.connections

    def test_no_more_are_taken_while_many_wait_for_their_retry(self, server: HostileServer, tmp_path: Path) -> None:
        busy = in_turn(*[answer(b"", status="503 Service Unavailable")] * 30, answer(b"a"))
        url = server.url("/a", busy)
        taken: list[int] = []
        seen: list[int] = []

        def downloads() -> Iterator[FileDownload]:
            for n in range(100):
                taken.append(n)
                yield download(url, tmp_path / str(n), b"a")

        settings = TransferSettings(backoff_seconds=0.05, attempts=40, connections=4, in_flight=6)
        with Blocking(settings) as blocking:
            fetched = blocking.transfer.fetch_files(downloads(), url, lambda one, error: seen.append(len(taken)))
            blocking.network.run(fetched)
        assert seen[0] <= settings.in_flight + 1
        assert len(seen) == 100

    def test_a_slow_origin_delays_no_other(self, server: HostileServer) -> None:
        """L8: an origin has lanes of its own, however many wait for another one."""
        held = threading.Event()

        def waiting(connection: Connection) -> bool:
            held.wait(60)
            return answer(b"late")(connection)

        with Blocking(QUICK) as blocking, HostileServer() as other:
            late = [server.url(f"/{n}", waiting) for n in range(3 * QUICK.in_flight)]
            tasks = [blocking.network.tasks.start(blocking.transfer.get(url, limit=10)) for url in late]
            url = other.url("/a", answer(b"a"))
            assert blocking.get(url, limit=10) == Response(b"a", None, url)
            assert not any(task.is_over for task in tasks)
            held.set()
            while not all(task.is_over for task in tasks):
                blocking.network.turn()

    def test_a_document_is_not_kept_waiting_by_the_files_of_a_large_version(
        self, server: HostileServer, tmp_path: Path
    ) -> None:
        """L8: those who wait for the same origin take turns, and documents go first."""
        settings = replace(QUICK, connections=1)
        url = server.url("/file", answer(b"x"))
        wanted = [download(url, tmp_path / str(n), b"x") for n in range(50)]
        arrived: list[FileDownload] = []
        with Blocking(settings) as blocking:
            task = blocking.network.tasks.start(
                blocking.transfer.fetch_files(wanted, url, lambda one, error: arrived.append(one))
            )
            while not arrived:
                blocking.network.turn()
            blocking.get(server.url("/a", answer(b"a")), limit=10)
            assert len(arrived) < 50
            while not task.is_over:
                blocking.network.turn()

    def test_closing_ends_what_is_in_flight_and_leaves_nothing(
        self, server: HostileServer, transfer: Blocking, tmp_path: Path
    ) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n"

        def hang(connection: Connection) -> bool:
            connection.send(head + bytes(600_000))
            return drip(b"", b"", 60)(connection)

        big = FileDownload(server.url("/big", hang), tmp_path / "big", bytes(32), 9_000_000, 9_000_000)
        task = transfer.network.tasks.start(transfer.transfer.fetch_files([big], big.url, lambda one, error: None))
        while not list(tmp_path.iterdir()):  # some of it is on disk under a temporary name
            transfer.network.turn()
        task.close()
        assert list(tmp_path.iterdir()) == []
        # and the transfer is as good as new
        again = download(server.url("/small", answer(b"s")), tmp_path / "small", b"s")
        assert only_error(transfer, again) is None

    def test_an_error_in_the_requests_ends_what_is_in_flight_and_goes_on_to_the_caller(
        self, server: HostileServer, transfer: Blocking, tmp_path: Path
    ) -> None:
        def downloads() -> Iterator[FileDownload]:
            yield download(server.url("/hang", silence()), tmp_path / "a", b"a")
            raise LookupError("no more")

        with pytest.raises(LookupError):
            transfer.fetch_files(downloads(), server.base)
        assert list(tmp_path.iterdir()) == []

    def test_the_deadline_of_the_pass_ends_what_is_in_flight_and_what_comes_later(
        self, server: HostileServer, tmp_path: Path
    ) -> None:
        wanted = [download(server.url(f"/{n}", silence()), tmp_path / str(n), b"a") for n in range(30)]
        with Blocking(QUICK, deadline=time.monotonic() + 0.3) as transfer:
            errors = [error for _, error in transfer.fetch_files(wanted)]
            assert [error.code for error in errors if error] == [Code.TRANSPORT_SLOW] * 30
            assert len(server.requests) <= QUICK.connections
            transfer.deadline = None  # the next pass
            assert only_error(transfer, download(server.url("/b", answer(b"b")), tmp_path / "b", b"b")) is None

    def test_a_stop_ends_what_is_in_flight_and_what_comes_later(self, server: HostileServer, tmp_path: Path) -> None:
        """L11."""
        stop = threading.Event()

        def stopping(connection: Connection) -> bool:
            stop.set()
            return silence()(connection)

        wanted = [download(server.url(f"/{n}", stopping), tmp_path / str(n), b"a") for n in range(30)]
        with Blocking(QUICK, stop=stop.is_set) as transfer:
            errors = [error for _, error in transfer.fetch_files(wanted)]
        assert [error.code for error in errors if error] == [Code.TRANSPORT_FAILED] * 30
        assert len(server.requests) <= QUICK.connections

    def test_an_interrupt_in_the_middle_of_a_body_reaches_the_caller_and_leaves_nothing(
        self, server: HostileServer, tmp_path: Path
    ) -> None:
        """A signal is handled wherever Python runs: also inside of what libcurl calls."""
        main = threading.get_ident()

        def interrupting(connection: Connection) -> bool:
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 90000000\r\n\r\n" + bytes(600_000))
            signal.pthread_kill(main, signal.SIGINT)
            while not connection.closing.is_set():
                connection.send(bytes(65536))
            return False

        wanted = FileDownload(server.url("/a", interrupting), tmp_path / "a", bytes(32), 90_000_000, 90_000_000)
        with Blocking(QUICK) as transfer:
            with pytest.raises(KeyboardInterrupt):
                only_error(transfer, wanted)
            assert list(tmp_path.iterdir()) == []
            assert only_error(transfer, download(server.url("/b", answer(b"b")), tmp_path / "b", b"b")) is None

    def test_a_sender_is_not_slow_because_nobody_listened(self, server: HostileServer) -> None:
        """The least rate counts the time in which the network was looked after."""
        settings = TransferSettings(least_rate_seconds=0.2, attempts=1)
        held = threading.Event()

        def waiting(connection: Connection) -> bool:
            held.wait(10)
            return answer(b"late")(connection)

        now, late = server.url("/now", answer(b"now")), server.url("/held", waiting)
        with Blocking(settings) as blocking:
            task = blocking.network.tasks.start(blocking.transfer.get(late, limit=10))
            blocking.get(now, limit=10)
            threading.Event().wait(0.5)  # a caller at work
            held.set()
            while not task.is_over:
                blocking.network.turn()
            assert isinstance(task.result, Response)
