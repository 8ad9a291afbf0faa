"""One Varnish, from `with` to its end."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tools.local.children import ChildError

VCL = Path(__file__).with_name("edge.vcl")
START_SECONDS = 30
SYSTEM = ":/usr/sbin:/sbin"
"""Where Debian puts it, which is not on a user's PATH."""

_PARAMETERS = {
    "backend_idle_timeout": "3",  # Azurite closes an idle connection after about five seconds
    "default_grace": "0",
    "thread_pools": "1",
    "thread_pool_min": "20",
    "feature": "+wait_silo",
}
_LISTENER = re.compile(r"^(readers|purge) (\S+) (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Origin:
    """What is served: all below `prefix` (empty, or `/` and a path) of `host`. `query` is sent with every request: a
    SAS that may read, without its `?`.
    """

    host: str
    port: int
    prefix: str = ""
    query: str = ""


def find() -> Path | None:
    """The program, where it is installed."""
    found = shutil.which("varnishd", path=os.environ.get("PATH", os.defpath) + SYSTEM)
    return None if found is None else Path(found)


class Varnish:
    """Listens on loopback: for readers at `url`, for purges at `purge_url`. Ports of 0 are free ones.

    `folder` gets its files, of which one holds the SAS. `negative_seconds`: how long a 404 is believed. An object that
    does not fit into `memory` is cut short; P4 allows 256 MiB. It ends with this process, however that ends: its
    standard input is ours.
    """

    def __init__(
        self,
        folder: Path,
        origin: Origin,
        *,
        port: int = 0,
        purge_port: int = 0,
        negative_seconds: int = 1,
        memory: str = "512m",
    ) -> None:
        self._folder, self._origin = folder, origin
        self._ports = {"readers": port, "purge": purge_port}
        self._negative, self._memory = negative_seconds, memory

    def __enter__(self) -> Self:
        """Start it. ChildError where it does not."""
        program = find()
        if program is None:
            raise ChildError("varnishd is not installed: apt-get install varnish")
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        vcl = self._folder / "edge.vcl"
        vcl.write_text(self._vcl(), "utf-8")
        self._log = (self._folder / "varnish.log").open("wb")
        command: list[str | Path] = [program, "-d", "-j", "none", "-n", self._folder.absolute(), "-f", vcl.absolute()]
        command += ["-s", f"malloc,{self._memory}", "-s", "Transient=malloc,64m", "-T", "127.0.0.1:0"]
        for name, port in self._ports.items():
            command += ["-a", f"{name}=127.0.0.1:{port}"]
        for name, value in _PARAMETERS.items():
            command += ["-p", f"{name}={value}"]
        # With -d it takes commands from standard input, and ends with it.
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=self._log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The manager's process id."""
        return self._process.pid

    def stop(self) -> None:
        """End it; twice is no fault."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._process.kill()
        self._process.wait()
        self._log.close()

    def _start(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"start\n")
        self._process.stdin.flush()
        ports = self._listening()
        self.url = f"http://127.0.0.1:{ports['readers']}"
        self.purge_url = f"http://127.0.0.1:{ports['purge']}"

    def _listening(self) -> dict[str, int]:
        """Its ports, once its child process runs."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if "running" in self._ask("status"):
                return {name: int(port) for name, _, port in _LISTENER.findall(self._ask("debug.listen_address"))}
            time.sleep(0.05)
        said = (self._folder / "varnish.log").read_text("utf-8", "replace")[-2000:]
        raise ChildError(f"varnishd did not start; it said:\n{said}")

    def _ask(self, command: str) -> str:
        program = shutil.which("varnishadm", path=os.environ.get("PATH", os.defpath) + SYSTEM) or "varnishadm"
        answer = subprocess.run(
            [program, "-n", self._folder.absolute(), "-t", "2", command], capture_output=True, text=True, check=False
        )
        return answer.stdout

    def _vcl(self) -> str:
        of = self._origin
        values = {"HOST": of.host, "PORT": str(of.port), "PREFIX": of.prefix, "NEGATIVE": str(self._negative)}
        text = VCL.read_text("utf-8").replace("@QUERY@", f"?{of.query}" if of.query else "")
        for name, value in values.items():
            text = text.replace(f"@{name}@", value)
        return text
