"""The sidecar: how soon it is ready, and what it costs while nothing changes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from artifact.remote_index import POINTER as REMOTE_POINTER
from tools.bench.bench import LOADER, Bench, Figure, Measured
from tools.bench.following import MANY, publish_many
from tools.bench.measure import BenchError
from tools.bench.servers import Nginx
from tools.local.ports import free_port
from tools.setup.steps import VENV

READY_SECONDS = 60.0
ROUNDS = 10
"""Poll intervals, of one second each, over which the CPU time is taken."""


def rest(bench: Bench) -> Measured:
    """Many features behind one remote index, all in place, and nothing changes: seconds to ready, memory, CPU."""
    measured = Measured(f"watch at rest: {MANY} features behind one remote index, https")
    tree, root = bench.new_folder("tree"), bench.new_folder("root")
    publish_many(bench, tree)
    with Nginx(tree, bench.work / "nginx", bench.tls, counted=True) as server:
        flags = ["--remote-index", f"{server.https}/{REMOTE_POINTER}"]
        with _watching(bench, root, flags):
            pass  # brings all
        runs = [_rest(bench, root, flags) for _ in range(bench.runs)]
        listening = _rest(bench, root, [*flags, "--listen", f"127.0.0.1:{free_port()}"])
    what = f"watch, {MANY} features"
    measured.figures += [
        Figure(f"{what}: ready after a restart, all verified", 1000 * median(run[0] for run in runs), None, "ms"),
        Figure(f"{what}: resident at rest", median(run[1] for run in runs), 40, "MiB"),
        Figure(f"{what}: resident at rest with --listen", listening[1], None, "MiB"),
        Figure(f"{what}: CPU of a pass without change", median(run[2] for run in runs), 5, "ms"),
    ]
    return measured


def _rest(bench: Bench, root: Path, flags: list[str]) -> tuple[float, float, float]:
    """Seconds to ready, resident MiB after `ROUNDS` polls, and CPU milliseconds of each of these."""
    with _watching(bench, root, flags) as (process, seconds):
        time.sleep(1.5)
        before = _cpu_seconds(process.pid)
        time.sleep(ROUNDS)
        spent = _cpu_seconds(process.pid) - before
        return seconds, _resident(process.pid), spent * 1000 / ROUNDS


@contextmanager
def _watching(bench: Bench, root: Path, flags: list[str]) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """A loader that is ready, and after how many seconds it was."""
    ready = bench.work / "ready"
    ready.unlink(missing_ok=True)
    command: list[str | Path] = [
        VENV / "bin" / LOADER,
        "watch",
        "--root",
        root,
        "--trust-keys",
        bench.keys.trust,
        "--poll",
        "1",
    ]
    command += ["--ready-file", ready, *flags]
    environment = os.environ | {"SSL_CERT_FILE": str(bench.tls.authority)}
    began = time.monotonic()
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            while not ready.exists():
                if process.poll() is not None or time.monotonic() - began > READY_SECONDS:
                    raise BenchError("feature-loader watch does not get ready")
                time.sleep(0.002)
            yield process, time.monotonic() - began
        finally:
            process.send_signal(signal.SIGTERM)


def _cpu_seconds(pid: int) -> float:
    """Of all threads, user and system."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def _resident(pid: int) -> float:
    match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert match is not None
    return int(match[1]) / 1024
