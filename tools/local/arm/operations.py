"""Purges in flight, and what the Resource Manager says of them."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Forget = Callable[[Sequence[str]], None]
"""Lets all edges of an endpoint forget these paths."""

MOST = 100
"""Pairs of a domain and a path in one call."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What is answered instead of 202."""

    status: int
    code: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Purge:
    """One operation. `status` is `InProgress`, `Succeeded` or `Failed`; `looks` counts how often it was asked for."""

    endpoint: str
    paths: list[str]
    operation: str = field(default_factory=lambda: secrets.token_hex(16))
    status: str = "InProgress"
    looks: int = 0

    def document(self) -> dict[str, Any]:
        """As `Azure-AsyncOperation` answers."""
        failed = {"error": {"code": "InternalServerError", "message": "the purge has failed"}}
        return {"name": self.operation, "status": self.status, **(failed if self.status == "Failed" else {})}


class Purges:
    """All purges of some endpoints, each with what really forgets. Thread-safe.

    Switches: `refusals` are answered first, one a call; `failures` is how many operations fail; while `going` is not
    set operations stay in flight.
    """

    def __init__(self, endpoints: Mapping[str, Forget], seconds: float) -> None:
        self._endpoints = {name.lower(): forget for name, forget in endpoints.items()}
        self._seconds = seconds
        self._all: dict[str, Purge] = {}
        self._changed = threading.Condition()
        self.refusals: list[Refusal] = []
        self.failures = 0
        self.going = threading.Event()
        self.going.set()

    def begin(self, endpoint: str, document: Any) -> Purge | Refusal:
        """Take a purge on, or refuse it as the Resource Manager would."""
        with self._changed:
            if self.refusals:
                return self.refusals.pop(0)
            if endpoint not in self._endpoints:
                return Refusal(404, "ResourceNotFound")
            paths = _paths(document)
            if paths is None:
                return Refusal(400, "BadRequest")
            if any(one.endpoint == endpoint and one.status == "InProgress" for one in self._all.values()):
                return Refusal(409, "Conflict")
            purge = Purge(endpoint, paths)
            self._all[purge.operation] = purge
        threading.Thread(target=self._run, args=(purge,), daemon=True).start()
        return purge

    def look(self, operation: str) -> Purge | None:
        """The operation of that name."""
        with self._changed:
            purge = self._all.get(operation)
            if purge is not None:
                purge.looks += 1
        return purge

    def all(self) -> list[Purge]:
        """All that were taken on, in their order."""
        with self._changed:
            return list(self._all.values())

    def wait(self, seconds: float) -> bool:
        """Wait until none is in flight."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not any(p.status == "InProgress" for p in self._all.values()), seconds
            )

    def _run(self, purge: Purge) -> None:
        threading.Event().wait(self._seconds)
        self.going.wait()
        with self._changed:
            fails = self.failures > 0
            self.failures -= fails
        if not fails:
            try:
                self._endpoints[purge.endpoint](purge.paths)
            except Exception:  # noqa: BLE001 (whatever it is, the operation has failed)
                fails = True
        with self._changed:
            purge.status = "Failed" if fails else "Succeeded"
            self._changed.notify_all()


def _paths(document: Any) -> list[str] | None:
    """The paths of a good call, else None."""
    if not isinstance(document, dict):
        return None
    paths, domains = document.get("contentPaths"), document.get("domains") or []
    if not isinstance(paths, list) or not isinstance(domains, list):
        return None
    if not all(isinstance(path, str) and path.startswith("/") and "*" not in path.removesuffix("/*") for path in paths):
        return None
    return paths if 1 <= len(paths) * max(1, len(domains)) <= MOST else None
