"""A request and a response, as far as the API cares."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"
PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Request:
    """`parameters` are those of the route, `headers` have lower-case names."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """A header without surrounding space; None where it is missing."""
        value = self.headers.get(name)
        return None if value is None else value.strip()


@dataclass(frozen=True, slots=True)
class Response:
    """A JSON document with its status."""

    status: int
    document: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = JSON

    @property
    def body(self) -> bytes:
        """The document's bytes."""
        return json.dumps(self.document, ensure_ascii=False, separators=(",", ":")).encode()
