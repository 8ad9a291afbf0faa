"""Waiting until a process is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import NoReturn


class Told(BaseException):
    """SIGTERM or SIGINT, where `raise_when_told` was called before."""


def raise_when_told() -> None:
    """Have the first SIGTERM or SIGINT raise Told in the main thread; the next do not cut the stop short."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _tell)


def _tell(*_: object) -> NoReturn:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    raise Told


async def until_told(*, with_parent: bool) -> None:
    """Wait for SIGTERM or SIGINT; `with_parent` also for the end of standard input, which outlives no parent."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    if with_parent:
        loop.add_reader(sys.stdin.fileno(), _drain, loop, told)
    await told.wait()


def _drain(loop: asyncio.AbstractEventLoop, told: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        loop.remove_reader(sys.stdin.fileno())
        told.set()
