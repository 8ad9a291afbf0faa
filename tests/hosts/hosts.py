"""Two hosts of one app: the real Python worker of Azure Functions, and the development host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from publisher.adapters.queue_account import QueueAccount
from publisher.settings import STORAGE
from tests.tools.running import KEYS, Reports, RunningHost, ask, development_host, key
from tools.local.devhost.functions import load_functions
from tools.setup.steps import ROOT

PACKAGES = ROOT / ".venv" / "worker"
WAIT = threading.Event()
"""Never set: to wait a moment between two looks."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Host(Protocol):
    """An app that runs. `invoked` collects the names of the functions that ran."""

    invoked: set[str]

    @property
    def functions(self) -> Mapping[str, Mapping[str, Any]]:
        """The trigger of every function, as the host sees it."""
        ...

    def arrived(self, name: str) -> None:
        """A blob was uploaded to `incoming`; returns when its function has run."""
        ...

    def settle(self) -> None:
        """Returns when no queue has a message left that waits to be seen."""
        ...

    def tick(self, function: str) -> None:
        """A timer's time has come; returns when it has run."""
        ...

    def call(self, function: str, body: Any = None, **parameters: str) -> Answer:
        """One HTTP request to a function, with all powers."""
        ...


def trigger_of(bindings: list[dict[str, Any]]) -> dict[str, Any]:
    """What triggers a function, without what hosts spell differently."""
    (trigger,) = (one for one in bindings if one["type"].lower().endswith("trigger"))
    names = ("type", "name", "path", "queueName", "connection", "schedule", "route", "methods", "authLevel", "source")
    return {name: trigger[name] for name in names if trigger.get(name) is not None}


