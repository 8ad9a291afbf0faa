"""The app's HTTP API as a command calls it: whatever answers there is an error with an exit status (C1)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from artifact.errors import Code, ConfigurationError, TransientError
from publisher.adapters.app import App

OPERATION = "0" * 32


class Answering(HTTPServer):
    """Answers every request with the same."""

    status = 202
    body = b""


class _Handler(BaseHTTPRequestHandler):
    server: Answering

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture
def server() -> Iterator[Answering]:
    with Answering(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(server: Answering) -> dict[str, Any]:
    return App(f"http://127.0.0.1:{server.server_port}/", "k", "anna").purge({"paths": []})


def test_an_answer_of_an_app_is_passed_on(server: Answering) -> None:
    server.body = b'{"operation": "%s", "state": "queued"}' % OPERATION.encode()
    assert ask(server) == {"operation": OPERATION, "state": "queued"}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"operation": "../x", "state": "queued"}',
        b'{"operation": "%s"}' % OPERATION.encode(), b'{"operation": "%s", "state": "\\ud800"}' % OPERATION.encode(),
        b'{"operation": "%s", "state": ["queued"]}' % OPERATION.encode(), b'{"state": "queued"}',
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [200, 202, 204, 302, 404, 500])
def test_what_is_no_answer_of_an_app_is_an_error_that_a_retry_may_mend(
    server: Answering, status: int, body: bytes
) -> None:
    server.status, server.body = status, b"" if status == 204 else body
    with pytest.raises(TransientError) as caught:
        ask(server)
    assert caught.value.code is Code.TRANSPORT_FAILED


@pytest.mark.parametrize(
    "url",
    [
        "", "app", "https://", "http://[::1", "https://a b", "http://127.0.0.1:99999", "http://127.0.0.1:x", "\ud800",
        "https://a\nb", "https://user:s3cret@example.org", "https://example.org?code=s3cret", "https://example.org#x",
        "http://example.org",
    ],
)  # fmt: skip
def test_what_is_no_url_of_an_app_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        App(url, "k", "anna")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(("key", "actor"), [("k\nx", "anna"), ("s3cret€", "anna"), ("k", "Łukasz"), ("k", "a\r\nb")])
def test_what_cannot_stand_in_a_header_is_a_wrong_setting(key: str, actor: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        App("http://[::1]:1", key, actor)
    assert "s3cret" not in str(caught.value)
