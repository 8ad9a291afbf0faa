"""What a hostile or broken server may try on the transfer (T13, T15, T16), and what becomes of it (L9)."""

from __future__ import annotations

import base64
import gzip
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from artifact.errors import Code, ContentError, DeliveryError, TransientError
from loader_cdn.transfer import FileDownload, TransferSettings
from tests.loader_cdn.blocking import Blocking
from tests.loader_cdn.hostile import (
    Behaviour,
    HostileServer,
    answer,
    bomb,
    drip,
    endless,
    in_turn,
    raw,
    redirect,
    silence,
)

SETTINGS = TransferSettings(attempts=2, backoff_seconds=0.0, connect_seconds=5.0)
IMPATIENT = replace(SETTINGS, least_rate_seconds=0.5)
"""Where slowness is the subject; elsewhere a busy machine may take its time."""
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
GZIPPED = OK + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
BODY = b"export const answer = 42\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@pytest.fixture
def server() -> Iterator[HostileServer]:
    with HostileServer() as running:
        yield running


@pytest.fixture
def transfer() -> Iterator[Blocking]:
    with Blocking(SETTINGS) as made:
        yield made


class Victim:
    """Brings one file, and looks whether anything of a refused one is left."""

    def __init__(self, transfer: Blocking, folder: Path) -> None:
        self._transfer = transfer
        self._folder = folder

    def error(self, url: str, *, size: int | None = len(BODY), limit: int = 1 << 20) -> DeliveryError:
        wanted = FileDownload(url, self._folder / "file.js", hashlib.sha256(BODY).digest(), size, limit)
        ((_, error),) = self._transfer.fetch_files([wanted])
        assert error is not None
        assert list(self._folder.iterdir()) == []
        return error


@pytest.fixture
def victim(transfer: Blocking, tmp_path: Path) -> Victim:
    return Victim(transfer, tmp_path)


