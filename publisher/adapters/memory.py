"""Objects in this process's memory: for tests and the simulator."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from threading import RLock
from typing import BinaryIO

from artifact.errors import Code, ContentError, TransientError
from publisher.adapters.bodies import exact_chunks, upload_chunks
from publisher.adapters.names import check_name
from publisher.ports import ContentSettings, Created, ObjectData, ObjectInfo, StreamStore, Upload

_etags = count(1)  # of all stores, so that an ETag of one never fits another's object


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class MemoryObject:
    """An object with all that a server would say of it."""

    data: bytes
    settings: ContentSettings
    etag: str
    last_modified: datetime


class MemoryStore:
    """A BulkStore and StreamStore, thread-safe. A listing is as good as its newest page, as it is in real storage.

    `clock` dates the objects.
    """

    def __init__(
        self, *, clock: Callable[[], datetime] = _now, page_size: int = 5000, chunk_size: int = 1024 * 1024
    ) -> None:
        self._objects: dict[str, MemoryObject] = {}
        self._lock = RLock()
        self._clock = clock
        self._page_size = page_size
        self._chunk_size = chunk_size

    def get(self, name: str) -> MemoryObject | None:
        """The object as a server would serve it, or None."""
        with self._lock:
            return self._objects.get(check_name(name))

    def put(self, name: str, data: bytes, settings: ContentSettings) -> str:
        """Write without condition, as somebody's hand in the portal does. Returns the ETag."""
        with self._lock:
            etag = f"0x{next(_etags):X}"
            self._objects[check_name(name)] = MemoryObject(data, settings, etag, self._clock())
            return etag

    def read(self, name: str, *, limit: int) -> ObjectData | None:
        found = self.get(name)
        if found is None:
            return None
        if len(found.data) > limit:
            raise ContentError(
                Code.LIMIT_EXCEEDED, "F1", "too large", where=name, expected=f"at most {limit}", seen=len(found.data)
            )
        return ObjectData(found.data, found.etag)

    def create(self, name: str, data: bytes, settings: ContentSettings) -> Created:
        with self._lock:
            found = self.get(name)
            if found is not None:
                return Created.SAME if found.data == data else Created.OTHER
            self.put(name, data, settings)
            return Created.NEW

    def replace(self, name: str, data: bytes, settings: ContentSettings, *, etag: str | None) -> str | None:
        with self._lock:
            found = self.get(name)
            if (None if found is None else found.etag) != etag:
                return None
            return self.put(name, data, settings)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        after = ""
        while page := self._page(prefix, after):
            yield from page
            after = page[-1].name

    def folders(self, prefix: str) -> Iterator[str]:
        with self._lock:
            below = [name.removeprefix(prefix) for name in self._objects if name.startswith(prefix)]
        return iter(sorted({prefix + rest.partition("/")[0] + "/" for rest in below if "/" in rest}))

    def delete(self, name: str) -> bool:
        with self._lock:
            return self._objects.pop(check_name(name), None) is not None

    def create_all(self, uploads: Iterable[Upload]) -> Iterator[tuple[Upload, Created]]:
        for upload in uploads:
            yield upload, self.create(upload.name, b"".join(upload_chunks(upload)), upload.settings)

    def stream(self, name: str) -> MemoryStream | None:
        found = self.get(name)
        return None if found is None else MemoryStream(self, name, found, self._chunk_size)

    def put_file(self, name: str, source: BinaryIO, size: int, settings: ContentSettings) -> str:
        return self.put(name, b"".join(exact_chunks(source, size, name)), settings)

    def move(self, name: str, target: StreamStore, target_name: str, *, etag: str) -> bool:
        found = self.get(name)
        if found is None or found.etag != etag:
            return False
        target.put_file(target_name, io.BytesIO(found.data), len(found.data), found.settings)
        with self._lock:
            return self.get(name) is found and self.delete(name)

    def _page(self, prefix: str, after: str) -> tuple[ObjectInfo, ...]:
        with self._lock:
            names = sorted(name for name in self._objects if name.startswith(prefix) and name > after)
            return tuple(_info(name, self._objects[name]) for name in names[: self._page_size])


class MemoryStream:
    """A Stream of a MemoryStore's object."""

    def __init__(self, store: MemoryStore, name: str, found: MemoryObject, chunk_size: int) -> None:
        self.etag = found.etag
        self.size = len(found.data)
        self.last_modified = found.last_modified
        self._store = store
        self._name = name
        self._found = found
        self._chunk_size = chunk_size

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, self.size, self._chunk_size):
            if self._store.get(self._name) is not self._found:
                raise TransientError(Code.TRANSPORT_FAILED, "B2", "changed while it was read", where=self._name)
            yield self._found.data[start : start + self._chunk_size]


def _info(name: str, found: MemoryObject) -> ObjectInfo:
    md5 = hashlib.md5(found.data, usedforsecurity=False).digest()
    return ObjectInfo(name, len(found.data), md5, found.etag, found.last_modified)
