"""The whole way in one process: the real publisher writes into a store, an edge serves it, the real loader reads it."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from artifact.errors import Code
from artifact.keys import KeySigner
from artifact.releases import VerifiedReleases
from artifact.versions import Version
from loader_cdn.bounds import TransferSettings
from loader_cdn.progress import Silent
from loader_cdn.report import Report, Result, Row
from loader_cdn.settings import Settings
from loader_cdn.sync import sync
from publisher import release
from publisher.indexes import releases_of
from publisher.remote import commit_remote
from tests.publisher.world import BECAUSE, FEATURE, World, new_world
from tests.simulator.cdn import Cdn

HASTY = TransferSettings(attempts=2, backoff_seconds=0.01)
"""Retries, but does not keep a test waiting."""


@dataclass
class Delivery:
    """One environment, its edge, and one root that a loader fills. All follow the world's clock."""

    world: World
    cdn: Cdn
    root: Path

    # What the publisher does

    def publish(self, version: str = "1.0.0", feature_id: str = FEATURE, **settings: Any) -> None:
        """Publish a version, also into the remote index; `files` and a draft's members may be given."""
        self.world.publish(version, feature_id, **settings)

    def act(self, action: Callable[..., object], *arguments: Any, feature_id: str = FEATURE, **settings: Any) -> None:
        """One of R6's actions of `publisher.release`, also into the remote index."""
        action(self.world.env, feature_id, *arguments, BECAUSE, **settings)
        commit_remote(self.world.env, [feature_id])

    def rollback(self, version: str, feature_id: str = FEATURE) -> None:
        self.act(release.rollback, Version(version), feature_id=feature_id)

    def withdraw(self, version: str, successor: str | None = None, feature_id: str = FEATURE) -> None:
        named = None if successor is None else Version(successor)
        self.act(release.withdraw, Version(version), feature_id=feature_id, successor=named)

    def head(self, feature_id: str = FEATURE) -> VerifiedReleases:
        """The newest release index."""
        found = releases_of(self.world.env, feature_id).head()
        assert found is not None
        return found

    # What the loader does

    def settings(self, **given: Any) -> Settings:
        """By remote index, unless `features` or something else is given."""
        if "features" not in given:
            given.setdefault("remote_index", self.cdn.url + "remote-index.json")
        else:
            given["features"] = {feature_id: f"{self.cdn.url}{feature_id}/" for feature_id in given["features"]}
        given.setdefault("trust_keys", json.dumps(self.world.keys.trust_document()))
        given.setdefault("timeout", 60.0)
        given.setdefault("transfer", HASTY)
        return Settings(root=self.root, **given)

    def sync(self, **given: Any) -> Report:
        """One pass, at the world's time."""
        return sync(self.settings(**given), progress=Silent(), clock=self.world.clock)

    def row(self, feature_id: str = FEATURE, **given: Any) -> Row:
        """One pass, and what it says of one feature."""
        return row_of(self.sync(**given), feature_id)

    # What stands

    def tree(self, feature_id: str | None = None) -> dict[str, bytes]:
        """All that a host sees below the root, or of one feature: paths below the root, and content."""
        return tree(self.root, feature_id)

    def published(self, *versions: str, feature_id: str = FEATURE) -> dict[str, bytes]:
        """What a host should see of a feature: its newest index and these versions, byte for byte as published."""
        objects = self.world.objects()
        found = {f"{feature_id}/releases.json": self.head(feature_id).data}
        for version in versions:
            prefix = f"{feature_id}/{version}/"
            found |= {name: data for name, data in objects.items() if name.startswith(prefix)}
        return found


@contextmanager
def delivery(folder: Path, context: ssl.SSLContext | None = None) -> Iterator[Delivery]:
    """A new environment with an edge, over https with a `context`, and an empty root below `folder`."""
    world = new_world(folder / "dist")
    with Cdn(world.store, context) as cdn:
        yield Delivery(world, cdn, folder / "root")


def tree(root: Path, feature_id: str | None = None) -> dict[str, bytes]:
    """All regular files that a host sees below a root; everything else fails the test."""
    found = {}
    for folder, folders, files in os.walk(root if feature_id is None else root / feature_id):
        if Path(folder) == root and ".loader" in folders:
            folders.remove(".loader")
        assert folders or files or Path(folder) == root, f"an empty folder is left: {folder}"
        for name in files:
            path = Path(folder) / name
            assert path.is_file(), path
            assert not path.is_symlink(), path
            found[str(path.relative_to(root))] = path.read_bytes()
    return found


def row_of(report: Report, feature_id: str = FEATURE) -> Row:
    """What a report says of one feature."""
    return next(row for row in report.rows if row.feature_id == feature_id)


def assert_refused(row: Row, code: Code, result: Result = Result.KEPT) -> None:
    """Refused, and the last good state kept (or, where there was none, nothing in place)."""
    assert row.error is not None
    assert (row.result, row.error.code) == (result, code), row.error


def trust_without(document: Mapping[str, Any], *signers: KeySigner) -> str:
    """The trust store, these keys removed (S5)."""
    gone = {signer.key_id for signer in signers}
    return json.dumps({key_id: entry for key_id, entry in document.items() if key_id not in gone})


def hours(count: float) -> timedelta:
    return timedelta(hours=count)
