"""Runs that are to be interrupted: what stands before, what is published, and what a reader may see in between."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from artifact.releases import POINTER
from loader_cdn.verify import verify
from tests.loader_cdn.system_calls import copy
from tests.publisher.world import FEATURE
from tests.simulator.cdn import State
from tests.simulator.environment import Delivery

INDEX = f"{FEATURE}/{POINTER}"
OWN = {"lock", "state.json", "brought.json", "remote-index.json"}
"""What a run that has ended leaves in `.loader/`, beside the empty folder for what is staged."""
UNFINISHED = ("state.json.new", "brought.json.new", "remote-index.json.new")
"""What a write that failed, or half a rename on the disk, may leave. The next write takes the same name."""

Tree = Mapping[str, bytes]
"""What a host sees below a root: content by path."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A run from `template` (which may be missing) that turns the view `old` into `new`.

    `earlier` is what the edge served before, `was_wrong`: what stood was damaged, so that the index leaves first (L6).
    """

    site: Delivery
    template: Path
    old: Tree
    new: Tree
    earlier: State
    was_wrong: bool = False

    def restart(self) -> None:
        """The root as it was before the run."""
        copy(self.template, self.site.root)

    def view(self) -> Tree:
        """What a host sees now. A folder in which nothing stands yet is nothing."""
        root = self.site.root
        files = [path for path in root.glob("[!.]*/**/*") if path.is_file()]
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}

    def fault(self, tree: Tree) -> str:
        """Why a reader may not see this; empty where it may: the old state or the new one, and versions that stand
        beside are whole (T30, C3).
        """
        index = tree.get(INDEX)
        if index is None:
            if INDEX in self.old and not self.was_wrong:
                return "the index is gone"
            return self._beside(tree, {})
        states = [state for state in (self.old, self.new) if state.get(INDEX) == index]
        if not states:
            return "an index that nobody published"
        faults = [self._missing(tree, state) or self._beside(tree, state) for state in states]
        return min(faults, key=len)

    def assert_ended_clean(self, *kept: str) -> None:
        """The next run brings exactly what is published, and leaves nothing behind but, perhaps, what is `kept`."""
        assert self.site.sync().exit_status() == 0
        assert self.site.tree() == self.new
        work = self.site.root / ".loader"
        left = {path.relative_to(work).as_posix() for path in work.rglob("*")} - {"staging", *kept}
        assert left == OWN

    def assert_verified(self) -> None:
        """`feature-loader verify` finds nothing wrong, or just what must be: versions whose index is not there, and
        damage that stood before.
        """
        tree = self.view()
        if not tree:
            return
        trust = json.dumps(self.site.world.keys.trust_document())
        is_damaged = not self.old.items() & tree.items() <= self.new.items() and self.was_wrong
        expected = 3 if is_damaged or INDEX not in tree else 0
        assert verify(self.site.root, trust, now=self.site.world.clock()).exit_status() == expected

    @staticmethod
    def _missing(tree: Tree, state: Tree) -> str:
        wrong = sorted(path for path, data in state.items() if tree.get(path) != data)
        return f"listed, and missing or wrong: {' '.join(wrong)}" if wrong else ""

    def _beside(self, tree: Tree, state: Tree) -> str:
        """What stands and is not listed: each version is one that was published, whole."""
        for folder in sorted({_version(path) for path in tree} - {INDEX}):
            found = _below(tree, folder)
            if found not in (_below(self.old, folder), _below(self.new, folder)):
                return f"not whole: {folder}" if not _below(state, folder) else f"more than is listed: {folder}"
        return ""


def _version(path: str) -> str:
    return "/".join(path.split("/")[:2])


def _below(tree: Tree, folder: str) -> dict[str, bytes]:
    return {path: data for path, data in tree.items() if _version(path) == folder}


def first(site: Delivery, template: Path) -> Scenario:
    """A first run: two versions, one file of the second is the same as in the first."""
    site.world.clock.now = datetime.now(UTC)
    site.publish("1.0.0", files={"index.js": b"1", "assets/chunk.js": b"c"})
    site.publish("1.1.0", files={"index.js": b"2", "assets/chunk.js": b"c"})
    return Scenario(site, template, {}, site.published("1.0.0", "1.1.0"), site.cdn.state())


def update(site: Delivery, template: Path) -> Scenario:
    """A version comes, with one file that is on disk and one that is not; another is withdrawn."""
    earlier = first(site, template).earlier
    site.sync()
    old = site.tree()
    site.root.rename(template)
    site.withdraw("1.0.0")
    site.publish("1.2.0", files={"index.js": b"3", "assets/chunk.js": b"c"})
    return Scenario(site, template, old, site.published("1.1.0", "1.2.0"), earlier)


def repair(site: Delivery, template: Path) -> Scenario:
    """Nothing new, but a file of a version was overwritten."""
    made = first(site, template)
    site.sync()
    damaged = site.root / FEATURE / "1.1.0/index.js"
    damaged.write_bytes(b"X")
    old = site.tree()
    site.root.rename(template)
    return replace(made, old=old, was_wrong=True)


SCENARIOS: Mapping[str, Callable[[Delivery, Path], Scenario]] = {"first": first, "update": update, "repair": repair}
