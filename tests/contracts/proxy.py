"""A storage server that does what real ones sometimes do: a proxy before Azurite that spoils chosen answers."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

from tools.local.azurite import Account

LOSE = "lose"
"""The request is carried out, and the connection ends without an answer."""
DROP = "drop"
"""The connection ends, and nothing is carried out."""
HANG_UP = "hang up"
"""The answer is right; then the connection ends without a word, as it does when it was idle for long."""

CUT = "cut"
"""The answer's body ends halfway, and the connection with it."""

Decide = Callable[[str, str], str | int | None]
"""From method and path to what happens: one of the above, a status to answer with, or None for nothing unusual."""

_BUSY = {429: "TooManyRequests", 500: "InternalError", 503: "ServerBusy"}


@dataclass
class Times:
    """Decides `what` for the first `times` requests of `method` whose path contains `part`."""

    what: str | int
    method: str
    part: str = ""
    times: int = 1
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, method: str, path: str) -> str | int | None:
        with self._lock:
            if self.times and method == self.method and self.part in path:
                self.times -= 1
                return self.what
            return None


class Proxy:
    """Runs from `with` to its end. `account` is the way through it; `requests` are (method, path without query)."""

    def __init__(self, account: Account, decide: Decide) -> None:
        self.requests: list[tuple[str, str]] = []
        target = urlsplit(account.blob_endpoint).netloc
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = self.path.partition("?")[0]
                proxy.requests.append((self.command, path))
                what = decide(self.command, path)
                if isinstance(what, int):
                    self._answer(what, {"x-ms-error-code": _BUSY[what], "Retry-After": "0"}, b"")
                elif what == DROP:
                    self.close_connection = True
                else:
                    status, headers, answer = self._forward(body)
                    if what != LOSE:
                        self._answer(status, headers, answer, sent=len(answer) // 2 if what == CUT else None)
                    self.close_connection = what is not None or self.close_connection

            do_GET = do_HEAD = do_PUT = do_DELETE = _serve  # noqa: N815 (the names that the base class looks for)

            def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
                connection = http.client.HTTPConnection(target, timeout=60)
                try:
                    connection.request(self.command, self.path, body, dict(self.headers))
                    answer = connection.getresponse()
                    return answer.status, dict(answer.getheaders()), answer.read()
                finally:
                    connection.close()

            def _answer(self, status: int, headers: dict[str, str], body: bytes, sent: int | None = None) -> None:
                self.send_response_only(status)
                for name, value in headers.items():
                    if name.lower() not in {"connection", "keep-alive", "transfer-encoding", "content-length"}:
                        self.send_header(name, value)
                length = headers.get("content-length", "0") if self.command == "HEAD" else str(len(body))
                self.send_header("Content-Length", length)
                self.end_headers()
                self.wfile.write(body[:sent])

            def log_message(self, *_: object) -> None:
                """Tests read `requests`."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        port = self._server.server_address[1]
        self.account = Account(account.name, f"http://127.0.0.1:{port}/{account.name}", account.queue_endpoint)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
