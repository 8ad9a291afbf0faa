"""What the edge remembers, within how much memory, and forgetting."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from hishel import Entry


@dataclass(slots=True)
class Kept:
    """One object as the storage answered it; `entry` has its headers. `gzipped` is made when a client wants it."""

    entry: Entry
    body: bytes
    gzipped: bytes | None = None

    @property
    def size(self) -> int:
        """The bytes that it holds."""
        return len(self.body) + len(self.gzipped or b"")


class Memory:
    """Objects by path, the least recently used leaving first, at most `limit` bytes of bodies."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self.generation = 0
        """Counts the purges: what was asked for before one may not be kept after it."""

    def get(self, path: str) -> Kept | None:
        """The object, fresh or not."""
        kept = self._kept.get(path)
        if kept is not None:
            self._kept.move_to_end(path)
        return kept

    def put(self, path: str, kept: Kept) -> None:
        """Keep an object, replacing what was there."""
        self._drop(path)
        self._kept[path] = kept
        self._used += kept.size
        while self._used > self._limit:
            self._drop(next(iter(self._kept)))

    def keep_gzipped(self, path: str, kept: Kept, gzipped: bytes) -> None:
        """Keep the compressed form beside the plain one."""
        kept.gzipped = gzipped
        if self._kept.get(path) is kept:
            self._used += len(gzipped)

    def purge(self, path: str) -> None:
        """Forget `path`, or all below `prefix/` for `prefix/*`."""
        self.generation += 1
        below = path.removesuffix("*")
        gone = [path] if below == path else [known for known in self._kept if known.startswith(below)]
        for known in gone:
            self._drop(known)

    def _drop(self, path: str) -> None:
        kept = self._kept.pop(path, None)
        if kept is not None:
            self._used -= kept.size
