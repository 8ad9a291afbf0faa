"""Purge operations, as objects of the app's own container: what was asked for, and what came of it (C6, W4)."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from artifact.documents import canonical, parse
from artifact.errors import ContentError
from artifact.fields import Fields, format_time
from publisher.content_types import private
from publisher.ports import Store
from publisher.purgeable import check_all

QUEUED, RUNNING, SUCCEEDED, FAILED = STATES = "queued", "running", "succeeded", "failed"

OPEN_ONES, ENDED_ONES = "purge/open/", "purge/ended/"
"""Two folders, so that those that wait are found without a look at all that ever were."""

LIMIT = 256 * 1024
READERS = 16
_OPERATION = re.compile("[0-9a-f]{32}")

logger = logging.getLogger("favn.publisher.operations")


@dataclass(frozen=True, slots=True)
class Operation:
    """One request to purge. `state` is `queued`, `running`, `succeeded` or `failed`.

    `error` says what went wrong at the last of `attempts`, also while it is tried again. `pending`: by the name of an
    endpoint of the CDN the paths that it has not forgotten yet; None: no endpoint has forgotten any.
    """

    operation: str
    state: str
    paths: tuple[str, ...]
    actor: str
    reason: str | None
    requested_at: datetime
    ended_at: datetime | None = None
    attempts: int = 0
    error: str | None = None
    pending: Mapping[str, tuple[str, ...]] | None = None

    def waiting(self, endpoint: str) -> tuple[str, ...]:
        """What this endpoint is still to forget."""
        return self.paths if self.pending is None else self.pending.get(endpoint, ())

    @property
    def name(self) -> str:
        """Its object in the container `state`."""
        return f"{ENDED_ONES if self.has_ended else OPEN_ONES}{self.operation}.json"

    @property
    def has_ended(self) -> bool:
        """Whether nothing more happens to it."""
        return self.state in {SUCCEEDED, FAILED}

    def document(self) -> dict[str, Any]:
        """As it is stored and shown."""
        document: dict[str, Any] = {
            "operation": self.operation,
            "state": self.state,
            "paths": list(self.paths),
            "actor": self.actor,
            "reason": self.reason,
            "requestedAt": format_time(self.requested_at),
            "endedAt": None if self.ended_at is None else format_time(self.ended_at),
            "attempts": self.attempts,
            "error": self.error,
            "pending": None if self.pending is None else {name: list(paths) for name, paths in self.pending.items()},
        }
        return {name: value for name, value in document.items() if value is not None}

    @classmethod
    def parse(cls, data: bytes, name: str) -> Operation:
        """What `document` was stored as, under that name. Raises ContentError for whatever else somebody put there."""
        fields = Fields(parse(data, limit=LIMIT, where=name), where=name, rule="W4")
        paths = check_all(fields.texts("paths"))
        found = cls(
            fields.text("operation"),
            fields.choice("state", STATES),
            paths,
            fields.any_text("actor"),
            fields.optional_text("reason"),
            fields.time("requestedAt"),
            fields.optional_time("endedAt"),
            fields.integer("attempts", minimum=0),
            fields.optional_text("error"),
            _pending(fields.object("pending"), paths) if fields.has("pending") else None,
        )
        if found.name != name:
            raise fields.refuse("", "not the operation of this name", seen=found.name)
        return found


def store(container: Store, operation: Operation) -> None:
    """Remember a new operation."""
    container.create(operation.name, canonical(operation.document()), private(operation.name))


def find(container: Store, operation_id: str) -> Operation | None:
    """The operation of that id; None where there is none."""
    if _OPERATION.fullmatch(operation_id) is None:
        return None
    return _read(container, ENDED_ONES, operation_id) or _read(container, OPEN_ONES, operation_id)


def find_unended(container: Store, operation_id: str) -> Operation | None:
    """The operation, unless it has ended. What a death left of it among the open ones goes."""
    found = find(container, operation_id)
    if found is not None and found.has_ended:
        container.delete(f"{OPEN_ONES}{operation_id}.json")
        return None
    return found


def find_open(container: Store) -> Iterator[Operation]:
    """All operations that have not ended, and those of which a death has left that."""
    names = (info.name for info in container.list(OPEN_ONES))
    listed = [name.removeprefix(OPEN_ONES).removesuffix(".json") for name in names]
    ids = [one for one in listed if _OPERATION.fullmatch(one) is not None]
    with ThreadPoolExecutor(READERS, thread_name_prefix="operations") as pool:
        yield from (found for found in pool.map(lambda one: _read(container, OPEN_ONES, one), ids) if found is not None)


def update(container: Store, operation: Operation, **changes: Any) -> Operation:
    """Store what became of an operation.

    Who purges holds a lease, so two writers at once mean a lost lease: the later one stands, which is no harm.
    """
    after = replace(operation, **changes)
    if after.has_ended:
        container.create(after.name, canonical(after.document()), private(after.name))
        container.delete(operation.name)
        return after
    there = container.read(after.name, limit=LIMIT)
    etag = None if there is None else there.etag
    container.replace(after.name, canonical(after.document()), private(after.name), etag=etag)
    return after


def _read(container: Store, folder: str, operation_id: str) -> Operation | None:
    """None also for what cannot be read: it is no operation of ours, and must not stop the others."""
    name = f"{folder}{operation_id}.json"
    try:
        found = container.read(name, limit=LIMIT)
        return None if found is None else Operation.parse(found.data, name)
    except ContentError as error:
        logger.warning("an operation that cannot be read is passed over: %s", error)
        return None


def _pending(fields: Fields, paths: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    left = {endpoint: frozenset(fields.texts(endpoint)) for endpoint in fields.members}
    return {endpoint: tuple(path for path in paths if path in found) for endpoint, found in left.items()}
