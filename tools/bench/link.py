"""A wide-area link: two network namespaces, made for one run, and a line between them with a rate, a delay and loss."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from tools.bench.measure import BenchError
from tools.local.children import Child

SERVER, CLIENT = "10.97.31.1", "10.97.31.2"
CONGESTION_CONTROL = "cubic"
START_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Line:
    """`rate` in bits a second, `round_trip` in seconds, `loss` the share of packets lost on their way to the client."""

    rate: float
    round_trip: float
    loss: float = 0.0


class Link:
    """From `with` to its end; BenchError where it cannot be made. TCP is the kernel's, with cubic at both ends; the
    line's buffer holds one round trip.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self._names = [f"favn-bench-{os.getpid()}-{end}" for end in ("server", "client")]
        self._devices = ["favn-server", "favn-client"]

    @property
    def at_server(self) -> list[str]:
        """What goes before a command that is to run at the server's end."""
        return ["ip", "netns", "exec", self._names[0]]

    @property
    def at_client(self) -> list[str]:
        """What goes before a command that is to run at the client's end."""
        return ["ip", "netns", "exec", self._names[1]]

    def __enter__(self) -> Self:
        if reason := obstacle():
            raise BenchError(reason)
        with ExitStack() as stack:
            for name in self._names:
                _run("ip", "netns", "add", name)
                stack.callback(_run, "ip", "netns", "delete", name)
            stack.enter_context(self._shaper()).ready(START_SECONDS)
            for name, device, address in zip(self._names, self._devices, (SERVER, CLIENT), strict=True):
                _attach(name, device, address)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _shaper(self) -> Child:
        line = self._line
        numbers = (line.rate, line.round_trip / 2, line.round_trip, line.loss)
        command = [sys.executable, "-m", "tools.bench.shaper", *self._devices, *map(str, numbers)]
        return Child("the shaper", command, {}, None)


def obstacle() -> str | None:
    """Why no link can be made here; None where one can."""
    if shutil.which("ip") is None:
        return "`ip` is not installed: apt-get install iproute2"
    if os.geteuid() != 0:
        return "network namespaces are made by root"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "there is no /dev/net/tun"
    return None


def _attach(name: str, device: str, address: str) -> None:
    peer = CLIENT if address == SERVER else SERVER
    _run("ip", "link", "set", device, "netns", name)
    within = ("ip", "-n", name)
    _run(*within, "link", "set", "lo", "up")
    _run(*within, "address", "add", address, "dev", device)
    # A long queue of the device's own, so that what is lost is lost on the line.
    _run(*within, "link", "set", device, "txqueuelen", "10000", "up")
    # By the route: the namespace's own default may only be one that is the machine's, too.
    _run(*within, "route", "add", peer, "dev", device, "congctl", CONGESTION_CONTROL)
    # What one contestant learned of the line is not for the next one.
    _run("ip", "netns", "exec", name, "sysctl", "-q", "-w", "net.ipv4.tcp_no_metrics_save=1")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(command)}: {done.stderr.strip()}")
