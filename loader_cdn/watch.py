"""C3: `watch`, one pass after the other until it is told to end; what the sidecar runs."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from artifact.errors import DeliveryError
from artifact.trust import TrustStore
from loader_cdn.around import Around, Progress
from loader_cdn.durable import disk
from loader_cdn.hashing import Hasher
from loader_cdn.known import Known
from loader_cdn.layout import Layout
from loader_cdn.lock import locked
from loader_cdn.passes import Pass
from loader_cdn.quiet import Quiet
from loader_cdn.report import Report, Result
from loader_cdn.settings import Settings, load_trust
from loader_cdn.sync import open_root, remove_ready_file, write_ready_file
from loader_cdn.transfer import Transfer

JITTER = 0.1
"""Of the poll interval: pods that were started together do not ask together for ever."""

log = logging.getLogger(__name__)


class Told(Protocol):
    """What comes from outside between two passes."""

    @property
    def is_told_to_end(self) -> bool: ...

    def take_look(self) -> bool:
        """Whether a pass was asked for that verifies everything on disk."""
        ...

    def wait(self, seconds: float, has_changed: Callable[[], bool]) -> None:
        """Until the time is over, or something is told or has changed."""
        ...


def watch(
    settings: Settings,
    told: Told,
    *,
    progress: Progress,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> DeliveryError | None:
    """Make passes until the process is told to end. What kept it from beginning, or None.

    What goes wrong later ends nothing: it is logged, and tried again at the next pass (L8).
    """
    layout = Layout(settings.root)
    try:
        trust = Trust(settings.trust_keys)
        remove_ready_file(settings.ready_file)
        open_root(layout)
        with disk(layout.lock), locked(layout.lock, deadline=float("inf"), stop=lambda: told.is_told_to_end):
            _Watch(settings, told, trust, progress, clock).run()
    except DeliveryError as error:
        if told.is_told_to_end:
            return None
        log.error("%s", error)
        return error
    return None


class Trust:
    """S5: the trust store, read again at every pass. One that cannot be read or is empty is an error at start (raises
    ConfigurationError); later the last good one stays.
    """

    def __init__(self, value: str) -> None:
        self._value = value
        self._seen = self._state()
        self._store = load_trust(value)

    def read(self) -> TrustStore:
        """The store of now."""
        self._seen = self._state()
        try:
            self._store = load_trust(self._value)
        except DeliveryError as error:
            log.error("the trust store of before stays in force: %s", error)
        return self._store

    def has_changed(self) -> bool:
        """Whether it is another file than was read last, or was written since."""
        return self._state() != self._seen

    def _state(self) -> tuple[int, int, int] | None:
        try:
            status = Path(self._value).stat()
        except (OSError, ValueError):  # it is JSON, or gone
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns


class _Watch:
    """Passes over a root whose lock is held."""

    def __init__(
        self, settings: Settings, told: Told, trust: Trust, progress: Progress, clock: Callable[[], datetime]
    ) -> None:
        self._settings, self._told, self._trust = settings, told, trust
        self._progress, self._clock = progress, clock
        self._known = Known()
        self._quiet: Quiet | None = None
        self._is_ready = settings.ready_file is None

    def run(self) -> None:
        with Transfer(self._settings.transfer, stop=lambda: self._told.is_told_to_end) as transfer:
            while not self._told.is_told_to_end:
                if self._told.take_look():
                    self._known.forget()
                    self._quiet = None
                self._look(transfer)
                pause = self._settings.poll * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 (no secret)
                self._told.wait(pause, self._trust.has_changed)

    def _look(self, transfer: Transfer) -> None:
        """A pass, unless there is nothing to do."""
        transfer.deadline = time.monotonic() + self._settings.timeout
        trust, now = self._trust.read(), self._clock()
        if self._quiet is not None and self._quiet.is_still(transfer, trust, now):
            return
        self._quiet = None
        try:
            self._pass(transfer, trust, now)
        except DeliveryError as error:
            log.error("%s", error)

    def _pass(self, transfer: Transfer, trust: TrustStore, now: datetime) -> None:
        open_root(Layout(self._settings.root))
        with Hasher.start() as hasher:
            around = Around(
                self._settings, trust, now, transfer, hasher, self._progress, self._known,
                lambda: self._told.is_told_to_end,
            )  # fmt: skip
            made = Pass(around)
            report = made.run()
        if not self._told.is_told_to_end:
            self._quiet = made.quiet()
            self._tell(report)

    def _tell(self, report: Report) -> None:
        for row in report.rows:
            if row.result is Result.UPDATED and row.standing is not None:
                log.info("%s: %s, sequence %d", row.feature_id, row.standing.active, row.standing.sequence)
        if report.is_complete and not self._is_ready and self._settings.ready_file is not None:
            try:
                write_ready_file(self._settings.ready_file, report)
                self._is_ready = True
            except DeliveryError as error:
                log.error("%s", error)
