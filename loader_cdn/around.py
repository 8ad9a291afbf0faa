"""What a pass is given from outside: settings, today's trust store and time, and the parts that do its I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from artifact.trust import TrustStore
from loader_cdn.hashing import Hasher
from loader_cdn.known import Known
from loader_cdn.settings import Settings
from loader_cdn.transfer import Transfer


class Progress(Protocol):
    """Somebody who watches. Bytes are those that the manifests say; 0 where they do not."""

    def planned(self, files: int, size: int) -> None:
        """So much is to be fetched."""
        ...

    def fetched(self, size: int) -> None:
        """One more file is there."""
        ...


@dataclass(frozen=True, slots=True)
class Around:
    """The surroundings of one pass. `known` is what this process has verified before; `stop` says whether it was told
    to end (L11).
    """

    settings: Settings
    trust: TrustStore
    now: datetime
    transfer: Transfer
    hasher: Hasher
    progress: Progress
    known: Known
    stop: Callable[[], bool]
