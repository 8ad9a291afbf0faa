"""A dry run, as a decorator over any store: reads go through, writes are only remembered and read back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from publisher.ports import BulkStore, ContentSettings, Created, ObjectData, ObjectInfo, Upload


class DryRunStore:
    """A BulkStore that writes nothing. `writes` and `deletes` say what would have been, in order."""

    def __init__(self, store: BulkStore) -> None:
        self._store = store
        self._written: dict[str, bytes] = {}
        self.writes: list[tuple[str, int]] = []
        self.deletes: list[str] = []

    def read(self, name: str, *, limit: int) -> ObjectData | None:
        if name in self._written:
            return ObjectData(self._written[name], _etag(self._written[name]))
        return self._store.read(name, limit=limit)

    def create(self, name: str, data: bytes, settings: ContentSettings) -> Created:
        there = self.read(name, limit=max(len(data), 1024 * 1024))
        if there is not None:
            return Created.SAME if there.data == data else Created.OTHER
        self._remember(name, data)
        return Created.NEW

    def replace(self, name: str, data: bytes, settings: ContentSettings, *, etag: str | None) -> str | None:
        there = self.read(name, limit=8 * 1024 * 1024)
        if (None if there is None else there.etag) != etag:
            return None
        self._remember(name, data)
        return _etag(data)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        now = datetime.now(UTC)
        ours = {
            name: ObjectInfo(name, len(data), hashlib.md5(data, usedforsecurity=False).digest(), _etag(data), now)
            for name, data in self._written.items()
            if name.startswith(prefix)
        }
        theirs = {info.name: info for info in self._store.list(prefix)}
        merged = {**theirs, **ours}
        return (merged[name] for name in sorted(merged))

    def folders(self, prefix: str) -> Iterator[str]:
        return self._store.folders(prefix)

    def delete(self, name: str) -> bool:
        self.deletes.append(name)
        return True

    def create_all(self, uploads: Iterable[Upload]) -> Iterator[tuple[Upload, Created]]:
        """Sizes only: the files' bytes were verified before and are not read again."""
        for upload in uploads:
            self.writes.append((upload.name, upload.size))
            yield upload, Created.NEW

    def _remember(self, name: str, data: bytes) -> None:
        self._written[name] = data
        self.writes.append((name, len(data)))


def _etag(data: bytes) -> str:
    return "dry-" + hashlib.sha256(data).hexdigest()[:16]
