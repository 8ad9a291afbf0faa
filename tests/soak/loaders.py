"""The loader as it runs beside a host: `feature-loader watch`, a process of its own, asked as the kubelet asks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from tests.loader_cdn.command import COMMAND
from tests.soak.tally import Tally
from tools.local.ports import free_port

POLL, GRACE = 1, 5
"""Seconds."""
ANSWER_SECONDS = 10
"""For a probe: a machine that is busy with other things may be slow."""
END_SECONDS = 60
"""After which a loader that was told to end is killed."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """Of a process at `age` seconds."""

    age: float
    resident: int
    threads: int
    files: int

    @classmethod
    def of(cls, pid: int, age: float) -> Vitals:
        """Bytes of memory, and counts. OSError where it is gone."""
        process = Path("/proc") / str(pid)
        lines = dict(line.split(":", 1) for line in (process / "status").read_text("ascii").splitlines())
        resident = int(lines["VmRSS"].split()[0]) * 1024
        return cls(age, resident, int(lines["Threads"]), len(list((process / "fd").iterdir())))


@dataclass
class Loader:
    """One root's loader, over all its processes. `heard` is the ConfigMap that it knows each feature by; `vitals` are
    those of the process that runs, `is_ready` says whether that one was ready once.
    """

    name: str
    root: Path
    trust: Path
    kubeconfig: Path
    log: Path
    tally: Tally
    port: int = field(default_factory=free_port)
    heard: Mapping[str, str] = field(default_factory=dict)
    vitals: list[Vitals] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    is_ready: bool = False
    _is_paused: bool = False
    _has_answered: bool = False
    _began: float = 0.0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    # The process

    def start(self, command: Sequence[str | Path] = (COMMAND,)) -> None:
        """As the chart starts it, or by another command."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("FEATURE_")}
        with self._lock, self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *self._arguments()],
                env={**own, "KUBECONFIG": str(self.kubeconfig)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            self.tally.starts[self.name] += 1
            self._has_answered = self.is_ready = False
            self._began, self.vitals = time.monotonic(), []

    def kill(self) -> None:
        """As the kernel does when memory is short."""
        with self._lock:
            assert self.process is not None
            self.process.kill()
            self.process.wait()
            self.process = None

    def end(self) -> None:
        """As the kubelet does: SIGTERM, L11."""
        with self._lock:
            assert self.process is not None
            process, self.process = self.process, None
            allowed = {0} if self._has_answered else {0, -signal.SIGTERM}  # before it could say how it wants to end
        began = time.monotonic()
        process.terminate()
        try:
            status = process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            self.tally.offend(f"{self.name}: SIGTERM did not end it in {END_SECONDS} s")
            return
        self.tally.stops.append(time.monotonic() - began)
        if status not in allowed:
            self.tally.offend(f"{self.name}: SIGTERM ended it with status {status}")

    def pause(self) -> None:
        """It gets no time at all, as on a node that swaps."""
        with self._lock:
            self._signal(signal.SIGSTOP)
            self._is_paused = True

    def resume(self) -> None:
        with self._lock:
            self._signal(signal.SIGCONT)
            self._is_paused = False

    def succeed(self, second: Loader) -> None:
        """Another one's process is this one's from now on, which has ended."""
        with self._lock:
            self.process, self.port, self._began = second.process, second.port, second._began
            self._has_answered = self.is_ready = False
            self.vitals = []

    def look_again(self) -> None:
        """SIGHUP: everything is verified again."""
        with self._lock:
            self._signal(signal.SIGHUP)

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def _arguments(self) -> list[str | Path]:
        return [
            "watch", "--kubernetes", "--root", self.root, "--trust-keys", self.trust,
            "--listen", f"127.0.0.1:{self.port}", "--poll", str(POLL), "--grace", str(GRACE), "--timeout", "60",
        ]  # fmt: skip

    # What it answers

    def probe(self) -> None:
        """One round of all that is asked of it from outside; what is not as promised is told to the tally."""
        with self._lock:
            if self.process is None or self._is_paused:
                return
            if self.process.poll() is not None:
                self.tally.offend(f"{self.name}: it ended by itself with status {self.process.returncode}")
                self.process = None
                return
            status, _ = self.ask("/healthz")
            if status == 200:
                self._has_answered = True
                self.tally.checked("probes")
            elif self._has_answered:
                self.tally.offend(f"{self.name}: /healthz answered {status or 'nothing'}")
            self.is_ready = self.is_ready or self.ask("/readyz")[0] == 200
            self._hear()
            with suppress(OSError):
                self.vitals.append(Vitals.of(self.process.pid, time.monotonic() - self._began))

    def _hear(self) -> None:
        found = self.status()
        if found is not None:
            heard = {one["featureId"]: one["registeredBy"] for one in found["features"] if one["registeredBy"]}
            self.heard = {**self.heard, **heard}

    def status(self) -> Any:
        """`/status`, or None."""
        code, body = self.ask("/status")
        return json.loads(body) if code == 200 else None

    def ask(self, path: str) -> tuple[int, bytes]:
        """Status and body; status 0 where there is no answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, HTTPException):
            return 0, b""
        finally:
            connection.close()
