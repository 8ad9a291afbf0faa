"""The server: one port, off unless it is asked for. Nothing can be changed through it."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from artifact.errors import ConfigurationError
from loader_cdn.board import Board
from loader_cdn.http.metrics import CONTENT_TYPE, Metrics
from loader_cdn.http.page import page
from loader_cdn.http.probes import healthy, ready
from loader_cdn.http.status import status
from loader_cdn.settings import Address

SECONDS = 10
"""For one request: a caller that says nothing is not waited for."""

CONNECTIONS = 16
"""At once."""

log = logging.getLogger(__name__)


@contextmanager
def served(board: Board, address: Address) -> Iterator[int]:
    """Answer at `address` during the block; the port. Raises ConfigurationError where it cannot be listened at."""
    try:
        server = _Server(board, address)
    except OSError as error:
        what = "cannot listen there"
        raise ConfigurationError(what, where="--listen", seen=f"{address.port}: {error.strerror}") from error
    thread = threading.Thread(target=server.serve_forever, name="http", daemon=True)
    thread.start()
    port = int(server.server_address[1])
    log.info("listening on port %d", port)
    try:
        yield port
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    _open = 0

    def __init__(self, board: Board, address: Address) -> None:
        self.board, self.metrics = board, Metrics(board)
        host = address.host or ("::" if socket.has_dualstack_ipv6() else "0.0.0.0")  # noqa: S104 (the pod's own address)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, address.port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """A connection too many is closed: descriptors and threads are needed elsewhere."""
        if self._open >= CONNECTIONS:
            self.shutdown_request(request)
            return
        self._open += 1
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._open -= 1

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = SECONDS
    protocol_version = "HTTP/1.1"
    server_version = "feature-loader"
    sys_version = ""

    def do_GET(self) -> None:
        board = self.server.board
        path = self.path.partition("?")[0]
        if path == "/healthz":
            self._probe(*healthy(board))
        elif path == "/readyz":
            self._probe(*ready(board))
        elif path == "/metrics":
            self._answer(200, CONTENT_TYPE, self.server.metrics.text())
        elif path in ("/status", "/"):
            self._status(board)
        else:
            self._answer(404, "text/plain; charset=utf-8", b"there are /healthz, /readyz, /metrics and /status\n")

    do_HEAD = do_GET  # noqa: N815

    def _status(self, board: Board) -> None:
        document = status(board)
        if "text/html" in self.headers.get("Accept", ""):
            self._answer(200, "text/html; charset=utf-8", page(document).encode())
        else:
            self._answer(200, "application/json", json.dumps(document, indent=2).encode() + b"\n")

    def _probe(self, is_so: bool, said: str) -> None:
        self._answer(200 if is_so else 503, "text/plain; charset=utf-8", said.encode() + b"\n")

    def _answer(self, code: int, kind: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if kind.startswith("text/html"):
            self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """A probe every few seconds is no news."""
