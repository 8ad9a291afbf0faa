"""What the use cases need of the outside world. Each adapter passes the contract suite in tests/contracts/."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import BinaryIO, Protocol

from artifact.errors import Code, TransientError


@dataclass(frozen=True, slots=True)
class ContentSettings:
    """The HTTP headers that an object is served with (W3)."""

    content_type: str
    cache_control: str


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One row of a listing. `etag` has no quotes; `md5` is None where the storage does not know it."""

    name: str
    size: int
    md5: bytes | None
    etag: str
    last_modified: datetime


@dataclass(frozen=True, slots=True)
class ObjectData:
    """An object's bytes and the ETag (no quotes) of exactly those bytes."""

    data: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class Upload:
    """One object to create. `open` gives a new stream of exactly `size` bytes; it may raise a DeliveryError while it
    is read (the bytes are not those that were verified): then the object is not created and the error goes on.
    """

    name: str
    size: int
    open: Callable[[], BinaryIO]
    settings: ContentSettings


class Created(Enum):
    """What a conditional create found."""

    NEW = "new"
    SAME = "same"
    """It was there with the same bytes; also one's own write whose answer was lost (T43)."""
    OTHER = "other"
    """It was there with other bytes, which stand."""


class Reader(Protocol):
    """Objects that can be read by name: a store, or what an edge serves of one."""

    def read(self, name: str, *, limit: int) -> ObjectData | None:
        """The object, or None where there is none. ContentError `limit_exceeded` above `limit` bytes."""
        ...


class Store(Reader, Protocol):
    """One container of objects, named by `/`-separated paths. Safe to call from several threads.

    Every method raises TransientError where the storage does not answer or does not permit (`transport_failed`,
    `unauthorized`, `storage_full`), after its own retries.
    """

    def create(self, name: str, data: bytes, settings: ContentSettings) -> Created:
        """Create the object on condition that it does not exist (If-None-Match: *)."""
        ...

    def replace(self, name: str, data: bytes, settings: ContentSettings, *, etag: str | None) -> str | None:
        """Overwrite on condition of `etag` (None: on condition that it does not exist).

        Returns the new ETag, or None where the condition failed; an own lost success counts as success.
        """
        ...

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """All objects whose name begins with `prefix`, in name order, over as many pages as there are."""
        ...

    def folders(self, prefix: str) -> Iterator[str]:
        """The names of the folders directly below `prefix`, each with a `/` at its end, in name order.

        `prefix` is empty or ends in `/`. Objects deeper down are not looked at one by one.
        """
        ...

    def delete(self, name: str) -> bool:
        """Remove the object; False where there was none."""
        ...


class BulkStore(Store, Protocol):
    """A store that takes a whole version at once."""

    def create_all(self, uploads: Iterable[Upload]) -> Iterator[tuple[Upload, Created]]:
        """Create many objects, each as `create` does: concurrently, retried, in bounded memory.

        Yields each upload when it is settled, in any order. The first error ends it, after those in flight have ended.
        """
        ...


class Stream(Protocol):
    """An object that is being read, at the ETag of its first byte."""

    etag: str
    size: int
    last_modified: datetime

    def __iter__(self) -> Iterator[bytes]:
        """The bytes, in chunks; never those of another ETag: TransientError `transport_failed` where the object changed
        and the rest cannot be read any more.
        """
        ...


class StreamStore(Store, Protocol):
    """A store whose objects may be larger than memory (incoming, quarantine)."""

    def stream(self, name: str) -> Stream | None:
        """Open the object for one pass, pinned to its ETag; None where there is none."""
        ...

    def put_file(self, name: str, source: BinaryIO, size: int, settings: ContentSettings) -> str:
        """Write the object from a seekable stream, over whatever is there. Returns the new ETag (no quotes).

        ContentError `integrity_mismatch` where the stream has not exactly `size` bytes left: then nothing is written.
        """
        ...

    def move(self, name: str, target: StreamStore, target_name: str, *, etag: str) -> bool:
        """Copy the object (at `etag`) to `target` of the same storage, then delete it here; False where it changed
        or went. May be repeated after a death at any step.
        """
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """One message that was taken from a queue. `tries` counts how often it was taken, this time included; `receipt` is
    the queue's own.
    """

    body: str
    tries: int
    inserted_at: datetime
    receipt: object


class MessageQueue(Protocol):
    """Messages that are delivered at least once, in no certain order. Raises TransientError as a Store does."""

    def put(self, body: str, *, delay: timedelta = timedelta(0)) -> None:
        """Send a message; it is seen after `delay`."""
        ...

    def take(self, count: int, *, hidden: timedelta) -> Sequence[Message]:
        """Up to `count` messages, none where none waits. They come again after `hidden` unless they are dropped."""
        ...

    def drop(self, message: Message) -> None:
        """The message is done with; nothing where it is gone already."""
        ...

    def count(self) -> int:
        """About how many messages there are, hidden ones too."""
        ...

    def oldest(self) -> datetime | None:
        """When the message at the head of the queue was sent; None where none waits to be seen."""
        ...


class Leases(Protocol):
    """What should run alone, over all instances of the app. It saves work: nothing is wrong where a lease is lost."""

    def hold(self, name: str, *, patience: timedelta) -> AbstractContextManager[bool]:
        """Hold the lease `name` while the block runs, after waiting for it up to `patience`; whether it is held.

        The lease of a process that died ends by itself within 15 seconds.
        """
        ...


@dataclass(frozen=True, slots=True)
class InFlight:
    """A purge that a CDN has begun and not ended: to be looked after with `token`, not before `pause` is over."""

    token: str
    pause: timedelta


class PurgeError(TransientError):
    """A CDN did not do what it was asked. `is_over`: a purge that was begun has ended without success, or is not known
    any more; otherwise it goes on. `pause`: the CDN itself wants to be left alone for so long.
    """

    def __init__(
        self,
        what: str,
        *,
        code: Code = Code.TRANSPORT_FAILED,
        seen: object = None,
        is_over: bool = False,
        pause: timedelta = timedelta(0),
    ) -> None:
        super().__init__(code, "W4", what, where="purge", seen=seen)
        self.is_over = is_over
        self.pause = pause


class Purger(Protocol):
    """The purge of one endpoint of a CDN."""

    def purge(self, paths: Sequence[str], token: str | None) -> InFlight | None:
        """Begin to let these paths be forgotten: absolute, `*` stands only at the end. With the `token` of a purge that
        was begun, look after that one instead, once.

        Returns None when it is done. Raises PurgeError.
        """
        ...


@dataclass(frozen=True, slots=True)
class CdnEndpoint:
    """One endpoint. `name` is that of its record; one call takes at most `most` paths, and one call is in flight."""

    name: str
    purger: Purger
    most: int
