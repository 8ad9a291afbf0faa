"""The project's development host, triggered as Azure is: by blobs, messages, its admin page and requests."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from publisher.adapters.queue_account import QueueAccount
from tests.hosts.host import WAIT, Answer, FunctionError, environment_of, queues_of
from tests.tools.running import KEYS, Reports, RunningHost, ask, development_host, key
from tools.setup.steps import ROOT

MASTER = key(str(KEYS["masterKey"]))
INDEX = """
import json, sys
from pathlib import Path
from tools.local.devhost.functions import load_functions
print(json.dumps({function.name: dict(function.trigger) for function in load_functions(Path(sys.argv[1]))}))
"""


@dataclass
class DevelopmentHost:
    """The host's process, which logs a line for every run of a function."""

    running: RunningHost
    connection: str
    settings: Mapping[str, str]
    invoked: set[str] = field(default_factory=set)

    @cached_property
    def functions(self) -> Mapping[str, Mapping[str, Any]]:
        """By the code and with the settings of the host, which tells names and kinds itself."""
        command = [sys.executable, "-c", INDEX, str(ROOT / "function_app.py")]
        environment = environment_of(self.connection, self.settings)
        done = subprocess.run(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        found: dict[str, dict[str, Any]] = json.loads(done.stdout)
        assert {name: trigger["type"] for name, trigger in found.items()} == self.running.functions
        return found

    def arrived(self, name: str) -> None:
        self._await("ingest", subject=f"incoming/{name}")

    def settle(self, *functions: str) -> None:
        queues, account = queues_of(self, functions), QueueAccount(self.connection)
        while any(account.queue(queue).count() for queue in queues.values()):
            WAIT.wait(0.1)
        for run in (run for function in queues for run in self._runs(function)):
            self._judge(run)

    def tick(self, function: str) -> None:
        before = len(self._runs(function))
        answer = ask(self.running.port, f"/admin/functions/{function}", "POST", headers=MASTER)
        assert answer.status == 202
        self._await(function, after=before)

    def call(self, function: str, body: Any = None, **parameters: str) -> Answer:
        trigger = self.functions[function]
        data = None if body is None else json.dumps(body).encode()
        headers = {**MASTER, **({"Content-Type": "application/json"} if data else {})}
        path = f"/api/{trigger['route']}".format(**parameters)
        answer = ask(self.running.port, path, trigger["methods"][0], data, headers)
        if answer.status == 500 and not answer.body:  # the host's own answer
            raise FunctionError(function)
        self.invoked.add(function)
        return Answer(answer.status, answer.headers, answer.body)

    def _runs(self, function: str) -> list[dict[str, Any]]:
        return [line for line in self.running.lines() if line.get("function") == function]

    def _await(self, function: str, *, after: int = 0, subject: str | None = None) -> None:
        """The first run on a subject, or the next one after so many; returns when it has succeeded."""
        while not (runs := [run for run in self._runs(function)[after:] if subject in (None, run["subject"])]):
            WAIT.wait(0.05)
        self._judge(runs[0])

    def _judge(self, run: Mapping[str, Any]) -> None:
        if run["outcome"] != "succeeded":
            raise FunctionError(str(run.get("error", run["outcome"])))
        self.invoked.add(run["function"])


@contextmanager
def dev_host(folder: Path, connection: str, settings: Mapping[str, str]) -> Iterator[DevelopmentHost]:
    """The app of this tree in the development host, until the end of the block."""
    with (
        Reports() as reports,
        development_host(folder, connection, reports, settings, ROOT / "function_app.py") as running,
    ):
        yield DevelopmentHost(running, connection, settings)
