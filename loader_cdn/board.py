"""What a loader that watches knows of itself, for those who ask: probes, metrics, people (L8).

The watching thread writes, others read: each value is replaced as a whole, and none is changed in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from artifact.errors import DeliveryError
from artifact.remote_index import RemoteIndex
from loader_cdn.bounds import TransferStats
from loader_cdn.registrations.configmaps import Problem
from loader_cdn.report import Result, Row
from loader_cdn.work import Work


@dataclass(frozen=True, slots=True)
class FeatureStatus:
    """One feature. `checked` is when its source last answered well, `accepted` when the index that stands was accepted
    by this process, else when it was first seen; `failures` counts by code, `bytes` those fetched in files; `seconds`
    is how long it took to bring the last update.
    """

    row: Row
    by: str = ""
    checked: datetime | None = None
    accepted: datetime | None = None
    failures: Mapping[str, int] = field(default_factory=dict)
    updates: int = 0
    bytes: int = 0
    seconds: float | None = None

    def unchanged(self, now: datetime) -> FeatureStatus:
        """Its source offers what stands."""
        if self.row.result is Result.UNCHANGED and self.row.error is None:
            return replace(self, checked=now)
        return replace(self, row=replace(self.row, result=Result.UNCHANGED, error=None), checked=now)

    def visited(self, work: Work, row: Row, now: datetime, seconds: float) -> FeatureStatus:
        """What a visit has found and done."""
        failures = dict(self.failures)
        if row.error is not None:
            code = str(row.error.code)
            failures[code] = failures.get(code, 0) + 1
        is_other = row.standing is not None and (self.accepted is None or row.result is Result.UPDATED)
        return FeatureStatus(
            row,
            next(iter(work.registration.by), ""),
            now if row.error is None else self.checked,
            now if is_other else self.accepted,
            failures,
            self.updates + work.updated,
            self.bytes + work.bytes,
            seconds if work.updated else self.seconds,
        )


@dataclass(frozen=True, slots=True)
class RemoteStatus:
    """The remote index accepted last; `checked` is when its source last answered well, `error` what is wrong now."""

    url: str
    index: RemoteIndex | None = None
    checked: datetime | None = None
    error: DeliveryError | None = None


@dataclass(slots=True)
class Board:
    """All of it. `is_waiting` says that another loader works on the root; `beat` is when the loop last turned
    (`time.monotonic`); `error` concerns no single feature.
    """

    root: str
    started: datetime
    is_waiting: bool = True
    is_ready: bool = False
    beat: float | None = None
    features: dict[str, FeatureStatus] = field(default_factory=dict)
    remote: RemoteStatus | None = None
    problems: Sequence[Problem] = ()
    registrations_known: bool = False
    registrations_error: DeliveryError | None = None
    registrations_age: Callable[[], float | None] = lambda: None
    """Seconds since the API server last proved to tell; None where none is asked, or none has told."""
    error: DeliveryError | None = None
    stats: TransferStats = field(default_factory=TransferStats)
    hook_failures: int = 0
