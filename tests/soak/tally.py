"""What a run did and saw, counted. All threads of a run write into one."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

MOST = 50
"""Offences that are told one by one."""


@dataclass
class Tally:
    """`actions` and `faults` by kind; `recoveries` are seconds after a fault of the API server or of the way to it."""

    actions: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    starts: Counter[str] = field(default_factory=Counter)
    recoveries: list[tuple[float, str]] = field(default_factory=list)
    stops: list[float] = field(default_factory=list)
    """Seconds from SIGTERM to the end, of each loader that got one."""
    offences: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def offend(self, what: str) -> None:
        """Something is not as promised."""
        with self._lock:
            if what not in self.offences and len(self.offences) < MOST:
                self.offences.append(what)

    def checked(self, what: str) -> None:
        """A check was made."""
        with self._lock:
            self.checks[what] += 1
