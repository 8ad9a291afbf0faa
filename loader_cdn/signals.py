"""L11: what the process is told by signals, and waiting that they end."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable
from types import FrameType

LOOK_SECONDS = 1.0
"""How often a wait looks whether something has changed."""


class StopSignal:
    """SIGTERM and SIGINT ask for a clean end; the second one gets the ordinary, hard one. For the main thread."""

    def __init__(self) -> None:
        self.is_told_to_end = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)

    def _end(self, number: int, frame: FrameType | None) -> None:
        self.is_told_to_end = True
        signal.signal(number, signal.SIG_DFL)


class Signals(StopSignal):
    """Beside these, SIGHUP asks for a pass now, which verifies everything on disk."""

    def __init__(self) -> None:
        super().__init__()
        self._is_told_to_look = False
        self._told, self._tell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._tell, warn_on_full_buffer=False)
        signal.signal(signal.SIGHUP, self._look)

    def take_look(self) -> bool:
        """Whether SIGHUP came since this was last asked."""
        told, self._is_told_to_look = self._is_told_to_look, False
        return told

    def wait(self, seconds: float, has_changed: Callable[[], bool]) -> None:
        """Until the time is over, a signal comes, or, looked at every second, something has changed."""
        deadline = time.monotonic() + seconds
        while not (self.is_told_to_end or self._is_told_to_look or has_changed()):
            left = deadline - time.monotonic()
            if left <= 0:
                return
            if select.select([self._told], [], [], min(left, LOOK_SECONDS))[0]:
                os.read(self._told, 4096)
                return

    def monotonic(self) -> float:
        return time.monotonic()

    def wake(self) -> None:
        """End a wait; of any thread."""
        with contextlib.suppress(BlockingIOError):  # it is full: the wait ends anyway
            os.write(self._tell, b"\0")

    def _look(self, number: int, frame: FrameType | None) -> None:
        self._is_told_to_look = True
