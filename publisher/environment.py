"""What every use case that writes needs: the storage, whom to trust, who signs, and what the environment decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from artifact.actions import Policy
from artifact.keys import Signer
from artifact.paths import Limits
from artifact.trust import TrustStore
from publisher.ports import BulkStore


@dataclass(frozen=True, slots=True)
class Environment:
    """One environment: a container of artifacts that one set of readers sees.

    `signer` signs indexes and needs the roles `releases` and `index`. `takeover` is B3's time after which a claim that
    was never listed may be taken over; `pointer_max_age` is W3's, in seconds.
    """

    artifacts: BulkStore
    trust: TrustStore
    signer: Signer
    clock: Callable[[], datetime]
    policy: Policy = field(default_factory=Policy)
    limits: Limits = field(default_factory=Limits)
    takeover: timedelta = timedelta(hours=1)
    pointer_max_age: int = 30
