"""One environment in real storage, two real Varnishes that go stale independently, and purges as Azure takes them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from artifact.paths import Limits
from artifact.versions import Version
from loader_cdn.layout import Layout
from loader_cdn.progress import Silent
from loader_cdn.report import Report
from loader_cdn.settings import Settings
from loader_cdn.sync import sync
from loader_cdn.verify import verify
from publisher import cdn, purge, purging, release
from publisher.adapters.memory import MemoryStore
from publisher.adapters.memory_queue import MemoryLeases, MemoryQueue
from publisher.adapters.varnish import VarnishPurger
from publisher.cdn import parse_endpoints
from publisher.content_types import immutable
from publisher.destinations import open_destination
from publisher.environment import Environment
from publisher.indexes import remote_of
from publisher.pipeline import Pipeline
from publisher.publish import publish
from publisher.remote import commit_remote
from publisher.sources import DirectorySource
from tests.publisher.world import BECAUSE
from tests.simulator.environment import HASTY, tree
from tests.tools.running import Answer, ask
from tests.versions import FILES, Keys, version_directory
from tools.local.arm.operations import Purges
from tools.local.arm.server import ResourceManager
from tools.local.azurite import Account
from tools.local.varnish.storage import of_container
from tools.local.varnish.varnish import Varnish

NEGATIVE_SECONDS = 3600
"""A 404 is believed for an hour: whatever readers do may not depend on its being forgotten."""

HIDDEN = timedelta(seconds=30)


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Reader:
    """A loader with a root of its own."""

    site: Site
    root: Path

    def sync(self, edge: Varnish, *, at: datetime | None = None, **settings: Any) -> Report:
        """One pass through an edge, by its remote index or by `features`."""
        if "features" in settings:
            settings["features"] = {name: f"{edge.url}/{name}/" for name in settings["features"]}
        else:
            settings["remote_index"] = f"{edge.url}/remote-index.json"
        given = Settings(root=self.root, trust_keys=self.site.trust, timeout=60.0, transfer=HASTY, **settings)
        return sync(given, progress=Silent(), clock=now if at is None else lambda: at)

    @property
    def sequence(self) -> int:
        """That of the remote index which it accepted last; 0 where it never did."""
        try:
            return int(json.loads(Layout(self.root).remote_index.read_bytes())["sequence"])
        except FileNotFoundError:
            return 0

    def check(self) -> None:
        """What stands is one state of the environment, whole: no mixture. Versions that it no longer lists may stay for
        the grace period, whole too.
        """
        if self.sequence:
            assert tree(self.root).items() >= self.site.whole(self.sequence).items()
            assert verify(self.root, self.site.trust, now=now()).exit_status() == 0


@dataclass
class Site:
    """`edges` serve what `env` publishes. `published`: when every remote index was committed, by its sequence."""

    env: Environment
    keys: Keys
    folder: Path
    edges: tuple[Varnish, Varnish]
    manager: ResourceManager
    purges: bool = True
    published: dict[int, float] = field(default_factory=dict)
    _objects: dict[str, bytes] = field(default_factory=dict)
    _state: MemoryStore = field(default_factory=MemoryStore)
    _queue: MemoryQueue = field(default_factory=MemoryQueue)

    @property
    def trust(self) -> str:
        return json.dumps(self.keys.trust_document())

    @property
    def pipeline(self) -> Pipeline:
        """The app, as if it were started now: all that it knows is in its storage."""
        rest = MemoryStore()
        return Pipeline(
            self.env, rest, rest, rest, self._state, MemoryQueue(), self._queue, MemoryQueue(), MemoryLeases(),
            parse_endpoints(self.manager.endpoint("edge"), where="test"),
            sleep=lambda seconds: time.sleep(min(seconds, 0.2)),
        )  # fmt: skip

    def max_age(self, seconds: int) -> Site:
        """The same, whose pointers may be cached for so long."""
        return replace(self, env=replace(self.env, pointer_max_age=seconds))

    # Publishing

    def publish(self, feature_id: str, version: str, files: Mapping[str, bytes] = FILES) -> None:
        self.publish_directory(version_directory(self.folder, self.keys.build, feature_id, version, files=files))

    def publish_directory(self, folder: Path) -> None:
        """A signed version directory, `…/<featureId>/<version>`."""
        publish(self.env, DirectorySource(folder, Limits()), actor="tester")
        self._follow(folder.parent.name)

    def rollback(self, feature_id: str, version: str) -> None:
        release.rollback(self.env, feature_id, Version(version), BECAUSE)
        self._follow(feature_id)

    def _follow(self, feature_id: str) -> None:
        state = commit_remote(self.env, [feature_id])
        assert state is not None
        self.published[state.index.sequence] = time.monotonic()
        if self.purges:
            paths = [purge.REMOTE_INDEX, purge.release_index(feature_id)]
            purge.request(self.pipeline, paths, actor="test", reason=None)

    def poison(self, name: str, data: bytes) -> None:
        """The first edge gets other bytes for an object than are in storage, in every form, and keeps them."""
        store = self.env.artifacts
        found = store.read(name, limit=2**24)
        assert found is not None
        store.replace(name, data, immutable(name), etag=found.etag)
        for form in ("identity", "gzip"):
            assert get(self.edges[0], name, Accept_Encoding=form).status == 200
        changed = store.read(name, limit=2**24)
        assert changed is not None
        store.replace(name, found.data, immutable(name), etag=changed.etag)

    def work_off_purges(self) -> None:
        """What the queue trigger does with what waits now."""
        for message in self._queue.take(1, hidden=HIDDEN):
            purging.run(self.pipeline, message.body)
            self._queue.drop(message)

    def purge(self, *paths: str) -> None:
        """Let all edges forget, at once."""
        for edge in self.edges:
            VarnishPurger(edge.purge_url).purge(paths, None)

    # What there is

    def reader(self, name: str) -> Reader:
        return Reader(self, self.folder / "roots" / name)

    def object(self, name: str) -> bytes:
        """The bytes of an immutable object in storage."""
        if name not in self._objects:
            found = self.env.artifacts.read(name, limit=2**24)
            assert found is not None, name
            self._objects[name] = found.data
        return self._objects[name]

    def whole(self, sequence: int) -> dict[str, bytes]:
        """What a host should see that reads the remote index of this sequence: paths below the root, and content."""
        found: dict[str, bytes] = {}
        for entry in json.loads(self.object(f"remote-index.{sequence}.json"))["features"]:
            feature_id, releases = entry["featureId"], self.object(entry["releasesUrl"])
            found[f"{feature_id}/releases.json"] = releases
            for listed in json.loads(releases)["versions"]:
                prefix = f"{feature_id}/{listed['version']}"
                manifest = self.object(f"{prefix}/manifest.json")
                found[f"{prefix}/manifest.json"] = manifest
                found |= {f"{prefix}/{path}": self.object(f"{prefix}/{path}") for path in json.loads(manifest)["sizes"]}
        return found

    @property
    def newest(self) -> int:
        head = remote_of(self.env).head()
        return 0 if head is None else head.index.sequence


def get(edge: Varnish, name: str, **headers: str) -> Answer:
    """What anybody gets of an edge."""
    named = {header.replace("_", "-"): value for header, value in headers.items()}
    return ask(int(edge.url.rpartition(":")[2]), f"/{name}", headers=named)


@contextmanager
def running_site(folder: Path, account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A new environment in an empty account, both edges and the Resource Manager that purges them."""
    origin = of_container(account.connection_string, "artifacts")
    first = Varnish(folder / "edge-1", origin, negative_seconds=NEGATIVE_SECONDS, memory="32m")
    second = Varnish(folder / "edge-2", origin, negative_seconds=NEGATIVE_SECONDS, memory="32m")
    with first, second:
        purgers = [VarnishPurger(edge.purge_url) for edge in (first, second)]

        def forget(paths: Sequence[str]) -> None:
            for purger in purgers:
                purger.purge(paths, None)

        with ResourceManager(Purges({"edge": forget}, seconds=0.0)) as manager:
            for name, value in manager.variables().items():
                monkeypatch.setenv(name, value)
            cdn._credential.cache_clear()
            keys = Keys.new()
            artifacts = open_destination(account.connection_string).artifacts
            env = Environment(artifacts=artifacts, trust=keys.trust(), signer=keys.release, clock=now)
            yield Site(env, keys, folder, (first, second), manager)
            cdn._credential.cache_clear()


@contextmanager
def in_background(work: Any) -> Iterator[threading.Event]:
    """`work` again and again until the event is set or the block ends; what it raises is raised there."""
    ended, errors = threading.Event(), []

    def run() -> None:
        while not ended.wait(0.02):
            try:
                work()
            except Exception as error:  # noqa: BLE001 (it is raised by who waits)
                errors.append(error)
                return

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield ended
    finally:
        ended.set()
        thread.join()
    if errors:
        raise errors[0]
