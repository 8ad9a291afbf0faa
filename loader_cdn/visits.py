"""The passes of a loader that goes on running: what they share, and which are being made."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from loader_cdn.around import Around, Progress
from loader_cdn.hashing import Hasher
from loader_cdn.known import Known
from loader_cdn.ledger import Ledger
from loader_cdn.opening import open_root
from loader_cdn.passes import Pass
from loader_cdn.root import Root
from loader_cdn.settings import Settings
from loader_cdn.transfer import Network, Transfer
from loader_cdn.trust import Trust


class Visits:
    """Of one root whose lock is held."""

    def __init__(
        self,
        settings: Settings,
        trust: Trust,
        progress: Progress,
        clock: Callable[[], datetime],
        ledger: Ledger,
        network: Network,
        hasher: Hasher,
        stop: Callable[[], bool],
    ) -> None:
        self.ledger, self.network = ledger, network
        self._settings, self._trust, self._progress, self._clock = settings, trust, progress, clock
        self._hasher, self._stop = hasher, stop
        self._known = Known()
        self._passes: list[Pass] = []

    @contextmanager
    def making(self) -> Iterator[Pass]:
        """A pass, for the block."""
        transfer = Transfer(self.network, deadline=time.monotonic() + self._settings.timeout)
        trust, now = self._trust.store, self._clock()
        around = Around(
            self._settings, trust, now, transfer, self._hasher, self._progress, self._known, self._stop
        )  # fmt: skip
        made = Pass(around, Root(around, self.ledger))
        with made.faults(self.ledger.layout.root):
            open_root(self.ledger.layout)
        self._passes.append(made)
        try:
            yield made
        finally:
            if made in self._passes:
                self._passes.remove(made)
                made.end()

    def now(self) -> datetime:
        return self._clock()

    def forget(self) -> None:
        """Everything is to be verified again, to the last byte."""
        self._known.forget()

    def close(self) -> None:
        """End all of them where they are."""
        ended, self._passes = self._passes, []
        for made in ended:
            made.close()
        self.network.tasks.close()
        for made in ended:
            made.root.trash.empty()
