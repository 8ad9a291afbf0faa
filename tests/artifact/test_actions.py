"""R6, R7: the release index as a state machine, against a small model of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from artifact import actions
from artifact.errors import DeliveryError
from artifact.keys import KeySigner, PrivateKey
from artifact.manifest import Manifest, VerifiedManifest
from artifact.paths import Limits
from artifact.releases import Change, ReleaseIndex, parse_releases, verify_releases
from artifact.versions import Version
from tests.vectors.judge import load, store

FEATURE = "feature-lab-results"
SIGNER = KeySigner("release", PrivateKey.parse(load("keys.json")["release"]["privateKey"], where="test"))
START = datetime(2026, 11, 23, 12, tzinfo=UTC)
SOAK = timedelta(minutes=30)

POOL = (
    "0.9.0", "1.0.0-rc.1", "1.0.0-rc.2", "1.0.0-rc.10", "1.0.0", "1.0.1", "1.9.0", "1.10.0", "2.0.0-alpha", "2.0.0",
)  # fmt: skip
"""Ascending: the model compares places in this list and knows nothing of SemVer."""

numbers = st.integers(0, len(POOL) - 1)


class Refused(Exception):  # noqa: N818 - the model's answer, no error of its own
    """What the model says no with."""


class Model:
    """R6 and R7 as they read: versions are places in POOL."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.ever: set[int] = set()
        self.listed: dict[int, str] = {}
        self.active = -1
        self.canary: int | None = None
        self.canary_at = START
        self.withdrawn: set[int] = set()
        self.removed = False

    def publish(self, version: int, channel: str, digest: str, now: datetime) -> bool:
        """Whether anything changes."""
        if version in self.withdrawn:
            raise Refused("version_withdrawn")
        if version in self.listed:
            if self.listed[version] != digest:
                raise Refused("version_exists")
            returns, self.removed = self.removed, False
            return returns
        first = not self.ever
        self.listed[version] = digest
        if first:
            self.active = version
        if channel == "canary":
            if first or version > self.active:
                self.canary, self.canary_at = version, now
        elif all(version > other for other in self.ever):
            self.active, self.canary = version, None
        self.ever.add(version)
        named = {self.active, version} | ({self.canary} if self.canary is not None else set())
        others = sorted(self.listed.keys() - named, reverse=True)[: max(0, self.window - len(named))]
        self.listed = {other: kept for other, kept in self.listed.items() if other in named or other in others}
        self.removed = False
        return True

    def make_canary(self, version: int, now: datetime) -> bool:
        if version not in self.listed or version <= self.active:
            raise Refused("conflict")
        if version == self.canary:
            return False
        self.canary, self.canary_at = version, now
        return True

    def promote(self, version: int | None, now: datetime, *, force: bool) -> bool:
        if self.canary is None or version not in (None, self.canary):
            raise Refused("conflict")
        if now - self.canary_at < SOAK and not force:
            raise Refused("conflict")
        self.active, self.canary = self.canary, None
        return True

    def activate(self, version: int) -> bool:
        if version not in self.listed or version == self.active:
            raise Refused("conflict")
        self.active = version
        if self.canary is not None and self.canary <= version:
            self.canary = None
        return True

    def withdraw(self, version: int, successor: int | None) -> bool:
        if version in self.withdrawn:
            return False
        needs_successor = version == self.active
        if version not in self.listed or needs_successor != (successor is not None):
            raise Refused("conflict")
        if successor is not None:
            if successor == version:
                raise Refused("conflict")
            self.activate(successor)
        if self.canary == version:
            self.canary = None
        del self.listed[version]
        self.withdrawn.add(version)
        return True


