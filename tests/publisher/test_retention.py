"""R7: what left the window stays for its time; what a younger index lists never goes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from artifact.actions import Policy
from artifact.errors import Code, ContentError, TransientError
from artifact.paths import Limits
from artifact.releases import Entry
from artifact.versions import Version
from publisher import release, retention
from publisher.adapters.memory import MemoryStore
from publisher.content_types import immutable
from publisher.indexes import releases_of
from publisher.ports import ContentSettings, Created, ObjectInfo
from publisher.publish import publish
from publisher.sources import DirectorySource
from tests.publisher.world import BECAUSE, FEATURE, World, new_world
from tests.simulator.faults import Died, Faulty
from tests.versions import FILES, version_directory

KEEP = timedelta(days=30)


def collect(world: World) -> list[str]:
    """One run; what went, as `version: reason`."""
    found = retention.plan(world.env, KEEP)
    assert (found.failed, found.unknown) == ({}, ())
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


def test_b3_a_claim_that_was_never_listed_goes_after_retention_and_takeover_time(world: World) -> None:
    name = f"{FEATURE}/9.0.0/manifest.json"
    world.store.create(name, b"{}", immutable(name))
    world.clock.pass_by(days=30, minutes=59)
    assert f"9.0.0: {retention.CLAIMED}" not in collect(world)
    world.clock.pass_by(minutes=1)
    assert f"9.0.0: {retention.CLAIMED}" in collect(world)
    assert name not in world.objects()


def test_what_is_nobodys_is_left_alone_and_named(world: World) -> None:
    for name in ("Not_A_Feature/1.0.0/manifest.json", f"{FEATURE}/notes/a.txt", f"{FEATURE}/9.0.0/index.js"):
        world.store.put(name, b"by hand", immutable(name))
    world.clock.pass_by(days=365)
    before = world.objects()
    found = retention.plan(world.env, KEEP)
    assert found.unknown == ("Not_A_Feature/", f"{FEATURE}/notes/", f"{FEATURE}/9.0.0/")
    for outdated in found.outdated:
        assert retention.carry_out(world.env, outdated, KEEP)
    assert {name for name in before if "by hand" in str(before[name])} <= world.objects().keys()


def test_t38_a_writer_whose_clock_is_behind_shortens_no_retention(world: World) -> None:
    world.clock.pass_by(days=100)
    collect(world)
    then = world.clock.now - timedelta(days=60)
    late = replace(world.env, clock=lambda: then)
    publish(late, DirectorySource(world.directory("1.6.0"), Limits()), actor="tester")
    world.clock.pass_by(days=29)
    assert collect(world) == []
    world.clock.pass_by(days=1)
    assert collect(world) == [f"1.1.0: {retention.LEFT}"]


def test_one_version_that_cannot_be_removed_keeps_no_other(world: World) -> None:
    for minor in range(6, 8):
        world.publish(f"1.{minor}.0")
    world.clock.pass_by(days=60)
    found = retention.plan(world.env, KEEP).outdated
    assert [outdated.version.text for outdated in found] == ["1.0.0", "1.1.0", "1.2.0"]
    failing = world.with_store(Faulty(world.store, fail_at=1))
    results = list(retention.carry_out_all(failing, found, KEEP))
    assert [type(went) for _, went in results] == [TransientError, bool, bool]
    assert {"1.0.0"} == versions_there(world) & {"1.0.0", "1.1.0", "1.2.0"}


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


class Hooked(Faulty):
    """Somebody else acts right before a call, `create name` or `replace name`, is made for the first time."""

    def __init__(self, store: MemoryStore, call: str, action: Callable[[], object]) -> None:
        super().__init__(store)
        self._waiting = {call: action}

    def create(self, name: str, data: bytes, settings: ContentSettings) -> Created:
        self._waiting.pop(f"create {name}", lambda: None)()
        return super().create(name, data, settings)

    def replace(self, name: str, data: bytes, settings: ContentSettings, *, etag: str | None) -> str | None:
        self._waiting.pop(f"replace {name}", lambda: None)()
        return super().replace(name, data, settings, etag=etag)


def test_a_version_higher_than_all_before_costs_no_call_more(world: World) -> None:
    counting = Faulty(world.store)
    publish(world.with_store(counting), DirectorySource(world.directory("2.0.0"), Limits()), actor="tester")
    calls = [call for call in counting.log if "/2.0.0/" not in call]
    assert calls == [
        f"read {FEATURE}/releases.json", f"read {FEATURE}/releases.7.json",  # what there is
        f"read {FEATURE}/releases.json", f"create {FEATURE}/releases.7.json", f"replace {FEATURE}/releases.json",
    ]  # fmt: skip
    assert len(counting.log) == len(calls) + 1 + len(FILES)


def test_b3_a_lower_version_costs_one_walk_through_the_history(world: World) -> None:
    counting = Faulty(world.store)
    publish(world.with_store(counting), DirectorySource(world.directory("0.9.0"), Limits()), actor="tester")
    assert [counting.log.count(f"read {FEATURE}/releases.{number}.json") for number in range(1, 6)] == [1] * 5
    assert Version("0.9.0") in {entry.version for entry in world.index().entries}


def test_b5_a_duplicate_that_was_overtaken_while_it_wrote_changes_nothing(world: World) -> None:
    def overtake() -> None:
        for minor in range(6, 12):
            world.publish(f"1.{minor}.0")

    folder = world.directory("1.6.0")
    slow = Hooked(world.store, f"create {FEATURE}/releases.7.json", overtake)
    result = publish(world.with_store(slow), DirectorySource(folder, Limits()), actor="somebody slow")
    assert world.index().sequence == result.sequence == 12
    assert [entry.version.text for entry in world.index().entries] == [f"1.{minor}.0" for minor in range(11, 6, -1)]


def test_b3_an_old_claim_that_somebody_goes_on_with_in_this_moment_is_not_taken_away(world: World) -> None:
    folder = world.directory("9.0.0")
    name = f"{FEATURE}/9.0.0/manifest.json"
    world.store.create(name, (folder / "manifest.json").read_bytes(), immutable(name))
    world.clock.pass_by(days=60)
    (_, outdated) = retention.plan(world.env, KEEP).outdated
    assert outdated.version == Version("9.0.0")
    racing = Hooked(world.store, f"replace {name}", lambda: world.publish("9.0.0"))
    assert retention.carry_out(world.with_store(racing), outdated, KEEP) is False
    assert {path for path in world.objects() if "/9.0.0/" in path} == {
        f"{FEATURE}/9.0.0/{path}" for path in ("manifest.json", *FILES)
    }
    assert world.index().active == Version("9.0.0")


def test_r7_a_version_that_was_listed_since_the_plan_stays_however_old_its_claim(world: World) -> None:
    plans: list[retention.Plan] = []

    def sleep() -> None:
        world.clock.pass_by(days=60)
        plans.append(retention.plan(world.env, KEEP))

    slow = Hooked(world.store, f"create {FEATURE}/releases.7.json", sleep)
    publish(world.with_store(slow), DirectorySource(world.directory("9.0.0"), Limits()), actor="tester")
    (_, outdated) = plans[0].outdated
    assert outdated.version == Version("9.0.0")
    assert retention.carry_out(world.env, outdated, KEEP) is False
    assert f"{FEATURE}/9.0.0/index.js" in world.objects()


def test_b3_who_goes_on_with_a_claim_that_is_taken_away_in_this_moment_is_told_to_try_again(world: World) -> None:
    folder = world.directory("9.0.0")
    name = f"{FEATURE}/9.0.0/manifest.json"
    world.store.create(name, (folder / "manifest.json").read_bytes(), immutable(name))
    world.clock.pass_by(days=60)
    (_, outdated) = retention.plan(world.env, KEEP).outdated
    racing = Hooked(world.store, f"replace {name}", lambda: retention.carry_out(world.env, outdated, KEEP))
    with pytest.raises(TransientError) as caught:
        publish(world.with_store(racing), DirectorySource(folder, Limits()), actor="tester")
    assert caught.value.code is Code.CONFLICT
    assert "9.0.0" not in versions_there(world)
    world.publish("9.0.0")
    assert world.index().active == Version("9.0.0")


def test_t40_a_death_at_any_call_ends_as_one_clean_run(world: World) -> None:
    world.publish("1.6.0")
    world.clock.pass_by(days=60)
    clean = world.copy()
    assert len(collect(clean)) == 2
    for death in count(1):
        dying = world.copy()
        store = Faulty(dying.store, die_at=death)
        try:
            collect(replace_store(dying, store))
        except Died:
            dying.clock.pass_by(hours=1)  # a night, in truth
            collect(dying)
            assert dying.objects() == clean.objects()
        else:
            break
    assert death > 20


def test_b3_what_somebody_has_just_begun_to_take_away_is_left_to_them(world: World) -> None:
    world.clock.pass_by(days=60)
    (outdated,) = retention.plan(world.env, KEEP).outdated
    clean = Faulty(world.copy().store)
    retention.carry_out(world.with_store(clean), outdated, KEEP)
    marked = next(number for number, call in enumerate(clean.log, 1) if call.startswith("replace"))
    with pytest.raises(Died):
        retention.carry_out(world.with_store(Faulty(world.store, die_at=marked)), outdated, KEEP)
    world.clock.pass_by(minutes=59)
    assert collect(world) == []
    world.clock.pass_by(minutes=1)
    assert collect(world) == [f"1.0.0: {retention.LEFT}"]


def test_b3_who_takes_away_for_so_long_that_another_may_have_claimed_stops(world: World) -> None:
    world.clock.pass_by(days=60)
    (outdated,) = retention.plan(world.env, KEEP).outdated

    class Slow(Faulty):
        def list(self, prefix: str) -> Iterator[ObjectInfo]:
            if prefix.endswith("/"):
                world.clock.pass_by(hours=1)
            return super().list(prefix)

    slow = Slow(world.store)
    with pytest.raises(TransientError, match="took too long"):
        retention.carry_out(world.with_store(slow), outdated, KEEP)
    assert not [call for call in slow.log if call.startswith("delete")]


def replace_store(world: World, store: Faulty) -> World:
    return replace(world, env=world.with_store(store))


STEPS = st.lists(
    st.one_of(
        *(3 * [st.tuples(st.just("publish"), st.sampled_from(["stable", "stable", "canary"]))]),
        st.tuples(st.just("publish by a wrong clock"), st.integers(-60, 60)),
        st.tuples(st.just("publish again"), st.integers(0, 9)),
        st.tuples(st.just("rollback"), st.integers(0, 3)),
        st.tuples(st.just("withdraw"), st.integers(0, 3)),
        *(2 * [st.tuples(st.just("wait"), st.integers(1, 25))]),
        *(2 * [st.tuples(st.just("collect"), st.none())]),
    ),
    min_size=10,
    max_size=30,
)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_r7_whatever_happens_all_that_a_state_of_the_retention_time_lists_is_intact(
    steps: list[tuple[str, object]],
) -> None:
    with TemporaryDirectory() as folder:
        world = new_world(Path(folder))
        world.env = replace(world.env, policy=Policy(window=4))
        made = [("1.0.0", "stable")]
        _publish(world, *made[0])
        for step, value in steps:
            _take(world, step, value, made)
            _check_intact(world)


def _publish(world: World, version: str, channel: str) -> None:
    world.publish(version, channel=channel, files={"index.js": version.encode()})


def _take(world: World, step: str, value: object, made: list[tuple[str, str]]) -> None:
    entries = world.index().entries
    match step, value:
        case "publish", str(channel):
            made.append((f"1.{len(made)}.0", channel))
            _publish(world, *made[-1])
        case "publish by a wrong clock", int(days):
            made.append((f"1.{len(made)}.0", "stable"))
            wrong, right = world.clock.now + timedelta(days=days), world.env
            world.env = replace(right, clock=lambda: wrong)
            _publish(world, *made[-1])
            world.env = right
        case "publish again", int(place):
            before = world.index()
            with suppress(ContentError):  # it was withdrawn
                _publish(world, *made[place % len(made)])
            assert world.index() == before
        case "rollback", int(place) if entries[place % len(entries)].version != world.index().active:
            release.rollback(world.env, FEATURE, entries[place % len(entries)].version, BECAUSE)
        case "withdraw", int(place) if entries[place % len(entries)].version != world.index().active:
            release.withdraw(world.env, FEATURE, entries[place % len(entries)].version, BECAUSE, successor=None)
        case "wait", int(days):
            world.clock.pass_by(days=days)
        case "collect", _:
            collect(world)
            once = world.objects()
            assert collect(world) == []
            assert world.objects() == once


def _check_intact(world: World) -> None:
    """By the storage's own clock: a state was superseded when the one after it was created."""
    head = releases_of(world.env, FEATURE).head()
    assert head is not None
    withdrawn = {gone.version for gone in head.index.withdrawn}
    superseded = world.clock.now
    for state in releases_of(world.env, FEATURE).history(head):
        if superseded > world.clock.now - KEEP or state is head:
            for entry in state.index.entries:
                if entry.version not in withdrawn:
                    _check_whole(world, entry)
        created = world.store.get(f"{FEATURE}/releases.{state.index.sequence}.json")
        assert created is not None
        superseded = created.last_modified


def _check_whole(world: World, entry: Entry) -> None:
    prefix = f"{FEATURE}/{entry.version}/"
    manifest, file = world.store.get(prefix + "manifest.json"), world.store.get(prefix + "index.js")
    assert manifest is not None
    assert file is not None
    assert hashlib.sha256(manifest.data).hexdigest() == entry.manifest_sha256
    assert file.data == entry.version.text.encode()
