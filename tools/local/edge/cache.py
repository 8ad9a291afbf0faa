"""What the edge remembers, for how long, and within how much memory."""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

NEGATIVE_SECONDS = 1.0
"""How long a 404 is believed."""

UNLABELLED_SECONDS = 86_400.0
"""How long an object without Cache-Control is kept: Front Door takes one to three days at random."""

_DIRECTIVE = re.compile(r"([a-z-]+)(?:\s*=\s*\"?([^\",]*)\"?)?")


@dataclass(slots=True)
class Entry:
    """One object as the storage answered it. `gzipped` is made when a client first wants it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    stored: float
    lifetime: float
    gzipped: bytes | None = None

    @property
    def age(self) -> float:
        """Seconds since the storage vouched for it."""
        return time.monotonic() - self.stored

    @property
    def fresh(self) -> bool:
        """Whether it may be served without asking."""
        return self.age < self.lifetime

    def renew(self, lifetime: float) -> None:
        """The storage has said that it is still the same."""
        self.stored, self.lifetime = time.monotonic(), lifetime

    @property
    def size(self) -> int:
        """The bytes that it holds."""
        return len(self.body) + len(self.gzipped or b"")


def lifetime(status: int, cache_control: str | None) -> float:
    """Seconds for which an answer may be served again; 0 means not at all."""
    if status != 200:
        return NEGATIVE_SECONDS if status == 404 else 0.0
    if cache_control is None:
        return UNLABELLED_SECONDS
    directives = dict(_DIRECTIVE.findall(cache_control.lower()))
    if directives.keys() & {"no-store", "no-cache", "private"}:
        return 0.0
    seconds = directives.get("s-maxage") or directives.get("max-age") or ""
    return float(seconds) if seconds.isdigit() else 0.0


class Cache:
    """Entries by path, the least recently used leaving first, at most `limit` bytes of bodies."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self.generation = 0
        """Counts the purges: what was asked for before one may not be stored after it."""

    def get(self, path: str) -> Entry | None:
        """The entry, fresh or not."""
        entry = self._entries.get(path)
        if entry is not None:
            self._entries.move_to_end(path)
        return entry

    def put(self, path: str, entry: Entry) -> None:
        """Keep `entry`, replacing what was there."""
        self._drop(path)
        self._entries[path] = entry
        self._used += entry.size
        while self._used > self._limit:
            self._drop(next(iter(self._entries)))

    def keep_gzipped(self, path: str, entry: Entry, gzipped: bytes) -> None:
        """Keep the compressed form beside the plain one."""
        entry.gzipped = gzipped
        if self._entries.get(path) is entry:
            self._used += len(gzipped)

    def purge(self, path: str) -> int:
        """Forget `path`, or all below `prefix/` for `prefix/*`; how many entries went."""
        self.generation += 1
        if path.endswith("/*"):
            gone = [known for known in self._entries if known.startswith(path[:-1])]
        else:
            gone = [path] if path in self._entries else []
        for known in gone:
            self._drop(known)
        return len(gone)

    def _drop(self, path: str) -> None:
        entry = self._entries.pop(path, None)
        if entry is not None:
            self._used -= entry.size
