"""The headers that a caller may send: what is accepted, and what OpenAPI says of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from artifact.errors import Code, ContentError
from publisher.api.messages import Request


@dataclass(frozen=True, slots=True)
class Header:
    """`pattern` is that of the whole value, `longest` in characters; white space around a value is no part of it."""

    name: str
    pattern: str
    longest: int
    description: str

    def schema(self) -> dict[str, Any]:
        """Its JSON Schema."""
        return {"type": "string", "minLength": 1, "maxLength": self.longest, "pattern": self.pattern}

    def read(self, request: Request) -> str | None:
        """The value, or None where it was not sent. Raises ContentError `schema_invalid`."""
        value = request.header(self.name.lower())
        if value is not None and (len(value) > self.longest or re.fullmatch(self.pattern, value) is None):
            expected = f"at most {self.longest} characters, {self.pattern}"
            raise ContentError(Code.SCHEMA_INVALID, "C6", f"bad {self.name}", where="header", expected=expected)
        return value


_PRINTABLE = "^[!-~]([ -~]*[!-~])?$"
"""ASCII: what else a header carries depends on who reads it."""

IDEMPOTENCY_KEY = Header(
    "Idempotency-Key", _PRINTABLE, 255, "The same request under the same key is carried out once; kept for 24 hours."
)
IF_MATCH = Header(
    "If-Match",
    r'^(\*|"[1-9][0-9]{0,15}")$',
    18,
    "The sequence that the action is meant for, as the feature's ETag shows it; `*` is any.",
)
ACTOR = Header("X-Actor", _PRINTABLE, 128, "Who asks, where a function key is all that the platform knows.")
