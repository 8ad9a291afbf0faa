"""R7: what left the window stays for its time; what a younger index lists never goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from artifact.actions import Policy
from artifact.errors import Code, ContentError, TransientError
from artifact.paths import Limits
from artifact.versions import Version
from publisher import cleanup, release, retention
from publisher.adapters.memory import MemoryStore
from publisher.content_types import immutable
from publisher.indexes import releases_of
from publisher.ingest import ingest
from publisher.ports import ContentSettings
from publisher.publish import publish
from publisher.sources import DirectorySource
from tests.publisher.platform import bundle_of, deliver, names, submit
from tests.publisher.world import BECAUSE, FEATURE, World, new_world
from tests.simulator.faults import Died, Faulty
from tests.versions import FILES, version_directory

KEEP = timedelta(days=30)


def collect(world: World) -> list[str]:
    """One run; what went, as `version: reason`."""
    found = retention.plan(world.env, KEEP)
    assert found.failed == {}
    return [
        f"{outdated.version}: {outdated.reason}"
        for outdated in found.outdated
        if retention.carry_out(world.env, outdated, KEEP)
    ]


def versions_there(world: World) -> set[str]:
    return {name.split("/")[1] for name in world.objects() if name.count("/") > 1}


@pytest.fixture
def world(world: World) -> World:
    """Six versions, one a day; the first left the window of five when the last came."""
    for minor in range(6):
        world.publish(f"1.{minor}.0")
        world.clock.pass_by(days=1)
    return world


def test_r7_a_version_that_left_the_window_goes_when_no_index_of_the_retention_time_lists_it(world: World) -> None:
    world.clock.pass_by(days=28)
    assert collect(world) == []
    world.clock.pass_by(days=1)
    assert collect(world) == [f"1.0.0: {retention.LEFT}"]
    assert versions_there(world) == {f"1.{minor}.0" for minor in range(1, 6)}
    assert collect(world) == []


def test_r7_listed_versions_never_go_however_old(world: World) -> None:
    world.clock.pass_by(days=3650)
    collect(world)
    assert versions_there(world) == {f"1.{minor}.0" for minor in range(1, 6)}


def test_states_of_indexes_never_go(world: World) -> None:
    world.clock.pass_by(days=3650)
    before = {name for name in world.objects() if "releases." in name or "remote-index" in name}
    collect(world)
    assert before <= world.objects().keys()
    head = releases_of(world.env, FEATURE).head()
    assert head is not None
    assert len(list(releases_of(world.env, FEATURE).history(head))) == 6


def test_a_dry_run_touches_nothing(world: World) -> None:
    world.clock.pass_by(days=60)
    before = world.objects()
    (outdated,) = retention.plan(world.env, KEEP).outdated
    assert (outdated.objects, outdated.bytes > 100) == (5, True)
    assert world.objects() == before


def test_r6_what_a_withdrawn_version_left_goes_at_once(world: World) -> None:
    release.withdraw(world.env, FEATURE, Version("1.2.0"), BECAUSE, successor=None)
    assert collect(world) == [f"1.2.0: {retention.WITHDRAWN}"]


def test_b3_a_claim_that_was_never_listed_goes_when_it_is_old(world: World) -> None:
    name = f"{FEATURE}/9.0.0/manifest.json"
    world.store.create(name, b"{}", immutable(name))
    world.clock.pass_by(days=20)
    assert collect(world) == []
    world.clock.pass_by(days=11)
    assert f"9.0.0: {retention.CLAIMED}" in collect(world)
    assert name not in world.objects()


def test_b3_after_its_objects_went_a_version_cannot_be_published_with_other_bytes(world: World) -> None:
    world.clock.pass_by(days=60)
    collect(world)
    other = version_directory(world.folder / "other", world.keys.build, files={**FILES, "index.js": b"new"})
    with pytest.raises(ContentError) as caught:
        publish(world.env, DirectorySource(other, Limits()), actor="tester")
    assert caught.value.code is Code.VERSION_EXISTS
    assert "1.0.0" not in versions_there(world)


def test_b5_after_its_objects_went_a_late_duplicate_brings_nothing_back(world: World) -> None:
    world.clock.pass_by(days=60)
    collect(world)
    before = world.objects()
    assert world.publish("1.0.0").unchanged
    assert world.objects() == before


def test_a_version_higher_than_all_before_costs_no_walk_through_the_history(world: World) -> None:
    counting = Faulty(world.store)
    publish(world.with_store(counting), DirectorySource(world.directory("2.0.0"), Limits()), actor="tester")
    states = [call for call in counting.log if call.startswith("read") and ".json" in call and "manifest" not in call]
    assert states == [
        f"read {FEATURE}/releases.json", f"read {FEATURE}/releases.7.json", f"read {FEATURE}/releases.json",
    ]  # fmt: skip


class Hooked(Faulty):
    """Somebody else acts right before the first `replace` of an object."""

    def __init__(self, store: MemoryStore, name: str, action: Callable[[], object]) -> None:
        super().__init__(store)
        self._waiting = {name: action}

    def replace(self, name: str, data: bytes, settings: ContentSettings, *, etag: str | None) -> str | None:
        self._waiting.pop(name, lambda: None)()
        return super().replace(name, data, settings, etag=etag)


def test_b3_an_old_claim_that_somebody_goes_on_with_in_this_moment_is_not_taken_away(world: World) -> None:
    folder = world.directory("9.0.0")
    name = f"{FEATURE}/9.0.0/manifest.json"
    world.store.create(name, (folder / "manifest.json").read_bytes(), immutable(name))
    world.clock.pass_by(days=60)
    (_, outdated) = retention.plan(world.env, KEEP).outdated
    assert outdated.version == Version("9.0.0")
    racing = Hooked(world.store, name, lambda: world.publish("9.0.0"))
    assert retention.carry_out(world.with_store(racing), outdated, KEEP) is False
    assert {path for path in world.objects() if "/9.0.0/" in path} == {
        f"{FEATURE}/9.0.0/{path}" for path in ("manifest.json", *FILES)
    }
    assert world.index().active == Version("9.0.0")


def test_b3_who_goes_on_with_a_claim_that_is_taken_away_in_this_moment_is_told_to_try_again(world: World) -> None:
    folder = world.directory("9.0.0")
    name = f"{FEATURE}/9.0.0/manifest.json"
    world.store.create(name, (folder / "manifest.json").read_bytes(), immutable(name))
    world.clock.pass_by(days=60)
    (_, outdated) = retention.plan(world.env, KEEP).outdated
    racing = Hooked(world.store, name, lambda: retention.carry_out(world.env, outdated, KEEP))
    with pytest.raises(TransientError) as caught:
        publish(world.with_store(racing), DirectorySource(folder, Limits()), actor="tester")
    assert caught.value.code is Code.CONFLICT
    assert "9.0.0" not in versions_there(world)
    world.publish("9.0.0")
    assert world.index().active == Version("9.0.0")


def test_t40_a_death_at_any_call_ends_as_one_clean_run(world: World) -> None:
    world.clock.pass_by(days=60)
    deaths = 0
    while True:
        try:
            for outdated in retention.plan(world.env, KEEP).outdated:
                retention.carry_out(world.with_store(Faulty(world.store, die_at=deaths + 1)), outdated, KEEP)
        except Died:
            deaths += 1
            world.clock.pass_by(days=31)  # what is half gone has to be as old again
        else:
            break
    assert deaths >= 5
    assert versions_there(world) == {f"1.{minor}.0" for minor in range(1, 6)}


ACTIONS = st.lists(
    st.one_of(
        *(3 * [st.tuples(st.just("publish"), st.sampled_from(["stable", "stable", "canary"]))]),
        st.tuples(st.just("rollback"), st.integers(0, 3)),
        st.tuples(st.just("withdraw"), st.integers(0, 3)),
        st.tuples(st.just("wait"), st.integers(1, 25)),
        st.tuples(st.just("collect"), st.none()),
    ),
    min_size=10,
    max_size=30,
)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(ACTIONS)
def test_r7_whatever_happens_all_that_a_state_of_the_retention_time_lists_is_there(
    steps: list[tuple[str, object]],
) -> None:
    with TemporaryDirectory() as folder:
        world = new_world(Path(folder))
        world.env = replace(world.env, policy=Policy(window=4))
        world.publish("1.0.0")
        for number, (step, value) in enumerate(steps):
            _take(world, step, value, f"1.{number + 1}.0")
            _check_kept(world)


def _take(world: World, step: str, value: object, version: str) -> None:
    entries = world.index().entries
    match step, value:
        case "publish", str(channel):
            world.publish(version, channel=channel, files={"index.js": version.encode()})
        case "rollback", int(place) if entries[place % len(entries)].version != world.index().active:
            release.rollback(world.env, FEATURE, entries[place % len(entries)].version, BECAUSE)
        case "withdraw", int(place) if entries[place % len(entries)].version != world.index().active:
            release.withdraw(world.env, FEATURE, entries[place % len(entries)].version, BECAUSE, successor=None)
        case "wait", int(days):
            world.clock.pass_by(days=days)
        case "collect", _:
            collect(world)


def _check_kept(world: World) -> None:
    head = releases_of(world.env, FEATURE).head()
    assert head is not None
    objects, withdrawn = world.objects(), {gone.version for gone in head.index.withdrawn}
    superseded = world.clock.now
    for state in releases_of(world.env, FEATURE).history(head):
        if superseded > world.clock.now - KEEP or state is head:
            for entry in state.index.entries:
                if entry.version not in withdrawn:
                    assert f"{FEATURE}/{entry.version}/index.js" in objects
                    assert f"{FEATURE}/{entry.version}/manifest.json" in objects
        assert state.index.updated_at is not None
        superseded = state.index.updated_at


def test_b4_what_the_app_no_longer_needs_goes_in_its_time(world: World) -> None:
    pipeline = world.pipeline
    submit(pipeline, f"{FEATURE}/2.0.0.tar.gz", bundle_of(world.directory("2.0.0")))
    ingest(pipeline, f"{FEATURE}/2.0.0.tar.gz")
    submit(pipeline, f"{FEATURE}/3.0.0.tar.gz", b"rubbish")
    ingest(pipeline, f"{FEATURE}/3.0.0.tar.gz")
    submit(pipeline, f"{FEATURE}/4.0.0.tar.gz", bundle_of(world.directory("4.0.0")))
    deliver(pipeline)
    begun = world.clock.now
    went: dict[str, int] = {}
    for days in (1, 6, 8, 29, 31, 89, 91):
        world.clock.now = begun + timedelta(days=days)
        for leftover in list(cleanup.plan(pipeline)):
            cleanup.carry_out(pipeline, leftover)
            went[f"{leftover.container}/{leftover.name.split('/')[1]}"] = days
    assert went == {
        "incoming/2.0.0.tar.gz": 8,
        next(key for key in went if key.startswith("quarantine/")): 31,
        "state/ended": 31,
        "receipts/2.0.0": 91,
        "receipts/3.0.0": 91,
    }
    assert names(pipeline.incoming) == [f"{FEATURE}/4.0.0.tar.gz"]  # nobody has answered it yet