class ReleaseMachine(RuleBasedStateMachine):
    """Every action on the real index and on the model; whatever they say, they say the same."""

    def __init__(self) -> None:
        super().__init__()
        self.index: ReleaseIndex | None = None
        self.now = START

    @initialize(window=st.integers(actions.SMALLEST_WINDOW, 6))
    def start(self, window: int) -> None:
        self.model = Model(window)
        self.policy = actions.Policy(window=window, soak=SOAK)

    @property
    def before(self) -> ReleaseIndex:
        assert self.index is not None
        return self.index

    @rule(version=numbers, channel=st.sampled_from(["stable", "canary"]), other=st.sampled_from([False, False, True]))
    def publish(self, version: int, channel: str, other: bool) -> None:
        digest = f"{version + 100 * other:064x}"
        manifest = VerifiedManifest(_manifest(version, channel), b"", digest, "build")
        self._same(
            lambda: self.model.publish(version, channel, digest, self.now),
            lambda change: actions.publish(
                self.index, manifest, total_bytes=7, change=change, now=self.now, policy=self.policy
            ),
            Change("publish", POOL[version]),
        )

    @precondition(lambda self: self.index is not None)
    @rule(version=numbers)
    def canary(self, version: int) -> None:
        self._same(
            lambda: self.model.make_canary(version, self.now),
            lambda change: actions.canary(
                self.before, Version(POOL[version]), change=change, now=self.now, policy=self.policy
            ),
            Change("canary", POOL[version]),
        )

    @precondition(lambda self: self.index is not None)
    @rule(version=st.none() | numbers, force=st.booleans(), reason=st.sampled_from([None, "", "it burns"]))
    def promote(self, version: int | None, force: bool, reason: str | None) -> None:
        named, since = None if version is None else Version(POOL[version]), self.model.canary_at
        self._same(
            lambda: self.model.promote(version, self.now, force=force and reason == "it burns"),
            lambda change: actions.promote(
                self.before, named, canary_since=since, force=force, change=change, now=self.now, policy=self.policy
            ),
            Change("promote", reason=reason),
        )

    @precondition(lambda self: self.index is not None)
    @rule(version=numbers)
    def rollback(self, version: int) -> None:
        self._same(
            lambda: self.model.activate(version),
            lambda change: actions.rollback(
                self.before, Version(POOL[version]), change=change, now=self.now, policy=self.policy
            ),
            Change("rollback", POOL[version]),
        )

    @precondition(lambda self: self.index is not None)
    @rule(version=numbers, successor=st.none() | numbers, aim=st.booleans())
    def withdraw(self, version: int, successor: int | None, aim: bool) -> None:
        version = self.model.active if aim else version
        follower = None if successor is None else Version(POOL[successor])
        self._same(
            lambda: self.model.withdraw(version, successor),
            lambda change: actions.withdraw(
                self.before, Version(POOL[version]), successor=follower, reason="it burns", change=change,
                now=self.now, policy=self.policy,
            ),
            Change("withdraw", POOL[version]),
        )  # fmt: skip

    @precondition(lambda self: self.index is not None)
    @rule()
    def refresh(self) -> None:
        self._same(
            lambda: True,
            lambda change: actions.refresh(self.before, change=change, now=self.now, policy=self.policy),
            Change("refresh"),
        )

    @precondition(lambda self: self.index is not None)
    @rule()
    def remove(self) -> None:
        changes, self.model.removed = not self.model.removed, True
        self._same(
            lambda: changes,
            lambda change: actions.remove(self.before, change=change, now=self.now, policy=self.policy),
            Change("remove", reason="nobody uses it"),
        )

    @precondition(lambda self: self.index is not None)
    @rule(name=st.sampled_from(["x-audit", "é"]))
    def somebody_adds_members_that_we_do_not_know(self, name: str) -> None:
        """F3."""
        marked = [replace(entry, rest={name: entry.version.text}) for entry in self.before.entries]
        self.index = replace(
            self.before,
            rest={**self.before.rest, name: [None]},
            other_channels={"beta": name},
            entries=tuple(marked),
            withdrawn=tuple(replace(gone, rest={name: 1}) for gone in self.before.withdrawn),
        )

    @rule(minutes=st.sampled_from([1, 29, 30, 10_000]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes, milliseconds=3)

    @precondition(lambda self: self.index is not None)
    @invariant()
    def it_is_what_the_model_says(self) -> None:
        index, model = self.before, self.model
        assert index.active.text == POOL[model.active]
        assert (index.canary and index.canary.text) == (None if model.canary is None else POOL[model.canary])
        listed = [(POOL[version], model.listed[version]) for version in sorted(model.listed, reverse=True)]
        assert [(entry.version.text, entry.manifest_sha256) for entry in index.entries] == listed
        assert {gone.version.text for gone in index.withdrawn} == {POOL[version] for version in model.withdrawn}
        assert (index.removed is not None) == model.removed

    @precondition(lambda self: self.index is not None)
    @invariant()
    def the_promises_hold(self) -> None:
        index, model = self.before, self.model
        listed = {entry.version for entry in index.entries}
        assert index.active in listed
        assert len(listed) <= max(model.window, 3)
        assert not listed & {gone.version for gone in index.withdrawn}
        assert max(model.ever) in model.listed.keys() | model.withdrawn, "the highest version ever is not forgotten"
        if index.canary is not None:
            assert index.canary in listed
            assert index.canary > index.active or len(model.ever - {model.canary}) == 0 or index.canary == index.active

    @precondition(lambda self: self.index is not None)
    @invariant()
    def it_survives_signing_and_reading(self) -> None:
        parsed = parse_releases(self.before.signed(SIGNER), where="test", limits=Limits())
        verified = verify_releases(parsed, store("full"), feature_id=FEATURE, at=self.now)
        assert verified.index == self.before

    def _same(self, expect: Callable[[], bool], act: Callable[[Change], ReleaseIndex], change: Change) -> None:
        before = self.index
        try:
            changes = expect()
        except Refused as refusal:
            self._refused(act, change, str(refusal))
            return
        after = act(change)
        assert (after is not before) == changes
        if changes:
            self._check_next(before, after, change)
        self.index = after

    def _refused(self, act: Callable[[Change], ReleaseIndex], change: Change, code: str) -> None:
        with pytest.raises(DeliveryError) as refusal:
            act(change)
        assert refusal.value.code == code

    def _check_next(self, before: ReleaseIndex | None, after: ReleaseIndex, change: Change) -> None:
        moment = self.now.replace(microsecond=0)
        assert after.sequence == (0 if before is None else before.sequence) + 1
        assert (after.updated_at, after.expires_at) == (moment, moment + timedelta(days=90))
        assert after.previous_sha256 is None, "only the commit knows the bytes before"
        if before is not None and change.action == "refresh":
            assert _without_signing(after) == _without_signing(before)
        assert after.change == change
        if before is not None:
            assert (after.rest, after.other_channels) == (before.rest, before.other_channels)
            kept = {entry.version: entry for entry in before.entries}
            assert all(kept.get(entry.version, entry) == entry for entry in after.entries)
            assert after.withdrawn[: len(before.withdrawn)] == before.withdrawn


def _without_signing(index: ReleaseIndex) -> ReleaseIndex:
    return replace(index, sequence=0, previous_sha256=None, updated_at=None, expires_at=None, change=None)


def _manifest(version: int, channel: str) -> Manifest:
    return Manifest(FEATURE, Version(POOL[version]), channel, {}, None, None, None)


TestReleaseMachine = ReleaseMachine.TestCase
TestReleaseMachine.settings = settings(deadline=None, max_examples=60, stateful_step_count=30)


def test_a_published_entry_says_what_the_manifest_says() -> None:
    """R1, R3."""
    manifest = VerifiedManifest(
        replace(_manifest(4, "stable"), git_sha="0123abc", build_url="https://ci.example/7"), b"", "a" * 64, "build"
    )
    index = actions.publish(
        None, manifest, total_bytes=7, change=Change("publish"), now=START + timedelta(microseconds=5),
        policy=actions.Policy(),
    )  # fmt: skip
    assert json.loads(index.signed(SIGNER))["versions"] == [
        {
            "version": "1.0.0",
            "manifestSha256": "a" * 64,
            "publishedAt": "2026-11-23T12:00:00Z",
            "bytes": 7,
            "files": 0,
            "gitSha": "0123abc",
            "buildUrl": "https://ci.example/7",
        }
    ]


def test_without_a_validity_an_index_does_not_expire() -> None:
    """R3."""
    manifest = VerifiedManifest(_manifest(4, "stable"), b"", "a" * 64, "build")
    policy = actions.Policy(releases_validity=None)
    index = actions.publish(None, manifest, total_bytes=7, change=Change("publish"), now=START, policy=policy)
    assert "expiresAt" not in json.loads(index.signed(SIGNER))


def test_a_window_that_could_forget_the_highest_version_is_no_policy() -> None:
    """R6, R7."""
    with pytest.raises(ValueError, match="smaller than 4"):
        actions.Policy(window=3)