class TestT13WhatHasNoEnd:
    """T13: ended by size, total deadline and least rate."""

    @pytest.fixture
    def transfer(self) -> Iterator[Blocking]:
        with Blocking(IMPATIENT) as made:
            yield made

    def test_an_endless_body_is_cut_at_the_declared_size(self, server: HostileServer, victim: Victim) -> None:
        error = victim.error(server.url("/a", endless(OK + b"\r\n", bytes(65536))))
        assert (error.code, error.rule) == (Code.INTEGRITY_MISMATCH, "M3")

    def test_an_endless_body_of_unknown_size_is_cut_at_the_limit(self, server: HostileServer, victim: Victim) -> None:
        error = victim.error(server.url("/a", endless(CHUNKED, chunk(bytes(65536)))), size=None, limit=3_000_000)
        assert (error.code, error.rule) == (Code.LIMIT_EXCEEDED, "P4")
        assert len(server.requests) == 1

    def test_an_endless_document_is_cut_at_the_limit(self, server: HostileServer, transfer: Blocking) -> None:
        with pytest.raises(ContentError) as caught:
            transfer.get(server.url("/a", endless(CHUNKED, chunk(b"[" * 1024))), limit=100_000)
        assert (caught.value.code, caught.value.rule) == (Code.LIMIT_EXCEEDED, "F1")
        assert transfer.stats.decoded_bytes < 100_000 + (1 << 20)

    def test_a_compression_bomb_is_cut_at_the_decoded_bytes(self, server: HostileServer, transfer: Blocking) -> None:
        url = server.url("/a", answer(bomb(64), fields={"Content-Encoding": "gzip"}))
        with pytest.raises(ContentError) as caught:
            transfer.get(url, limit=1 << 20)
        assert caught.value.code is Code.LIMIT_EXCEEDED
        assert transfer.stats.decoded_bytes < 3 << 20

    def test_a_compression_bomb_in_a_files_place_never_fills_the_disk(
        self, server: HostileServer, transfer: Blocking, victim: Victim
    ) -> None:
        error = victim.error(server.url("/a", answer(bomb(64), fields={"Content-Encoding": "gzip"})))
        assert error.code is Code.INTEGRITY_MISMATCH
        assert transfer.stats.decoded_bytes < 1 << 20

    def test_bytes_that_decode_to_nothing_are_too_slow(self, server: HostileServer, transfer: Blocking) -> None:
        """Empty deflate blocks: the wire is busy, the body does not grow."""
        packer = zlib.compressobj(wbits=31)
        head = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
        nothing = packer.flush(zlib.Z_FULL_FLUSH) or b"\x00\x00\x00\xff\xff"
        url = server.url("/a", endless(GZIPPED + chunk(head), chunk(nothing * 2000)))
        with pytest.raises(TransientError) as caught:
            transfer.get(url, limit=1000)
        assert caught.value.code is Code.TRANSPORT_SLOW

    @pytest.mark.parametrize(
        "behaviour",
        [
            silence(),
            drip(OK + b"\r\n", b"x", 0.01),
            drip(CHUNKED, chunk(b"x"), 0.01),
            drip(OK, b"X-Drip: 1\r\n", 0.05),
            drip(b"HTTP/1.1 100 Continue\r\n\r\n", b"", 0.05),
        ],
        ids=["silent", "body", "chunks", "head", "interim"],
    )
    def test_a_drip_is_ended_by_the_least_rate_at_every_attempt(
        self, server: HostileServer, transfer: Blocking, behaviour: Behaviour
    ) -> None:
        with pytest.raises(TransientError) as caught:
            transfer.get(server.url("/a", behaviour), limit=1 << 20)
        assert (caught.value.code, caught.value.rule) == (Code.TRANSPORT_SLOW, "L9")
        assert len(server.requests) == SETTINGS.attempts

    def test_silence_on_a_kept_connection_is_too_slow_as_well(self, server: HostileServer, transfer: Blocking) -> None:
        url = server.url("/a", in_turn(answer(b"a"), silence()))
        transfer.get(url, limit=10)
        with pytest.raises(TransientError) as caught:
            transfer.get(url, limit=10)
        assert caught.value.code is Code.TRANSPORT_SLOW

    def test_a_file_that_stalls_half_way_leaves_nothing(self, server: HostileServer, victim: Victim) -> None:
        head = OK + b"Content-Length: 1000000\r\n\r\n" + bytes(600_000)
        error = victim.error(server.url("/a", drip(head, b"", 60)), size=1_000_000)
        assert error.code is Code.TRANSPORT_SLOW

    def test_a_drip_that_stops_is_forgiven_at_the_next_attempt(self, server: HostileServer, transfer: Blocking) -> None:
        url = server.url("/a", in_turn(silence(), answer(b"at last")))
        answered = transfer.get(url, limit=100)
        assert getattr(answered, "data", None) == b"at last"

    def test_a_drip_above_the_least_rate_is_ended_by_the_total_deadline(self, server: HostileServer) -> None:
        settings = TransferSettings(total_seconds=0.4, total_rate=1 << 30, least_rate=1, least_rate_seconds=0.1)
        url = server.url("/a", drip(OK + b"\r\n", bytes(100), 0.01))
        with Blocking(settings) as transfer, pytest.raises(TransientError) as caught:
            transfer.get(url, limit=1 << 20)
        assert caught.value.code is Code.TRANSPORT_SLOW
        assert "total deadline" in str(caught.value)
        assert len(server.requests) == 1

    @pytest.mark.parametrize(
        "behaviour",
        [
            endless(OK, b"X-More: " + b"y" * 1000 + b"\r\n"),
            endless(OK + b"X-Long: ", b"y" * 4096),
            endless(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
            raw(OK + b"X-Huge: " + b"z" * 70_000 + b"\r\nContent-Length: 0\r\n\r\n"),
            endless(CHUNKED + b"0\r\n", b"X-Trailer: " + b"y" * 1000 + b"\r\n"),
        ],
        ids=["endless", "endless-line", "endless-interim", "huge", "endless-trailers"],
    )
    def test_huge_headers_are_refused(self, server: HostileServer, transfer: Blocking, behaviour: Behaviour) -> None:
        with pytest.raises(DeliveryError) as caught:
            transfer.get(server.url("/a", behaviour), limit=1 << 20)
        assert caught.value.code is Code.LIMIT_EXCEEDED
        assert transfer.stats.wire_bytes < 1 << 20

    def test_an_endless_error_page_is_not_read(self, server: HostileServer, transfer: Blocking) -> None:
        head = b"HTTP/1.1 404 Not Found\r\n\r\n"
        with pytest.raises(TransientError) as caught:
            transfer.get(server.url("/a", endless(head, bytes(65536))), limit=1 << 20)
        assert caught.value.code is Code.NOT_FOUND
        assert transfer.stats.wire_bytes < 2 << 20

    @pytest.mark.parametrize("loop", [["/a"], ["/b", "/a"], [f"/{n}" for n in range(20)]], ids=["self", "two", "long"])
    def test_endless_redirects_end_after_five(self, server: HostileServer, transfer: Blocking, loop: list[str]) -> None:
        url = server.url("/a", redirect(loop[0]))
        for here, there in zip(loop, [*loop[1:], loop[0]], strict=True):
            server.url(here, redirect(there))
        with pytest.raises(ContentError) as caught:
            transfer.get(url, limit=100)
        assert caught.value.code is Code.LIMIT_EXCEEDED
        assert "redirects" in str(caught.value)
        assert len(server.requests) == 6


class TestT15WhatIsNoAnswer:
    """T15: refused or retried, and nothing of it is left."""

    def test_a_page_with_status_200_is_not_the_file(self, server: HostileServer, victim: Victim) -> None:
        error = victim.error(server.url("/a", answer(b"<html>we are down for maintenance")))
        assert (error.code, error.exit_status) == (Code.INTEGRITY_MISMATCH, 3)

    def test_a_page_of_the_right_length_is_not_the_file(self, server: HostileServer, victim: Victim) -> None:
        error = victim.error(server.url("/a", answer(b"<" * len(BODY))))
        assert (error.code, error.rule) == (Code.INTEGRITY_MISMATCH, "M2")

    @pytest.mark.parametrize("status", ["206 Partial Content", "203 Non-Authoritative", "204 No Content", "300 Choose"])
    def test_any_success_but_200_is_transport_failed(self, server: HostileServer, victim: Victim, status: str) -> None:
        fields = {"Content-Range": f"bytes 0-{len(BODY) - 1}/{len(BODY)}"}
        error = victim.error(server.url("/a", answer(BODY, status=status, fields=fields)))
        assert error.code is Code.TRANSPORT_FAILED
        assert status[:3] in str(error)

    def test_304_to_an_unconditional_request_is_transport_failed(
        self, server: HostileServer, transfer: Blocking
    ) -> None:
        with pytest.raises(TransientError) as caught:
            transfer.get(server.url("/a", raw(b"HTTP/1.1 304 Not Modified\r\n\r\n", keep=True)), limit=100)
        assert caught.value.code is Code.TRANSPORT_FAILED

    def test_a_cached_404_is_not_found(self, server: HostileServer, victim: Victim) -> None:
        error = victim.error(server.url("/a", answer(b"gone", status="404 Not Found", fields={"Age": "86400"})))
        assert (error.code, error.exit_status) == (Code.NOT_FOUND, 1)

    def test_a_404_of_the_right_bytes_is_not_found(self, server: HostileServer, victim: Victim) -> None:
        assert victim.error(server.url("/a", answer(BODY, status="404 Not Found"))).code is Code.NOT_FOUND

    @pytest.mark.parametrize(
        "short",
        [
            OK + b"Content-Length: 25\r\n\r\n" + BODY[:-1],
            OK + b"\r\n" + BODY[:-1],
            CHUNKED + chunk(BODY[:-1]),
            CHUNKED + b"19\r\n" + BODY[:-1],
            OK + b"Content-Length: 25\r\n",
        ],
        ids=["length", "close", "no last chunk", "within a chunk", "within the head"],
    )
    def test_a_body_cut_short_is_transport_failed(self, server: HostileServer, victim: Victim, short: bytes) -> None:
        """C5."""
        error = victim.error(server.url("/a", raw(short)))
        assert error.code is Code.TRANSPORT_FAILED
        assert len(server.requests) == SETTINGS.attempts

    def test_a_gzip_stream_cut_short_within_a_whole_body_is_not_the_file(
        self, server: HostileServer, victim: Victim
    ) -> None:
        packed = gzip.compress(BODY)[:-12]
        error = victim.error(server.url("/a", answer(packed, fields={"Content-Encoding": "gzip"})))
        assert error.code is Code.INTEGRITY_MISMATCH

    @pytest.mark.parametrize("body", [BODY[:-1], BODY + b"x", b""], ids=["shorter", "longer", "empty"])
    def test_a_whole_body_of_another_length_is_an_integrity_mismatch(
        self, server: HostileServer, victim: Victim, body: bytes
    ) -> None:
        """C5, M3: the server said that this is all of it."""
        error = victim.error(server.url("/a", answer(body)))
        assert (error.code, error.rule) == (Code.INTEGRITY_MISMATCH, "M3")
        assert len(server.requests) == 1

    @pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "rot13", "gzip, identity, br"])
    def test_an_encoding_that_was_not_asked_for_is_transport_failed(
        self, server: HostileServer, victim: Victim, encoding: str
    ) -> None:
        """L9."""
        error = victim.error(server.url("/a", answer(BODY, fields={"Content-Encoding": encoding})))
        assert error.code is Code.TRANSPORT_FAILED
        assert encoding.split(", ", maxsplit=1)[0] in str(error)

    def test_a_transfer_encoding_that_was_not_asked_for_is_transport_failed(
        self, server: HostileServer, victim: Victim
    ) -> None:
        packed = chunk(gzip.compress(BODY)) + chunk(b"")
        behaviour = raw(OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + packed)
        assert victim.error(server.url("/a", behaviour)).code is Code.TRANSPORT_FAILED

    def test_what_says_gzip_and_is_not_is_transport_failed(self, server: HostileServer, victim: Victim) -> None:
        error = victim.error(server.url("/a", answer(BODY, fields={"Content-Encoding": "gzip"})))
        assert error.code is Code.TRANSPORT_FAILED

    def test_an_old_protocol_without_a_head_is_no_answer(self, server: HostileServer, victim: Victim) -> None:
        assert victim.error(server.url("/a", raw(BODY))).code is Code.TRANSPORT_FAILED

    def test_a_trailer_changes_nothing_of_what_the_head_said(
        self, server: HostileServer, transfer: Blocking, tmp_path: Path
    ) -> None:
        trailer = b"0\r\nHTTP/1.1 404: x\r\nContent-Encoding: br\r\n\r\n"
        url = server.url("/a", raw(CHUNKED + chunk(BODY) + trailer))
        wanted = FileDownload(url, tmp_path / "a", hashlib.sha256(BODY).digest(), len(BODY), 100)
        assert [error for _, error in transfer.fetch_files([wanted])] == [None]

    def test_an_interim_answer_is_not_the_answer(self, server: HostileServer, transfer: Blocking) -> None:
        early = b'HTTP/1.1 103 Early Hints\r\nContent-Encoding: br\r\nETag: "early"\r\n\r\n'
        url = server.url("/a", raw(early + OK + b"Content-Length: 2\r\n\r\n{}"))
        answered = transfer.get(url, limit=10)
        assert (getattr(answered, "data", None), getattr(answered, "etag", None)) == (b"{}", None)


