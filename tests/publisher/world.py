"""An environment in memory, with a clock that tests move."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from artifact.paths import Limits
from artifact.releases import Change, ReleaseIndex
from artifact.remote_index import RemoteIndex
from publisher.adapters.memory import MemoryStore
from publisher.environment import Environment
from publisher.indexes import releases_of, remote_of
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
class World:
    """An environment and what tests ask of it."""

    env: Environment
    store: MemoryStore
    keys: Keys
    clock: Clock
    folder: Path

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

    def with_store(self, store: Any) -> Environment:
        return replace(self.env, artifacts=store)


def new_world(folder: Path) -> World:
    """An environment in memory whose builds lie in `folder`."""
    keys, clock, store = Keys.new(), Clock(), MemoryStore()
    env = Environment(artifacts=store, trust=keys.trust(), signer=keys.release, clock=clock)
    return World(env, store, keys, clock, folder)