@dataclass
class RealWorker:
    """The worker process, asked as the Functions host asks."""

    process: subprocess.Popen[str]
    connection: str
    invoked: set[str] = field(default_factory=set)

    @cached_property
    def _index(self) -> dict[str, Any]:
        found = self._ask(do="index")
        assert "error" not in found, found
        return found

    @property
    def functions(self) -> Mapping[str, Mapping[str, Any]]:
        assert all(function["loaded"] for function in self._index["functions"].values())
        return {name: trigger_of(one["bindings"]) for name, one in self._index["functions"].items()}

    @property
    def modules(self) -> list[str]:
        """What the worker has loaded when it has indexed the app."""
        modules: list[str] = self._index["modules"]
        return modules

    def arrived(self, name: str) -> None:
        self._invoke("ingest", {"Connection": STORAGE, "ContainerName": "incoming", "BlobName": name})

    def settle(self) -> None:
        while any(self._deliver(name) for name, trigger in self.functions.items() if trigger["type"] == "queueTrigger"):
            continue

    def _deliver(self, function: str) -> bool:
        queue = QueueAccount(self.connection).queue(self.functions[function]["queueName"])
        messages = queue.take(1, hidden=timedelta(minutes=5))
        for message in messages:
            times = {"InsertionTime": message.inserted_at.isoformat(), "DequeueCount": message.tries}
            self._invoke(function, message.body, {"Id": str(uuid4()), **times})
            queue.drop(message)
        return bool(messages)

    def tick(self, function: str) -> None:
        status = {"Last": "2026-11-23T00:00:00+00:00", "Next": "2026-11-23T00:05:00+00:00"}
        schedule = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": False}
        self._invoke(function, schedule)

    def call(self, function: str, body: Any = None, **parameters: str) -> Answer:
        trigger = self.functions[function]
        text = "" if body is None else json.dumps(body)
        data = {
            "method": trigger["methods"][0], "url": f"http://localhost/api/{trigger['route']}", "params": parameters,
            "query": {}, "headers": {"content-type": "application/json"} if text else {}, "body": text,
        }  # fmt: skip
        http = self._invoke(function, data, kind="http")["http"]
        headers = {name.lower(): value for name, value in http["headers"].items()}
        return Answer(http["status"], headers, http["body"].encode())

    def _invoke(
        self, function: str, data: Any, metadata: Mapping[str, Any] | None = None, kind: str | None = None
    ) -> dict[str, Any]:
        trigger, self_id = self.functions[function], self._index["functions"][function]["id"]
        self.invoked.add(function)
        answer = self._ask(
            do="invoke", function=self_id, invocation=str(uuid4()), parameter=trigger["name"],
            kind=kind or trigger["type"], data=data, metadata=dict(metadata or {}),
        )  # fmt: skip
        assert "error" not in answer, answer["error"]
        return answer

    def _ask(self, **order: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


@contextmanager
def real_worker(folder: Path, connection: str, settings: Mapping[str, str]) -> Iterator[RealWorker]:
    """The app of this tree in the real worker, until the end of the block."""
    environment = {**os.environ, STORAGE: connection, "AzureWebJobsStorage": connection, **settings}
    command = [sys.executable, str(Path(__file__).with_name("worker.py")), str(PACKAGES), str(ROOT)]
    with (
        (folder / "worker.log").open("w") as log,
        subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        yield RealWorker(process, connection)
        process.kill()


@dataclass
class DevelopmentHost:
    """The development host, which is triggered as Azure is: by blobs, messages, its admin page and requests."""

    running: RunningHost
    connection: str
    invoked: set[str] = field(default_factory=set)

    @cached_property
    def functions(self) -> Mapping[str, Mapping[str, Any]]:
        app = load_functions(ROOT / "function_app.py")
        assert {function.name for function in app} == set(self.running.functions)
        return {function.name: trigger_of([dict(function.trigger)]) for function in app}

    def arrived(self, name: str) -> None:
        self._await("ingest", lambda line: line.get("subject") == f"incoming/{name}")

    def settle(self) -> None:
        queues = [trigger["queueName"] for trigger in self.functions.values() if trigger["type"] == "queueTrigger"]
        account = QueueAccount(self.connection)
        while any(account.queue(name).count() for name in queues):
            WAIT.wait(0.1)
        self.invoked |= {
            str(line["function"]) for line in self.running.lines() if line.get("trigger") == "queueTrigger"
        }

    def tick(self, function: str) -> None:
        before = self._ran(function)
        answer = ask(self.running.port, f"/admin/functions/{function}", "POST", headers=key(KEYS["masterKey"]))  # type: ignore[arg-type]
        assert answer.status == 202
        while self._ran(function) == before:
            WAIT.wait(0.05)
        self._await(function, lambda line: True)

    def call(self, function: str, body: Any = None, **parameters: str) -> Answer:
        trigger = self.functions[function]
        self.invoked.add(function)
        data = None if body is None else json.dumps(body).encode()
        headers = {**key(KEYS["masterKey"]), **({"Content-Type": "application/json"} if data else {})}  # type: ignore[arg-type]
        path = f"/api/{trigger['route']}".format(**parameters)
        answer = ask(self.running.port, path, trigger["methods"][0], data, headers)
        return Answer(answer.status, answer.headers, answer.body)

    def _ran(self, function: str) -> int:
        return sum(line.get("function") == function for line in self.running.lines())

    def _await(self, function: str, is_it: Callable[[dict[str, Any]], bool]) -> None:
        while True:
            for line in self.running.lines():
                if line.get("function") == function and is_it(line):
                    assert line["outcome"] == "succeeded", line
                    self.invoked.add(function)
                    return
            WAIT.wait(0.05)


@contextmanager
def dev_host(folder: Path, connection: str, settings: Mapping[str, str]) -> Iterator[DevelopmentHost]:
    """The app of this tree in the development host, until the end of the block."""
    with (
        Reports() as reports,
        development_host(folder, connection, reports, settings, ROOT / "function_app.py") as running,
    ):
        yield DevelopmentHost(running, connection)
