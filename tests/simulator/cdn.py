"""An edge on loopback over an in-memory store: it answers as a CDN does, and has a switch for each way to go wrong.

What the real publisher writes into the store, the real loader reads through it. Paths are object names, such as
`feature-lab/releases.json`.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import ssl
import threading
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import unquote

from artifact.documents import canonical
from artifact.keys import Signer
from artifact.signing import signed
from publisher.adapters.memory import MemoryStore
from publisher.content_types import content_type

FOR_ALL = {"Access-Control-Allow-Origin": "*"}
"""What lets pages of any origin read an answer."""

PACKED_FROM = 1024
"""Bytes from which on text is packed where gzip is asked for, as edges do."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request and what it was answered: `sent` are bytes of the body on the wire."""

    path: str
    status: int
    sent: int
    was_conditional: bool


@dataclass(frozen=True, slots=True)
class Object:
    """What an edge has under a path."""

    data: bytes
    etag: str
    cache_control: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes out; `cut` ends the connection after so many bytes of the body that was announced."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    cut: int | None = None


Change = Callable[[Answer], Answer]
State = Mapping[str, Object]


@dataclass
class Switches:
    """All that goes wrong just now. Empty: nothing."""

    changes: dict[str, Change] = field(default_factory=dict)
    copies: dict[str, Object | None] = field(default_factory=dict)
    """What this edge has under a path, whatever the store has; None: it remembers that there was nothing."""
    frozen: State | None = None
    offline: bool = False
    fail_at: Container[int] = ()
    """Numbers of requests, from 1, that are answered 503."""
    gates: dict[str, threading.Event] = field(default_factory=dict)
    """Paths that are not answered before the event is set."""


class Cdn:
    """The server; a context manager. `url` ends in `/`. It speaks https where it is given a `context`."""

    def __init__(self, store: MemoryStore, context: ssl.SSLContext | None = None) -> None:
        self.switches = Switches()
        self.on_request: Callable[[int, str], None] = lambda number, path: None
        """Called with each request's number, from 1, and path, before it is answered."""
        self.log: list[Asked] = []
        self._store = store
        self._count = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server(self, context)
        self.url = f"http{'' if context is None else 's'}://127.0.0.1:{self._server.server_address[1]}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._closing.set()
        for gate in self.switches.gates.values():
            gate.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # What was asked

    @contextmanager
    def watched(self) -> Iterator[list[Asked]]:
        """The requests that are made in the block."""
        start = len(self.log)
        seen: list[Asked] = []
        yield seen
        seen.extend(self.log[start:])

    # Switches

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        self.switches = Switches()

    def tamper(self, path: str, at: int = 0) -> None:
        """One byte of the body is another (T01); `at` may be negative."""

        def change(answer: Answer) -> Answer:
            body = bytearray(answer.body)
            body[at] ^= 1
            return replace(answer, body=bytes(body))

        self.switches.changes[path] = change

    def truncate(self, path: str, keep: int) -> None:
        """The body is announced whole, and ends after `keep` bytes (T15)."""
        self.switches.changes[path] = lambda answer: replace(answer, cut=keep)

    def substitute(self, path: str, body: bytes, status: int = 200, kind: str = "text/html") -> None:
        """Something else is there: an error page with status 200, a partial answer, another file (T15, T16)."""
        self.switches.changes[path] = lambda answer: Answer(status, body, {"Content-Type": kind, **FOR_ALL})

    def redirect(self, path: str, location: str) -> None:
        self.switches.changes[path] = lambda answer: Answer(302, b"", {"Location": location})

    def swap_keys(self, path: str, signer: Signer) -> None:
        """The document is signed by somebody else (T02)."""

        def change(answer: Answer) -> Answer:
            return replace(answer, body=signed(json.loads(answer.body), signer))

        self.switches.changes[path] = change

    def edit(self, path: str, signer: Signer | None = None, **members: object) -> None:
        """The document says something else; signed again, or with its old signature."""

        def change(answer: Answer) -> Answer:
            document = {**json.loads(answer.body), **members}
            return replace(answer, body=canonical(document) if signer is None else signed(document, signer))

        self.switches.changes[path] = change

    def state(self) -> State:
        """All that is served just now, to be replayed later."""
        names = [info.name for info in self._store.list("")]
        return {name: found for name in names if (found := self._stored(name)) is not None}

    def replay(self, state: State, *paths: str) -> None:
        """Serve these paths (none: all) as they were (T07)."""
        for path in paths or state:
            self.switches.copies[path] = state.get(path)

    def freeze(self) -> None:
        """Serve all as it is now, whatever is published from now on (T09)."""
        self.switches.frozen = self.state()

    def stale(self, *paths: str) -> None:
        """This edge keeps its copy of these paths, also of their absence (T10, T15)."""
        for path in paths:
            self.switches.copies[path] = self._stored(path)

    def hold(self, path: str) -> threading.Event:
        """Answer this path only when the event is set."""
        return self.switches.gates.setdefault(path, threading.Event())

    def let_go(self) -> None:
        """Answer all that is held."""
        gates, self.switches.gates = self.switches.gates, {}
        for gate in gates.values():
            gate.set()

    # Answering

    def answer(self, path: str, accepts: str, match: str | None) -> Answer | None:
        """What a request gets; None: the connection ends without a word. Called by the server's threads."""
        with self._lock:
            self._count += 1
            number = self._count
        self.on_request(number, path)
        switches = self.switches
        if path in switches.gates:
            switches.gates[path].wait()
        if switches.offline or self._closing.is_set():
            return None
        if number in switches.fail_at:
            return self._logged(path, match, Answer(503, b"", {}))
        answer = _answer(self._object(path), path)
        if path in switches.changes:
            answer = _with_own_etag(switches.changes[path](answer))
        if match is not None and match == answer.headers.get("ETag"):
            answer = Answer(304, b"", {"ETag": match, **FOR_ALL})
        return self._logged(path, match, _packed(answer, accepts))

    def _object(self, path: str) -> Object | None:
        if path in self.switches.copies:
            return self.switches.copies[path]
        if self.switches.frozen is not None:
            return self.switches.frozen.get(path)
        return self._stored(path)

    def _stored(self, path: str) -> Object | None:
        found = self._store.get(path)
        return None if found is None else Object(found.data, f'"{found.etag}"', found.settings.cache_control)

    def _logged(self, path: str, match: str | None, answer: Answer) -> Answer:
        sent = len(answer.body) if answer.cut is None else answer.cut
        with self._lock:
            self.log.append(Asked(path, answer.status, sent, match is not None))
        return answer


