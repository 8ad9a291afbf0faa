"""What is remembered of each endpoint of the CDN, so that a restarted app goes on where it stopped (W4).

One object an endpoint in the app's own container. It is written on condition of its ETag, so that of two instances
which both believe to be alone, one begins a call.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from artifact.documents import canonical
from artifact.fields import format_time, parse_time
from publisher.content_types import private
from publisher.ports import Store

FOLDER = "purge/endpoints/"
LIMIT = 256 * 1024


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
    found = container.read(f"{FOLDER}{endpoint}.json", limit=LIMIT)
    if found is None:
        return Record(endpoint)
    try:
        return replace(_parse(endpoint, json.loads(found.data)), etag=found.etag)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Record(endpoint, etag=found.etag)


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


def _parse(endpoint: str, document: dict[str, Any]) -> Record:
    call, due = document.get("call"), document.get("due")
    return Record(
        endpoint,
        call=None
        if call is None
        else Call(
            tuple(map(str, call["operations"])),
            tuple(map(str, call["paths"])),
            parse_time(call["begunAt"]),
            call.get("token"),
        ),
        due=None if due is None else parse_time(due),
        failures=int(document["failures"]),
        error=document.get("error"),
    )
