"""Waiting until a process is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys


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
