"""A long line in a program: packets that one network device sends come out of another one later, or not at all.

`python -m tools.bench.shaper NAME NAME RATE DELAY QUEUE LOSS` makes the two devices, says so in a line of JSON, and
carries packets both ways until its standard input ends. RATE is in bits a second, DELAY and QUEUE in seconds one way;
LOSS is the chance that a packet on the way from the first to the second device is lost. The kernel's own shaper
(sch_netem) does the same, but many kernels come without it.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import select
import struct
import sys
import time
from collections import deque
from contextlib import suppress

_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_PACKET_BYTES = 2048
_BURST = 64
"""Packets taken before those that are due are given."""
_IDLE_SECONDS = 0.05


def open_device(name: str) -> int:
    """The file of a new network device, which lives as long as it is open. OSError where that is not permitted."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return device


class Way:
    """One direction: a queue that is emptied at `rate`, the last packets dropped when it is full, then the delay."""

    def __init__(self, source: int, target: int, *, rate: float, delay: float, queue: float, loss: float) -> None:
        self._source = source
        self._target = target
        self._seconds_per_byte = 8 / rate
        self._delay = delay
        self._longest = queue
        self._loss = loss
        self._chance = random.Random("loss")  # noqa: S311 (the same packets for every contestant, as far as it can be)
        self._sent = 0.0
        self._flying: deque[tuple[float, bytes]] = deque()

    def take(self) -> None:
        """Take what the source has sent, up to a burst."""
        with suppress(BlockingIOError):
            for _ in range(_BURST):
                packet = os.read(self._source, _PACKET_BYTES)
                now = time.monotonic()
                if self._sent - now > self._longest or (self._loss and self._chance.random() < self._loss):
                    continue
                self._sent = max(self._sent, now) + len(packet) * self._seconds_per_byte
                self._flying.append((self._sent + self._delay, packet))

    def give(self, now: float) -> float:
        """Let out what is due; how long until the next packet is."""
        flying = self._flying
        while flying and flying[0][0] <= now:
            with suppress(OSError):  # the other end is not up, or not any more: lost, as on a real line
                os.write(self._target, flying.popleft()[1])
        return flying[0][0] - now if flying else _IDLE_SECONDS


def main(words: list[str]) -> None:
    """Until standard input ends."""
    first, second = open_device(words[0]), open_device(words[1])
    rate, delay, queue, loss = map(float, words[2:])
    there = Way(first, second, rate=rate, delay=delay, queue=queue, loss=loss)
    back = Way(second, first, rate=rate, delay=delay, queue=queue, loss=0)
    print(json.dumps({"devices": words[:2]}), flush=True)
    with suppress(PermissionError):
        os.nice(-10)  # a line does not get slower because its users are busy
    ended = sys.stdin.fileno()
    pause = _IDLE_SECONDS
    while True:
        ready, _, _ = select.select([first, second, ended], [], [], max(0.0, pause))
        if ended in ready and not os.read(ended, 4096):
            return
        if first in ready:
            there.take()
        if second in ready:
            back.take()
        now = time.monotonic()
        pause = min(there.give(now), back.give(now))


if __name__ == "__main__":
    main(sys.argv[1:])
