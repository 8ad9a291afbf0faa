"""What the loader knows of one root beyond a single pass: what it remembers (L7) and what it brought (L15)."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from artifact.trust import TrustStore
from loader_cdn.brought import Inventory
from loader_cdn.durable import disk
from loader_cdn.layout import Layout
from loader_cdn.state import Memory, load, save

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Ledger:
    """Of whoever holds the root's lock (L11). All passes of a process share it. `revoked` are features for which nobody
    who is trusted vouches any more, until that was seen to.
    """

    layout: Layout
    memory: Memory
    inventory: Inventory
    revoked: set[str] = field(default_factory=set)

    @classmethod
    def load(cls, layout: Layout) -> Ledger:
        """Raises TransientError `storage_full` where the loader's own directory cannot be read."""
        with disk(layout.work):
            ledger = cls(layout, load(layout.memory), Inventory.load(layout.brought))
        if ledger.memory.lost and ledger.inventory.features:
            log.error(
                "%s is lost or damaged: no sequence is remembered, the floor is what stands on disk and --min-sequence",
                layout.memory,
            )
        return ledger

    def forget_untrusted(self, trust: TrustStore) -> None:
        """S5: what only a key vouched for that is trusted no more binds no more."""
        self.revoked |= self.memory.forget_untrusted(trust)

    def are_registered(self, feature_ids: Iterable[str]) -> None:
        """L12: none of these is on its way out."""
        for feature_id in feature_ids:
            memory = self.memory.features.get(feature_id)
            if memory is not None:
                memory.leaving = None

    def save(self) -> None:
        """Write down what changed. Raises TransientError `storage_full`."""
        with disk(self.layout.work):
            self.inventory.save()
            save(self.layout.memory, self.memory)