class TestT16PoisonedEdge:
    def test_the_error_names_the_url_and_the_hash_that_was_seen(self, server: HostileServer, victim: Victim) -> None:
        """T16; asked for once: another request would meet the same poisoned object."""
        poison = b"export const answer = 43\n"
        url = server.url("/f/1.0.0/file.js", answer(poison))
        error = victim.error(url)
        digest = hashlib.sha256(poison)
        assert (error.code, error.rule, error.exit_status) == (Code.INTEGRITY_MISMATCH, "M2", 3)
        assert url in error.message
        assert digest.hexdigest() in error.message
        assert "sha256-" + base64.b64encode(digest.digest()).decode() in error.message
        assert base64.b64encode(hashlib.sha256(BODY).digest()).decode() in error.message
        assert len(server.requests) == 1

    def test_the_poisoned_file_harms_no_other(self, server: HostileServer, transfer: Blocking, tmp_path: Path) -> None:
        digest = hashlib.sha256(BODY).digest()
        wanted = [
            FileDownload(
                server.url(f"/{n}", answer(BODY if n != 7 else BODY.upper())), tmp_path / str(n), digest, len(BODY), 100
            )
            for n in range(20)
        ]
        errors = {done.target.name: error for done, error in transfer.fetch_files(wanted)}
        assert [name for name, error in errors.items() if error] == ["7"]
        assert sorted(p.name for p in tmp_path.iterdir()) == sorted(str(n) for n in range(20) if n != 7)