def _answer(found: Object | None, path: str) -> Answer:
    if found is None:
        return Answer(404, b"not found", {"Content-Type": "text/plain", **FOR_ALL})
    headers = {"ETag": found.etag, "Content-Type": content_type(path), "Cache-Control": found.cache_control}
    return Answer(200, found.data, {**headers, **FOR_ALL})


def _with_own_etag(answer: Answer) -> Answer:
    """What was changed is not what the store's ETag names."""
    if "ETag" not in answer.headers:
        return answer
    return replace(answer, headers={**answer.headers, "ETag": f'"{hashlib.sha256(answer.body).hexdigest()}"'})


def _packed(answer: Answer, accepts: str) -> Answer:
    kind = answer.headers.get("Content-Type", "")
    is_text = kind.startswith("text/") or "json" in kind
    if answer.status != 200 or answer.cut is not None or "gzip" not in accepts or not is_text:
        return answer
    if len(answer.body) < PACKED_FROM:
        return answer
    headers = {**answer.headers, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return replace(answer, body=gzip.compress(answer.body, 6, mtime=0), headers=headers)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, cdn: Cdn, context: ssl.SSLContext | None) -> None:
        self.cdn = cdn
        super().__init__(("127.0.0.1", 0), _Handler)
        if context is not None:  # each connection's thread makes its own handshake
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 64 * 1024
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        path = unquote(self.path).lstrip("/")
        accepts = self.headers.get("Accept-Encoding", "")
        answer = self.server.cdn.answer(path, accepts, self.headers.get("If-None-Match"))
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 304:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body if answer.cut is None else answer.body[: answer.cut])
        if answer.cut is not None:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """The log is the Cdn's."""
