"""Child processes that say when they are ready, stop in order, and do not outlive this process."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Self

from tools.setup.steps import ROOT

STOP_SECONDS = 20
TAIL_BYTES = 4000


class ChildError(Exception):
    """A part of the pipeline did not start, or has ended; `str()` says which, how, and what it said last."""


class Child:
    """One process, from `with` to its end. Its standard error goes to `log`, or is ours where there is none.

    Its standard input ends with this process, however that ends: the sign to leave for one started `--with-parent`.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        environment: Mapping[str, str],
        log: Path | None,
        folder: Path = ROOT,
    ) -> None:
        self.name = name
        self._command = [str(word) for word in command]
        self._environment = {**os.environ, **environment}
        self._log = log
        self._folder = folder
        self._said: queue.SimpleQueue[str] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        """Start it. ChildError where the program cannot be run."""
        errors = self._log.open("ab") if self._log else None
        try:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,  # Ctrl-C is for this process, which then stops its children in order
            )
        except OSError as error:
            raise ChildError(f"{self.name} cannot be started: {error.strerror}: {self._command[0]}") from error
        finally:
            if errors:
                errors.close()
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def ready(self, seconds: float) -> Any:
        """The JSON value of the first line that it writes to standard output. ChildError where it writes none."""
        try:
            line = self._said.get(timeout=seconds)
        except queue.Empty:
            raise ChildError(f"{self.name} did not answer in {seconds:.0f} s{self.last_words()}") from None
        if not line:
            raise ChildError(f"{self.name} ended with status {self._process.wait()} at its start{self.last_words()}")
        return json.loads(line)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Its exit status, once it has ended. ChildError where it has not in time."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ChildError(f"{self.name} did not end in {seconds:.0f} s{self.last_words()}") from None

    def last_words(self) -> str:
        """What its log ends with, to be put behind a message."""
        if self._log is None or not self._log.exists():
            return ""
        text = self._log.read_bytes()[-TAIL_BYTES:].decode("utf-8", "replace").rstrip()
        return f"; it said:\n{text}" if text else ""

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for its whole group where that is not enough; twice is no fault."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _read(self, output: IO[bytes]) -> None:
        """Hand over the first line, and go on reading, so that the child never waits for us."""
        self._said.put(output.readline().decode("utf-8", "replace"))
        for _ in output:
            continue


def wait_until_gone(pid: int) -> None:
    """Wait for a child process to end, and leave its status to whoever started it."""
    if not hasattr(os, "waitid"):  # macOS before Python 3.13: nobody notices there
        threading.Event().wait()
    with suppress(ChildProcessError):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
