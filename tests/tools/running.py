"""Running the development host and the edge for tests, and hearing what the sample app has to tell."""

from __future__ import annotations

import json
import queue
import socketserver
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Self

from tools.local.children import Child

SAMPLE = Path(__file__).with_name("sample_app.py")
WAIT = 60
"""Seconds after which a test gives up what it awaits; nothing is measured against it."""

KEYS = {
    "masterKey": "the-master-key",
    "functionKeys": {"default": "a-host-key"},
    "functions": {"read_*": {"read": "a-read-key"}, "release_*": {"release": "a-release-key"}},
}


class Reports:
    """Listens to the sample app. What it is told is in order of arrival.

    `orders` is the answer by function; a function in `held` gets it when the event is set.
    """

    def __init__(self) -> None:
        self.orders: dict[str, str] = {}
        self.held: dict[str, threading.Event] = {}
        self._told: dict[str, queue.SimpleQueue[dict[str, Any]]] = {}
        self._lock = threading.Lock()
        reports = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                told = json.loads(self.rfile.readline())
                reports.of(told["function"]).put(told)
                if told["function"] in reports.held:
                    reports.held[told["function"]].wait(WAIT)
                self.wfile.write(reports.orders.get(told["function"], "go on").encode() + b"\n")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def of(self, function: str) -> queue.SimpleQueue[dict[str, Any]]:
        with self._lock:
            return self._told.setdefault(function, queue.SimpleQueue())

    def next(self, function: str) -> dict[str, Any]:
        """The next thing that `function` tells, awaited."""
        return self.of(function).get(timeout=WAIT)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(
    port: int, path: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """One HTTP request to a loopback port, with exactly these headers."""
    connection = HTTPConnection("127.0.0.1", port, timeout=WAIT)
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def key(value: str) -> dict[str, str]:
    """The headers that show a function key."""
    return {"x-functions-key": value}


@dataclass(frozen=True, slots=True)
class RunningHost:
    port: int
    functions: Mapping[str, str]
    log: Path
    child: Child

    def lines(self) -> list[dict[str, Any]]:
        """What the host has logged, without what the app itself logs."""
        text = self.log.read_text("utf-8").splitlines()
        return [json.loads(line) for line in text if line.startswith('{"at"')]


@contextmanager
def development_host(
    folder: Path,
    connection_string: str,
    reports: Reports,
    settings: Mapping[str, str] | None = None,
    script: Path = SAMPLE,
) -> Iterator[RunningHost]:
    """The sample app, or another, under the development host, until the end of the block."""
    keys, log = folder / "keys.json", folder / "host.log"
    keys.write_text(json.dumps(KEYS), "utf-8")
    command = [sys.executable, "-m", "tools.local.devhost", "--with-parent", "--script", str(script)]
    command += ["--port", "0", "--keys", str(keys), "--poll", "0.05", "--lease", "2"]
    environment = {
        "ArtifactsStorage": connection_string,
        "AzureWebJobsStorage": connection_string,
        "SAMPLE_REPORTS": str(reports.port),
        "SAMPLE_QUEUE": "jobs",
        **(settings or {}),
    }
    with Child("host", command, environment, log) as child:
        said = child.ready(WAIT)
        yield RunningHost(said["port"], said["functions"], log, child)
