"""L6, L12: what stands below a root and is registered by nobody: it goes in time, or is told."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from artifact.remote_index import RemoteIndex
from loader_cdn.board import Board, FeatureStatus
from loader_cdn.leaving import LOST, leave, may_go
from loader_cdn.registrations.registry import Wanted
from loader_cdn.report import Row
from loader_cdn.settings import Settings
from loader_cdn.visits import Visits

log = logging.getLogger(__name__)


@dataclass(slots=True)
class House:
    """Of a loader that goes on running. `lost` are features that stay though nobody is known to register them;
    `is_looked_through` says whether all that is registered by nobody was verified since the start, or since SIGHUP.
    """

    settings: Settings
    board: Board
    visits: Visits
    lost: set[str] = field(default_factory=set)
    is_looked_through: bool = False

    def keep(self, wanted: Collection[str], known: Wanted | None, remote: RemoteIndex | None) -> set[str]:
        """Take away what may go of all but the `wanted`; what went. Without `known` a list is still waited for, and may
        name all that is here: then only what is wrong goes out of sight.
        """
        inventory = self.visits.ledger.inventory.features
        before = set(inventory)
        strangers = before - set(wanted)
        if not strangers:
            return set()
        with self.visits.making() as made:
            if not self.is_looked_through:
                for feature_id in sorted(strangers):
                    made.root.feature(feature_id)
            if known is None:
                return set()
            self.is_looked_through = True
            self._say(leave(made, wanted, may_go(self.settings, remote, known.known)), wanted)
        return before - inventory.keys()

    def until_next(self, wanted: Collection[str]) -> timedelta | None:
        """How long the grace period of the next one goes on; None where none leaves."""
        ledger = self.visits.ledger
        strangers: Iterable[str] = ledger.inventory.features.keys() - set(wanted) - self.lost
        leaving = [since for one in strangers if (since := ledger.memory.feature(one).leaving) is not None]
        return min(leaving) + self.settings.grace - self.visits.now() if leaving else None

    def _say(self, lost: Iterable[Row], wanted: Collection[str]) -> None:
        rows = {row.feature_id: row for row in lost}
        for feature_id, row in rows.items():
            if feature_id not in self.lost:
                log.warning("%s: %s", feature_id, LOST)
            self.board.features[feature_id] = FeatureStatus(row)
        for feature_id in self.lost - rows.keys() - set(wanted):
            self.board.features.pop(feature_id, None)
        self.lost = set(rows)
