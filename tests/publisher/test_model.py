"""T40-T43, B5, R5: anything in any order, with deaths, faults, duplicates and lost events; what must hold holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from artifact.errors import DeliveryError
from artifact.releases import Change
from publisher import release
from publisher.adapters.memory import MemoryStore
from publisher.changes import announce
from publisher.indexes import releases_of, remote_of
from publisher.ingest import bundle_name, ingest
from publisher.operations import find_open
from publisher.pipeline import Pipeline
from publisher.receipts import FINAL, read_receipt
from publisher.site import Site
from tests.publisher.platform import bundle_of, submit
from tests.publisher.test_deaths import queue_events, settle
from tests.publisher.world import Clock, new_pipeline, new_world
from tests.simulator.faults import Died, Faults, faulty
from tests.versions import version_directory

FEATURES = ("feature-a", "feature-b")
_folder = TemporaryDirectory()
WORLD = new_world(Path(_folder.name))


@cache
def bundle(feature_id: str, minor: int, kind: str) -> bytes:
    """A bundle of `1.<minor>.0`: `stable`, `canary`, `other` (the same version with other bytes) or `forged`."""
    signer = WORLD.keys.stranger if kind == "forged" else WORLD.keys.build
    channel = "canary" if kind == "canary" else "stable"
    files = {"index.js": f"{feature_id} {minor} {kind}".encode()}
    root = WORLD.folder / kind
    return bundle_of(version_directory(root, signer, feature_id, f"1.{minor}.0", channel=channel, files=files))


faults = st.one_of(
    st.just(("none", 0)), st.tuples(st.sampled_from(["die_at", "fail_at", "lose_at"]), st.integers(1, 25))
)


class Delivery(RuleBasedStateMachine):
    """CI, the platform, operators and misfortune."""

    def __init__(self) -> None:
        super().__init__()
        clock = Clock()
        env = replace(WORLD.env, artifacts=MemoryStore(clock=clock), clock=clock)
        self.pipeline = new_pipeline(env, clock)
        self.events: list[str] = []
        self.tried: set[str] = set()
        self.acknowledged: list[tuple[str, str]] = []

    def with_faults(self, given: tuple[str, int]) -> Pipeline:
        kind, number = given
        at: dict[str, Any] = {kind: number}
        return self.pipeline if kind == "none" else faulty(self.pipeline, Faults(**at))

    @rule(
        feature=st.sampled_from(FEATURES), minor=st.integers(0, 5),
        kind=st.sampled_from(["stable", "stable", "canary", "other", "forged"]),
    )  # fmt: skip
    def ci_uploads(self, feature: str, minor: int, kind: str) -> None:
        name = f"{feature}/1.{minor}.0.tar.gz"
        submit(self.pipeline, name, bundle(feature, minor, kind))
        self.events.append(name)

    @precondition(lambda self: self.events)
    @rule(which=st.integers(0, 99), given=faults, again=st.booleans())
    def the_platform_delivers(self, which: int, given: tuple[str, int], again: bool) -> None:
        """In any order; once more where it failed, or just so."""
        name = self.events.pop(which % len(self.events))
        self.tried.add(name)
        try:
            ingest(self.with_faults(given), name)
        except (DeliveryError, Died):
            again = True
        if again:
            self.events.append(name)

    @precondition(lambda self: self.events)
    @rule(which=st.integers(0, 99))
    def an_event_is_lost(self, which: int) -> None:
        """Before it was ever delivered: afterwards it is in the platform's own queue, which loses nothing."""
        name = self.events[which % len(self.events)]
        if name not in self.tried:
            self.events.remove(name)

    @precondition(lambda self: self.events)
    @rule(which=st.integers(0, 99), number=st.integers(1, 25))
    def two_instances_take_the_same_bundle(self, which: int, number: int) -> None:
        name, pipeline = self.events[which % len(self.events)], self.pipeline
        self.tried.add(name)

        class Meanwhile(Faults):
            def reached(self, reached: int) -> None:
                if reached == number:
                    ingest(pipeline, name)

        try:
            ingest(faulty(pipeline, Meanwhile()), name)
        except DeliveryError:
            return  # told to try again: the event is still there

    @rule(given=faults)
    def queues_are_worked_off(self, given: tuple[str, int]) -> None:
        try:
            queue_events(self.with_faults(given))
        except Died:
            return

    @rule(
        feature=st.sampled_from(FEATURES), which=st.integers(0, 9), given=faults,
        action=st.sampled_from(["canary", "promote", "rollback", "withdraw", "refresh"]),
    )  # fmt: skip
    def an_operator_acts(self, feature: str, action: str, which: int, given: tuple[str, int]) -> None:
        head = releases_of(self.pipeline.environment, feature).head()
        if head is None:
            return
        reason = f"act {len(self.acknowledged)}"
        version = head.index.entries[which % len(head.index.entries)].version
        change = Change(action, version.text, "anna", reason)
        acts: dict[str, Callable[[Any], object]] = {
            "canary": lambda env: release.canary(env, feature, version, change),
            "promote": lambda env: release.promote(env, feature, None, change, force=True),
            "rollback": lambda env: release.rollback(env, feature, version, change),
            "withdraw": lambda env: release.withdraw(env, feature, version, change, successor=None),
            "refresh": lambda env: release.refresh(env, feature, change),
        }
        try:
            acts[action](self.with_faults(given).environment)
            announce(self.pipeline, feature, withdrawn=version if action == "withdraw" else None)
        except (DeliveryError, Died):
            return
        after = releases_of(self.pipeline.environment, feature).head()
        assert after is not None
        if after.sha256 != head.sha256:
            self.acknowledged.append((feature, reason))

    @rule(minutes=st.integers(1, 30))
    def time_passes(self, minutes: int) -> None:
        self.pipeline.sleep(60 * minutes)

    @invariant()
    def what_readers_find_is_whole(self) -> None:
        """T10: at any moment all that the remote index leads to is there and right, but for what is withdrawn."""
        env = self.pipeline.environment
        remote = remote_of(env).head()
        if remote is None:
            return
        for entry in remote.index.entries:
            head = releases_of(env, entry.feature_id).head()
            assert head is not None
            withdrawn = {gone.version for gone in head.index.withdrawn}
            state = releases_of(env, entry.feature_id).state(entry.sequence)
            assert state is not None
            assert state.sha256 == entry.releases_sha256
            for listed in {one.version for one in state.index.entries} - withdrawn:
                assert env.artifacts.read(f"{entry.feature_id}/{listed}/manifest.json", limit=2**20) is not None
                assert env.artifacts.read(f"{entry.feature_id}/{listed}/index.js", limit=2**20) is not None

    def teardown(self) -> None:
        """Nothing fails any more; what was not delivered is found; then all accounts are squared."""
        for name in self.events:
            ingest(self.pipeline, name)
        settle(self.pipeline)
        env = self.pipeline.environment
        for queue in (self.pipeline.changes, self.pipeline.purges, self.pipeline.poison):
            assert queue.count() == 0
        assert list(find_open(self.pipeline.state)) == []
        for info in self.pipeline.incoming.list(""):  # what CI has overwritten meanwhile needs no answer any more
            bundle_of_name = bundle_name(info.name, info.etag)
            assert bundle_of_name is not None
            answer = read_receipt(self.pipeline.receipts, bundle_of_name)
            assert answer is not None
            assert answer["status"] in FINAL
        remote = remote_of(env).head()
        if remote is None:
            assert not [feature for feature in FEATURES if releases_of(env, feature).head()]
            return
        assert len(list(remote_of(env).history(remote))) == remote.index.sequence
        assert [checked.error for checked in Site(env.artifacts, env.trust, env.clock(), env.limits).check(remote)] == [
            None for _ in remote.index.entries
        ]
        made: list[tuple[str, str]] = []
        for feature in FEATURES:
            head = releases_of(env, feature).head()
            if head is None:
                continue
            states = list(releases_of(env, feature).history(head))
            assert [state.index.sequence for state in states] == list(range(head.index.sequence, 0, -1))
            entry = remote.index.entry(feature)
            assert entry is not None
            assert entry.releases_sha256 == head.sha256
            made += [(feature, state.index.change.reason or "") for state in states if state.index.change]
        for done in self.acknowledged:  # no update is lost, and none is done twice
            assert made.count(done) == 1


Delivery.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None, derandomize=True)
TestDelivery = Delivery.TestCase
