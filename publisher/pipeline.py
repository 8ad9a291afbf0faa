"""One environment with all that the Functions app has around it: the containers of W1, queues, leases, the CDN."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from publisher.environment import Environment
from publisher.ports import CdnEndpoint, Leases, MessageQueue, Reader, Store, StreamStore


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what nobody needs any more stays.

    `versions`: objects of a version that left the window (R7); `incoming`: a published bundle (B4); `quarantine` and
    `receipts`: since they were written; `operations`: purge operations that have ended; `idempotency`: the answer to an
    `Idempotency-Key` (C6).
    """

    versions: timedelta = timedelta(days=30)
    incoming: timedelta = timedelta(days=7)
    quarantine: timedelta = timedelta(days=30)
    receipts: timedelta = timedelta(days=90)
    operations: timedelta = timedelta(days=30)
    idempotency: timedelta = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """`state` is a private container of the app's own: purge operations, idempotency records, leases.

    `changes` tells of features whose release index changed (I3), `purges` that purges wait (W4), `poison` holds the
    blob events that the platform gave up. `cdn`: empty where there is nothing to purge. `edges`: what
    readers get of `artifacts`, by the edges' hosts. `sleep` waits so many seconds.
    """

    environment: Environment
    incoming: StreamStore
    receipts: Store
    quarantine: StreamStore
    state: Store
    changes: MessageQueue
    purges: MessageQueue
    poison: MessageQueue
    leases: Leases
    cdn: tuple[CdnEndpoint, ...] = ()
    edges: Mapping[str, Reader] = field(default_factory=dict)
    retention: Retention = field(default_factory=Retention)
    sleep: Callable[[float], None] = time.sleep
