"""L14: a pass in which nothing changed is one conditional request a source, and next to nothing else.

After a pass that left everything in place there is nothing to do until a source answers otherwise, something on disk is
another one, the trust store or time itself makes a difference. Then a whole pass is made, with the answers that are
there already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from artifact.trust import TrustStore
from loader_cdn.known import Identity, identity
from loader_cdn.transfer import DocumentRequest, NotModified, Transfer


@dataclass(frozen=True, slots=True)
class Quiet:
    """What a pass has left. `sources` are asked by their ETags; `standing` are paths and what shows that they are the
    same; `until`: when time makes a difference at the latest, None for never.
    """

    trust: TrustStore
    sources: Sequence[DocumentRequest]
    standing: Mapping[Path, Identity | None]
    since: datetime
    until: datetime | None

    def is_still(self, transfer: Transfer, trust: TrustStore, now: datetime) -> bool:
        """Whether nothing is to be done. Other answers of the sources are kept in `transfer` for the next pass."""
        if trust != self.trust or now < self.since or (self.until is not None and now >= self.until):
            return False
        if any(identity(path) != seen for path, seen in self.standing.items()):
            return False
        answers = list(transfer.get_all(self.sources))
        if all(isinstance(answer, NotModified) for _, answer in answers):
            return True
        transfer.keep(answers)
        return False
