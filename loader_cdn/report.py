"""C4: what a run answers: one JSON document, or one line a feature."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from artifact.errors import ConfigurationError, DeliveryError
from artifact.releases import ReleaseIndex
from loader_cdn.settings import StartWith


class Result(StrEnum):
    """What became of a feature: `kept` failed and the last good state stands, `failed` has nothing usable."""

    UPDATED = "updated"
    UNCHANGED = "unchanged"
    KEPT = "kept"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Row:
    """One feature. `standing` is the index on disk that a host can use, None where there is none.

    `counts` says whether `error` decides the exit status; an index that has expired since it was accepted (L13), or a
    registration that is wrong (T20), is told and does not.
    """

    feature_id: str
    result: Result
    standing: ReleaseIndex | None
    error: DeliveryError | None = None
    counts: bool = True

    def as_json(self) -> dict[str, Any]:
        standing = self.standing
        return {
            "featureId": self.feature_id,
            "result": str(self.result),
            "sequence": None if standing is None else standing.sequence,
            "activeVersion": None if standing is None else standing.active.text,
            "error": None if self.error is None else self.error.as_json(),
        }

    def line(self, width: int) -> str:
        """For people; `width` is that of the longest feature id."""
        standing = self.standing
        state = "nothing in place" if standing is None else f"{standing.active} (sequence {standing.sequence})"
        error = "" if self.error is None else f"  {self.error}"
        return f"{self.feature_id:<{width}}  {self.result:<9}  {state}{error}"


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did to a root; `error` concerns no single feature. `is_complete` says that all registrations were
    known and tried (L10).
    """

    root: str
    error: DeliveryError | None
    rows: Sequence[Row] = ()
    is_complete: bool = False

    def as_json(self) -> dict[str, Any]:
        """C4's document."""
        error = None if self.error is None else self.error.as_json()
        return {"root": self.root, "error": error, "features": [row.as_json() for row in self.rows]}

    def lines(self) -> Iterator[str]:
        """For people: one line a feature. What concerns all is in the log."""
        width = max((len(row.feature_id) for row in self.rows), default=0)
        for row in self.rows:
            yield row.line(width)

    def lets_start(self, start_with: StartWith) -> bool:
        """Whether a host has what it needs. A wrong setting lets none start."""
        if isinstance(self.error, ConfigurationError):
            return False
        if start_with is StartWith.ANY:
            return True
        if start_with is StartWith.KEPT:
            return self.is_complete and all(row.standing is not None for row in self.rows if row.counts)
        return self.is_complete and self.exit_status() == 0

    def exit_status(self, *, allow_missing: bool = False) -> int:
        """C1, C5: the gravest of all; `allow_missing` forgives what a retry may mend (L10)."""
        errors = [row.error for row in self.rows if row.counts] + [self.error]
        gravest = max((error.exit_status for error in errors if error is not None), default=0)
        return 0 if allow_missing and gravest == 1 else gravest
