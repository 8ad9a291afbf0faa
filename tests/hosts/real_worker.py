"""The real Python worker of Azure Functions, asked as the Functions host asks it."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueMessage

from publisher.settings import STORAGE
from tests import parts
from tests.hosts.host import Answer, FunctionError, environment_of, queues_of
from tools.setup.steps import ROOT

PACKAGES = ROOT / ".venv" / "worker"
INSTALLED = PACKAGES / ".setup"
"""Written when the installation is complete."""

HIDDEN_SECONDS = 300


@dataclass
class RealWorker:
    """The worker process, asked as the Functions host asks."""

    process: subprocess.Popen[str]
    connection: str
    log: Path
    invoked: set[str] = field(default_factory=set)

    @cached_property
    def _index(self) -> dict[str, Any]:
        return self._ask(do="index")

    @cached_property
    def functions(self) -> Mapping[str, Mapping[str, Any]]:
        return {name: _trigger(one["bindings"]) for name, one in self._index["functions"].items()}

    @property
    def modules(self) -> list[str]:
        """What the worker has loaded when it has indexed the app."""
        modules: list[str] = self._index["modules"]
        return modules

    def arrived(self, name: str) -> None:
        self._invoke("ingest", {"Connection": STORAGE, "ContainerName": "incoming", "BlobName": name})

    def settle(self, *functions: str) -> None:
        queues = queues_of(self, functions)
        while any(self._deliver(function, queue) for function, queue in queues.items()):
            continue

    def _deliver(self, function: str, queue: str) -> bool:
        """One message from a queue to its function; False where none waits."""
        with QueueClient.from_connection_string(self.connection, queue) as client:
            try:
                message = client.receive_message(visibility_timeout=HIDDEN_SECONDS)
            except ResourceNotFoundError:  # it is made with its first message
                return False
            if message is None:
                return False
            body = base64.b64decode(message.content, validate=True).decode()
            self._invoke(function, body, _facts(message))
            client.delete_message(message)
        return True

    def tick(self, function: str) -> None:
        status = {"Last": "2026-11-23T00:00:00+00:00", "Next": "2026-11-23T00:05:00+00:00"}
        schedule = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": False}
        self._invoke(function, schedule)

    def call(self, function: str, body: Any = None, **parameters: str) -> Answer:
        trigger = self.functions[function]
        text = "" if body is None else json.dumps(body)
        data = {
            "method": trigger["methods"][0], "params": parameters,
            "url": f"http://localhost/api/{trigger['route']}".format(**parameters),
            "query": {}, "headers": {"content-type": "application/json"} if text else {}, "body": text,
        }  # fmt: skip
        http = self._invoke(function, data, kind="http")["http"]
        headers = {name.lower(): value for name, value in http["headers"].items()}
        return Answer(http["status"], headers, http["body"].encode())

    def _invoke(
        self, function: str, data: Any, metadata: Mapping[str, Any] | None = None, kind: str | None = None
    ) -> dict[str, Any]:
        trigger, identity = self.functions[function], self._index["functions"][function]["id"]
        answer = self._ask(
            do="invoke", function=identity, invocation=str(uuid4()), parameter=trigger["name"],
            kind=kind or trigger["type"], data=data, metadata=dict(metadata or {}),
        )  # fmt: skip
        self.invoked.add(function)
        return answer

    def _ask(self, **order: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the worker has ended; it said:\n{self.log.read_text()}"
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise FunctionError(answer["error"])
        return answer


def _trigger(bindings: list[dict[str, Any]]) -> dict[str, Any]:
    (trigger,) = (one for one in bindings if one["type"].lower().endswith("trigger"))
    return trigger


def _facts(message: QueueMessage) -> dict[str, dict[str, str]]:
    """The trigger's metadata: the host sends texts as they are, and all else as JSON."""
    times = {
        "InsertionTime": message.inserted_on,
        "ExpirationTime": message.expires_on,
        "NextVisibleTime": message.next_visible_on,
    }
    return {
        "Id": {"string": message.id},
        "PopReceipt": {"string": message.pop_receipt or ""},
        "DequeueCount": {"json": json.dumps(message.dequeue_count)},
        **{name: {"json": json.dumps(time.isoformat())} for name, time in times.items() if isinstance(time, datetime)},
    }


@contextmanager
def real_worker(folder: Path, connection: str, settings: Mapping[str, str], app: Path = ROOT) -> Iterator[RealWorker]:
    """The app of this tree, or of another folder, in the real worker, until the end of the block."""
    if not INSTALLED.is_file():
        parts.missing("the Python worker of Azure Functions", "make test")
    environment, path = environment_of(connection, settings), folder / "worker.log"
    command = [sys.executable, str(Path(__file__).with_name("worker.py")), str(PACKAGES), str(app)]
    with (
        path.open("w") as log,
        subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        try:
            yield RealWorker(process, connection, path)
        finally:
            process.kill()
