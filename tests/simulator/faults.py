"""Faults at the n-th storage call: T40 (death), T43 (no answer, lost answers)."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, BinaryIO, cast

from artifact.errors import Code, TransientError
from publisher.pipeline import Pipeline
from publisher.ports import (
    BulkStore,
    ContentSettings,
    Created,
    Message,
    MessageQueue,
    ObjectData,
    ObjectInfo,
    Store,
    Stream,
    StreamStore,
    Upload,
)

At = int | Container[int] | None
"""Numbers of calls, from 1: one, several (a set, a range), or none."""


class Died(BaseException):
    """The process is gone. Nothing may catch it, and no clean-up of its reaches the storage."""


class Faults:
    """What goes wrong at which call, counted over all the stores that share it. Thread-safe.

    `fail_at`: TransientError, and nothing was done; `lose_at`: it was done, and then TransientError; `die_at`: it was
    done, and then Died, as is every later call.
    """

    def __init__(self, *, fail_at: At = None, lose_at: At = None, die_at: At = None) -> None:
        self._fail, self._lose, self._die = (_container(at) for at in (fail_at, lose_at, die_at))
        self._lock = Lock()
        self._is_dead = False
        self.log: list[str] = []
        """The calls so far, `method name`."""

    def reached(self, number: int) -> None:
        """The call of that number was done; for tests in which somebody else acts just then."""

    @contextmanager
    def call(self, what: str) -> Iterator[None]:
        with self._lock:
            if self._is_dead:
                raise Died(what)
            self.log.append(what)
            number = len(self.log)
        if number in self._fail:
            raise TransientError(Code.TRANSPORT_FAILED, "T43", f"call {number} fails on purpose", where=what)
        yield
        self.reached(number)
        if number in self._die:
            self._is_dead = True
            raise Died(what)
        if number in self._lose:
            raise TransientError(
                Code.TRANSPORT_FAILED, "T43", f"the answer of call {number} is lost on purpose", where=what
            )


class Faulty:
    """Any Store, BulkStore or StreamStore, with faults of its own or with those that it shares with others."""

    def __init__(self, store: Store, faults: Faults | None = None, **own: Any) -> None:
        self.inner = store
        self._faults = faults if faults is not None else Faults(**own)

    @property
    def calls(self) -> int:
        """How many calls there were; each object of a `create_all` and each chunk of a stream is one."""
        return len(self._faults.log)

    @property
    def log(self) -> list[str]:
        return self._faults.log

    def read(self, name: str, *, limit: int) -> ObjectData | None:
        with self._faults.call(f"read {name}"):
            return self.inner.read(name, limit=limit)

    def create(self, name: str, data: bytes, settings: ContentSettings) -> Created:
        with self._faults.call(f"create {name}"):
            return self.inner.create(name, data, settings)

    def replace(self, name: str, data: bytes, settings: ContentSettings, *, etag: str | None) -> str | None:
        with self._faults.call(f"replace {name}"):
            return self.inner.replace(name, data, settings, etag=etag)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        with self._faults.call(f"list {prefix}"):
            return iter(tuple(self.inner.list(prefix)))

    def folders(self, prefix: str) -> Iterator[str]:
        with self._faults.call(f"folders {prefix}"):
            return iter(tuple(self.inner.folders(prefix)))

    def delete(self, name: str) -> bool:
        with self._faults.call(f"delete {name}"):
            return self.inner.delete(name)

    def create_all(self, uploads: Iterable[Upload]) -> Iterator[tuple[Upload, Created]]:
        """One after the other, so that the n-th call is the same in every run."""
        for upload in uploads:
            with self._faults.call(f"create {upload.name}"):
                settled = next(iter(cast("BulkStore", self.inner).create_all([upload])))
            yield settled

    def stream(self, name: str) -> FaultyStream | None:
        with self._faults.call(f"stream {name}"):
            found = cast("StreamStore", self.inner).stream(name)
            return None if found is None else FaultyStream(found, self._faults, name)

    def put_file(self, name: str, source: BinaryIO, size: int, settings: ContentSettings) -> str:
        with self._faults.call(f"put_file {name}"):
            return cast("StreamStore", self.inner).put_file(name, source, size, settings)

    def move(self, name: str, target: StreamStore, target_name: str, *, etag: str) -> bool:
        inner = cast("StreamStore", target.inner) if isinstance(target, Faulty) else target
        with self._faults.call(f"move {name}"):
            return cast("StreamStore", self.inner).move(name, inner, target_name, etag=etag)


class FaultyQueue:
    """A MessageQueue whose calls count with those of the stores."""

    def __init__(self, queue: MessageQueue, faults: Faults) -> None:
        self.inner = queue
        self._faults = faults

    def put(self, body: str, *, delay: timedelta = timedelta(0)) -> None:
        with self._faults.call("put"):
            self.inner.put(body, delay=delay)

    def take(self, count: int, *, hidden: timedelta) -> Sequence[Message]:
        with self._faults.call("take"):
            return self.inner.take(count, hidden=hidden)

    def drop(self, message: Message) -> None:
        with self._faults.call("drop"):
            self.inner.drop(message)

    def count(self) -> int:
        with self._faults.call("count"):
            return self.inner.count()

    def oldest(self) -> datetime | None:
        with self._faults.call("oldest"):
            return self.inner.oldest()


def faulty(pipeline: Pipeline, faults: Faults) -> Pipeline:
    """The pipeline, with every call to any store or queue counted."""
    environment = replace(pipeline.environment, artifacts=Faulty(pipeline.environment.artifacts, faults))
    stores = {name: Faulty(getattr(pipeline, name), faults) for name in ("incoming", "receipts", "quarantine", "state")}
    queues = {name: FaultyQueue(getattr(pipeline, name), faults) for name in ("changes", "purges", "poison")}
    return replace(pipeline, environment=environment, **stores, **queues)  # type: ignore[arg-type]


class FaultyStream:
    """A Stream whose chunks are calls."""

    def __init__(self, stream: Stream, faults: Faults, name: str) -> None:
        self.etag = stream.etag
        self.size = stream.size
        self.last_modified = stream.last_modified
        self._stream = stream
        self._faults = faults
        self._name = name

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            with self._faults.call(f"chunk of {self._name}"):
                pass
            yield chunk


def _container(at: At) -> Container[int]:
    if at is None:
        return frozenset()
    return frozenset({at}) if isinstance(at, int) else at
