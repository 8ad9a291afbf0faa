"""An environment in memory, with a clock that tests move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from artifact.errors import TransientError
from artifact.paths import Limits
from artifact.releases import Change, ReleaseIndex
from artifact.remote_index import RemoteIndex
from publisher.adapters.memory import MemoryStore
from publisher.adapters.memory_queue import MemoryLeases, MemoryQueue
from publisher.environment import Environment
from publisher.indexes import releases_of, remote_of
from publisher.pipeline import Pipeline
from publisher.ports import CdnEndpoint, InFlight, PurgeError
from publisher.publish import Published, publish
from publisher.remote import commit_remote
from publisher.sources import DirectorySource
from tests.versions import Keys, version_directory

FEATURE = "feature-patientlist"
BECAUSE = Change("test", None, "tester", "a test", "T-1")


@dataclass
class Clock:
    """Stands still until it is moved."""

    now: datetime = field(default_factory=lambda: datetime(2026, 11, 23, 12, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **span: int) -> None:
        self.now += timedelta(**span)


@dataclass
class Edge:
    """The endpoint of a CDN that remembers what it was told to forget. `failures` are raised first, one a question.

    While it `holds`, purges stay in flight; a second one is rejected, as Front Door does.
    """

    calls: list[list[str]] = field(default_factory=list)
    looks: list[str] = field(default_factory=list)
    failures: list[TransientError] = field(default_factory=list)
    holds: bool = False
    most: int = 100
    _in_flight: str | None = None

    def purge(self, paths: Sequence[str], token: str | None) -> InFlight | None:
        if token is not None:
            self.looks.append(token)
        if self.failures:
            raise self.failures.pop(0)
        if token is None:
            if self._in_flight is not None:
                raise PurgeError("a purge is in flight", seen=409)
            self.calls.append(list(paths))
            self._in_flight = f"call {len(self.calls)}"
        elif token != self._in_flight:
            raise PurgeError("no such purge", seen=404, is_over=True)
        if self.holds:
            return InFlight(self._in_flight, timedelta(seconds=10))
        self._in_flight = None
        return None


@dataclass
class World:
    """An environment and what tests ask of it."""

    env: Environment
    store: MemoryStore
    keys: Keys
    clock: Clock
    folder: Path
    _pipeline: Pipeline

    def directory(self, version: str = "1.0.0", feature_id: str = FEATURE, **settings: Any) -> Path:
        return version_directory(self.folder, self.keys.build, feature_id, version, **settings)

    def publish(self, version: str = "1.0.0", feature_id: str = FEATURE, **settings: Any) -> Published:
        source = DirectorySource(self.directory(version, feature_id, **settings), Limits())
        result = publish(self.env, source, actor="tester")
        commit_remote(self.env, [feature_id])
        return result

    def index(self, feature_id: str = FEATURE) -> ReleaseIndex:
        head = releases_of(self.env, feature_id).head()
        assert head is not None
        return head.index

    def remote(self) -> RemoteIndex:
        head = remote_of(self.env).head()
        assert head is not None
        return head.index

    def objects(self) -> dict[str, bytes]:
        """All objects by name."""
        found = {}
        for info in self.store.list(""):
            data = self.store.read(info.name, limit=2**30)
            assert data is not None
            found[info.name] = data.data
        return found

    def copy(self) -> World:
        """The same artifacts once more, in a store of their own and under a clock of their own."""
        clock = Clock()
        store = MemoryStore(clock=clock)
        for info in self.store.list(""):
            found = self.store.get(info.name)
            assert found is not None
            clock.now = found.last_modified
            store.put(info.name, found.data, found.settings)
        clock.now = self.clock.now
        env = replace(self.env, artifacts=store, clock=clock)
        return replace(self, env=env, store=store, clock=clock)

    @property
    def pipeline(self) -> Pipeline:
        """The app's pipeline around the environment."""
        return self.pipeline_of()

    @property
    def edge(self) -> Edge:
        """The CDN."""
        purger = self._pipeline.cdn[0].purger
        assert isinstance(purger, Edge)
        return purger

    def pipeline_of(self, **parts: Any) -> Pipeline:
        """The same, with some parts exchanged."""
        return replace(self._pipeline, environment=self.env, **parts)

    def with_store(self, store: Any) -> Environment:
        return replace(self.env, artifacts=store)


def new_world(folder: Path) -> World:
    """An environment in memory whose builds lie in `folder`."""
    keys, clock = Keys.new(), Clock()
    store = MemoryStore(clock=clock)
    env = Environment(artifacts=store, trust=keys.trust(), signer=keys.release, clock=clock)
    return World(env, store, keys, clock, folder, new_pipeline(env, clock))


def new_pipeline(env: Environment, clock: Clock) -> Pipeline:
    """All of it in memory. Sleeping moves the clock, and nothing waits."""
    incoming, receipts, quarantine, state = (MemoryStore(clock=clock) for _ in range(4))
    changes, purges, poison = (MemoryQueue(clock=clock) for _ in range(3))

    def sleep(seconds: float) -> None:
        clock.now += timedelta(seconds=seconds)

    cdn = (endpoint_of(Edge()),)
    return Pipeline(
        env, incoming, receipts, quarantine, state, changes, purges, poison, MemoryLeases(), cdn, sleep=sleep
    )


def endpoint_of(edge: Edge, name: str = "local.edge") -> CdnEndpoint:
    return CdnEndpoint(name, edge, edge.most)
