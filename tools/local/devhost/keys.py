"""Who may call a function over HTTP: the master key, host keys, and keys of single functions."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from aiohttp import web

HEADER = "x-functions-key"
PARAMETER = "code"


@dataclass(frozen=True, slots=True)
class Keys:
    """`host` keys open every function of level `function`, those in `functions` only functions whose name matches."""

    master: str
    host: Mapping[str, str] = field(default_factory=dict)
    functions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Keys:
        """Read `{"masterKey", "functionKeys": {name: key}, "functions": {pattern of function names: {name: key}}}`."""
        document = json.loads(path.read_text("utf-8"))
        return cls(document["masterKey"], document.get("functionKeys", {}), document.get("functions", {}))

    def allow(self, request: web.Request, function: str, level: str) -> bool:
        """Whether the request may run `function`, whose authorisation level is ANONYMOUS, FUNCTION or ADMIN."""
        shown = (request.headers.get(HEADER) or request.query.get(PARAMETER, "")).encode()
        good = (key.encode() for key in self._good(function, level))
        return level == "ANONYMOUS" or any(hmac.compare_digest(shown, key) for key in good)

    def _good(self, function: str, level: str) -> Iterator[str]:
        yield self.master
        if level == "FUNCTION":
            yield from self.host.values()
            for pattern, keys in self.functions.items():
                if fnmatchcase(function, pattern):
                    yield from keys.values()
