"""What the publisher does meanwhile: the real use cases, on an environment in memory, at the real time."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from artifact.releases import ReleaseIndex
from artifact.versions import Version
from publisher import release
from publisher.indexes import releases_of
from tests.publisher.world import BECAUSE, World, new_world

FEATURES = tuple(f"feature-{name}" for name in ("admissions", "billing", "lab", "notes", "patients", "wards"))

_SHARED = Random(0).randbytes(24 * 1024)


class Releases:
    """All FEATURES, each with a version from the start on. An action returns whether there was anything to do."""

    def __init__(self, folder: Path) -> None:
        self.world: World = new_world(folder)
        self._numbers: Counter[str] = Counter()
        for feature_id in FEATURES:
            self.publish(feature_id, Random(feature_id))

    def publish(self, feature_id: str, rng: Random, channel: str = "stable") -> bool:
        """The next version: one file of its own, one that all versions have."""
        self._numbers[feature_id] += 1
        version = f"1.{self._numbers[feature_id]}.0"
        own = rng.randbytes(rng.randint(1, 48) * 1024)
        files = {"index.js": version.encode(), "own.bin": own, "assets/shared.bin": _SHARED, "empty.txt": b""}
        self._now()
        self.world.publish(version, feature_id, files=files, channel=channel)
        shutil.rmtree(self.world.folder / feature_id / version)
        return True

    def canary(self, feature_id: str, rng: Random) -> bool:
        """A new version in the channel `canary`."""
        return self.publish(feature_id, rng, channel="canary")

    def promote(self, feature_id: str, rng: Random) -> bool:
        """The canary becomes active, where there is one."""
        if self._index(feature_id).canary is None:
            return False
        self._now()
        release.promote(self.world.env, feature_id, None, BECAUSE, force=True)
        return True

    def rollback(self, feature_id: str, rng: Random) -> bool:
        """Another listed version becomes active, where there is one."""
        index = self._index(feature_id)
        others = [entry.version for entry in index.entries if entry.version != index.active]
        if not others:
            return False
        self._now()
        release.rollback(self.world.env, feature_id, rng.choice(others), BECAUSE)
        return True

    def withdraw(self, feature_id: str, rng: Random) -> bool:
        """A listed version goes for good, its objects with it, where another one is listed."""
        index = self._index(feature_id)
        version = rng.choice(index.entries).version
        successors = [entry.version for entry in index.entries if entry.version != version]
        if not successors:
            return False
        self._now()
        successor = rng.choice(successors) if version == index.active else None
        release.withdraw(self.world.env, feature_id, version, BECAUSE, successor=successor)
        release.delete_version(self.world.env, feature_id, version)
        return True

    def refresh(self, feature_id: str, rng: Random) -> bool:
        """The same once more, signed again."""
        self._now()
        release.refresh(self.world.env, feature_id, BECAUSE)
        return True

    def published(self, feature_ids: frozenset[str]) -> dict[str, bytes]:
        """What a root that follows these features should hold: paths below it, and content."""
        objects = self.world.objects()
        found: dict[str, bytes] = {}
        for feature_id in feature_ids:
            found[f"{feature_id}/releases.json"] = objects[f"{feature_id}/releases.json"]
            for version in _listed(self._index(feature_id)):
                prefix = f"{feature_id}/{version}/"
                found |= {name: data for name, data in objects.items() if name.startswith(prefix)}
        return found

    def _index(self, feature_id: str) -> ReleaseIndex:
        head = releases_of(self.world.env, feature_id).head()
        assert head is not None
        return head.index

    def _now(self) -> None:
        self.world.clock.now = datetime.now(UTC)


def _listed(index: ReleaseIndex) -> list[Version]:
    return [entry.version for entry in index.entries]


ACTIONS = {
    "publish": (Releases.publish, 8),
    "publish a canary": (Releases.canary, 3),
    "promote": (Releases.promote, 3),
    "roll back": (Releases.rollback, 3),
    "withdraw": (Releases.withdraw, 2),
    "refresh": (Releases.refresh, 1),
}
"""By name: what is done with a feature, and how often beside the others."""
