"""What is remembered of each endpoint of the CDN, so that a restarted app goes on where it stopped (W4).

One object an endpoint in the app's own container. It is written on condition of its ETag, so that of two instances
which both believe to be alone, one begins a call.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from artifact.documents import canonical, parse
from artifact.errors import ContentError
from artifact.fields import Fields, format_time
from publisher.content_types import private
from publisher.ports import Store
from publisher.purgeable import check_all

FOLDER = "purge/endpoints/"
LIMIT = 256 * 1024
MOST_OPERATIONS = 500
"""Of one call: their updates have to fit into a round, and their ids into LIMIT."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call in flight, on behalf of `operations`. `token` is the CDN's, None until the CDN has taken the call."""

    operations: tuple[str, ...]
    paths: tuple[str, ...]
    begun_at: datetime
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One endpoint. `due`: nothing is asked of it before. `failures` counts those since the last success, of which
    `error` is the last.
    """

    endpoint: str
    call: Call | None = None
    due: datetime | None = None
    failures: int = 0
    error: str | None = None
    etag: str | None = None

    @property
    def name(self) -> str:
        """Its object."""
        return f"{FOLDER}{self.endpoint}.json"

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        document: dict[str, Any] = {
            "call": None if self.call is None else _call_document(self.call),
            "due": None if self.due is None else format_time(self.due),
            "failures": self.failures,
            "error": self.error,
        }
        return {name: value for name, value in document.items() if value is not None}


class OvertakenError(Exception):
    """Another instance has written the record meanwhile: what it wrote stands."""


def load(container: Store, endpoint: str) -> Record:
    """The record of an endpoint, an empty one where there is none or where it cannot be read: it may be lost."""
    empty = Record(endpoint)
    try:
        found = container.read(empty.name, limit=LIMIT)
    except ContentError:  # longer than any of ours
        container.delete(empty.name)
        return empty
    if found is None:
        return empty
    try:
        return replace(_parse(endpoint, found.data, empty.name), etag=found.etag)
    except ContentError:
        return replace(empty, etag=found.etag)


def store(container: Store, record: Record, **changes: Any) -> Record:
    """Write a record that was read before, with changes. Raises OvertakenError."""
    after = replace(record, **changes)
    etag = container.replace(after.name, canonical(after.document()), private(after.name), etag=record.etag)
    if etag is None:
        raise OvertakenError(after.name)
    return replace(after, etag=etag)


def _call_document(call: Call) -> dict[str, Any]:
    document: dict[str, Any] = {
        "operations": list(call.operations),
        "paths": list(call.paths),
        "begunAt": format_time(call.begun_at),
        "token": call.token,
    }
    return {name: value for name, value in document.items() if value is not None}


def _parse(endpoint: str, data: bytes, name: str) -> Record:
    fields = Fields(parse(data, limit=LIMIT, where=name), where=name, rule="W4")
    return Record(
        endpoint,
        call=_parse_call(fields.object("call")) if fields.has("call") else None,
        due=fields.optional_time("due"),
        failures=fields.integer("failures", minimum=0),
        error=fields.optional_text("error"),
    )


def _parse_call(fields: Fields) -> Call:
    on_behalf = fields.texts("operations")
    if len(on_behalf) > MOST_OPERATIONS:
        raise fields.refuse("operations", "too many", expected=MOST_OPERATIONS, seen=len(on_behalf))
    return Call(on_behalf, check_all(fields.texts("paths")), fields.time("begunAt"), fields.optional_text("token"))
