"""T40, T41, T43, B5: whatever dies, fails or comes twice at any call, the end is that of one clean run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from artifact.errors import Code, DeliveryError
from artifact.keys import KeySigner
from artifact.releases import Change
from artifact.versions import Version
from publisher import changes, maintenance, purge, purging, release
from publisher.changes import announce
from publisher.destinations import open_destination
from publisher.indexes import releases_of, remote_of
from publisher.ingest import ingest
from publisher.operations import find_open
from publisher.pipeline import Pipeline
from publisher.ports import Message, MessageQueue
from publisher.site import Site
from tests.publisher.platform import DEQUEUES, bundle_of, content, names, submit
from tests.publisher.world import FEATURE, Clock, World, new_pipeline
from tests.simulator.faults import Died, Faults, faulty
from tests.versions import FILES, version_directory
from tools.local.azurite import Account

OLD, NEW = f"{FEATURE}/1.0.0.tar.gz", f"{FEATURE}/1.1.0.tar.gz"
BECAUSE = Change("rollback", "1.0.0", "anna", "blank page", "INC-7")


@dataclass(frozen=True)
class Bundles:
    """What CI uploads: two good ones, one that somebody has forged."""

    old: bytes
    new: bytes
    forged: bytes


@pytest.fixture
def bundles(world: World) -> Bundles:
    files = {"index.js": FILES["index.js"], "assets/app.css": FILES["assets/app.css"]}

    def made(name: str, signer: KeySigner, version: str) -> bytes:
        own = {**files, "version.txt": version.encode()}
        return bundle_of(version_directory(world.folder / name, signer, version=version, files=own))

    keys = world.keys
    return Bundles(
        made("old", keys.build, "1.0.0"), made("new", keys.build, "1.1.0"), made("forged", keys.stranger, "1.1.0")
    )


# The platform, which delivers again what was not done, and gives up after five tries


def blob_event(pipeline: Pipeline, name: str) -> None:
    for _ in range(DEQUEUES):
        try:
            ingest(pipeline, name)
        except DeliveryError:
            continue
        return
    pipeline.poison.put(json.dumps({"ContainerName": "incoming", "BlobName": name}))


def queue_events(pipeline: Pipeline) -> None:
    """Both queue triggers, until nothing waits to be seen."""
    handlers = ((pipeline.changes, changes.follow), (pipeline.purges, purging.run))
    while any(_deliver(pipeline, queue, handler) for queue, handler in handlers):
        continue


def _deliver(pipeline: Pipeline, queue: MessageQueue, handler: Callable[[Pipeline, str], None]) -> bool:
    """The platform's own calls do not count: it is not what fails here."""
    real: MessageQueue = getattr(queue, "inner", queue)
    messages: list[Message] = list(real.take(1, hidden=timedelta(seconds=30)))
    for message in messages:
        try:
            handler(pipeline, message.body)
        except DeliveryError:
            if message.tries < DEQUEUES:
                continue
        real.drop(message)
    return bool(messages)


def settle(pipeline: Pipeline) -> None:
    """Nothing fails any more: what is hidden comes again, and the timers run."""
    for _ in range(3):
        pipeline.sleep(20 * 60)
        maintenance.sweep_poison(pipeline)
        maintenance.repair_indexes(pipeline)
        queue_events(pipeline)


# What happens


def publishing(pipeline: Pipeline, bundles: Bundles) -> None:
    submit_once(pipeline, NEW, bundles.new)
    blob_event(pipeline, NEW)


def publishing_twice(pipeline: Pipeline, bundles: Bundles) -> None:
    publishing(pipeline, bundles)
    blob_event(pipeline, NEW)


def rejecting(pipeline: Pipeline, bundles: Bundles) -> None:
    submit_once(pipeline, NEW, bundles.forged)
    blob_event(pipeline, NEW)


def rolling_back(pipeline: Pipeline, bundles: Bundles) -> None:
    publishing(pipeline, bundles)
    _act(pipeline, lambda env: release.rollback(env, FEATURE, Version("1.0.0"), BECAUSE))


def withdrawing(pipeline: Pipeline, bundles: Bundles) -> None:
    publishing(pipeline, bundles)
    _act(
        pipeline,
        lambda env: release.withdraw(env, FEATURE, Version("1.1.0"), BECAUSE, successor=Version("1.0.0")),
        withdrawn=Version("1.1.0"),
    )


def asking_for_two_purges(pipeline: Pipeline, bundles: Bundles) -> None:
    for path in ("/remote-index.json", f"/{FEATURE}/releases.json"):
        try:
            purge.request(pipeline, [path], actor="anna", reason="stale")
        except DeliveryError:
            purge.request(pipeline, [path], actor="anna", reason="stale")


WAYS = (publishing, publishing_twice, rejecting, rolling_back, withdrawing, asking_for_two_purges)


def submit_once(pipeline: Pipeline, name: str, data: bytes) -> None:
    """CI uploads one time; its own calls are not those that fail."""
    incoming = getattr(pipeline.incoming, "inner", pipeline.incoming)
    receipts = getattr(pipeline.receipts, "inner", pipeline.receipts)
    if incoming.stream(name) is None and not list(receipts.list(name.removesuffix(".tar.gz") + "/")):
        submit(replace(pipeline, incoming=incoming), name, data)


def _act(pipeline: Pipeline, action: Callable[[Any], object], withdrawn: Version | None = None) -> None:
    """An operator, who tries again until it is done."""
    for _ in range(3):
        try:
            action(pipeline.environment)
        except DeliveryError as error:
            if error.code is not Code.CONFLICT:
                continue
        try:
            announce(pipeline, FEATURE, withdrawn=withdrawn)
        except DeliveryError:
            continue
        return


# How it ends


def end(pipeline: Pipeline, world: World) -> dict[str, Any]:
    """All that B5 says must be the same, and that everything is right."""
    env = pipeline.environment
    head, remote = releases_of(env, FEATURE).head(), remote_of(env).head()
    assert head is not None
    assert remote is not None
    for checked in Site(env.artifacts, env.trust, env.clock(), env.limits).check(remote):
        assert checked.error is None
    assert len(list(releases_of(env, FEATURE).history(head))) == head.index.sequence
    assert len(list(remote_of(env).history(remote))) == remote.index.sequence
    for queue in (pipeline.changes, pipeline.purges, pipeline.poison):
        assert queue.count() == 0
    assert list(find_open(pipeline.state)) == []
    files = {name: content(env.artifacts, name) for name in names(env.artifacts) if name.count("/") > 1}
    receipts = [json.loads(content(pipeline.receipts, name)) for name in names(pipeline.receipts)]
    entry = remote.index.entry(FEATURE)
    assert entry is not None
    assert entry.releases_sha256 == head.sha256
    return {
        "files": files,
        "versions": [(one.version.text, one.manifest_sha256) for one in head.index.entries],
        "active": head.index.active.text,
        "channels": head.index.channels,
        "withdrawn": [gone.version.text for gone in head.index.withdrawn],
        "sequence": head.index.sequence,
        "receipts": [(one["version"], one["status"], one.get("error", {}).get("code")) for one in receipts],
        "incoming": names(pipeline.incoming),
        "quarantine": [name.rpartition(".")[0] for name in names(pipeline.quarantine)],
    }


def begin(world: World, bundles: Bundles) -> Pipeline:
    """A new pipeline in memory, where 1.0.0 is released."""
    clock = Clock()
    env = replace(world.env, clock=clock)
    fresh = new_pipeline(env, clock)
    return released(replace(fresh, environment=replace(env, artifacts=type(world.store)(clock=clock))), bundles)


def released(pipeline: Pipeline, bundles: Bundles) -> Pipeline:
    submit(pipeline, OLD, bundles.old)
    blob_event(pipeline, OLD)
    queue_events(pipeline)
    return pipeline


def run(pipeline: Pipeline, way: Callable[[Pipeline, Bundles], None], bundles: Bundles, faults: Faults) -> None:
    """Once with faults; if the app died, the platform starts it again and delivers again."""
    try:
        way(faulty(pipeline, faults), bundles)
        queue_events(faulty(pipeline, faults))
    except Died:
        way(pipeline, bundles)
    queue_events(pipeline)
    settle(pipeline)


def calls_of(pipeline: Pipeline, way: Callable[[Pipeline, Bundles], None], bundles: Bundles) -> int:
    """How many calls a clean run makes."""
    faults = Faults()
    run(pipeline, way, bundles, faults)
    return len(faults.log)


@pytest.mark.parametrize("kind", ["die_at", "fail_at", "lose_at"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_whatever_happens_at_any_single_call_the_end_is_that_of_a_clean_run(
    world: World, bundles: Bundles, way: Callable[[Pipeline, Bundles], None], kind: str
) -> None:
    clean = begin(world, bundles)
    calls = calls_of(clean, way, bundles)
    expected = end(clean, world)
    assert calls > 6
    given: dict[str, Any] = {}
    for number in range(1, calls + 1):
        pipeline = begin(world, bundles)
        given[kind] = number
        run(pipeline, way, bundles, Faults(**given))
        assert end(pipeline, world) == expected, f"{kind} {number} of {calls}"


def test_t41_two_instances_that_take_the_same_bundle_in_at_once_end_as_one(world: World, bundles: Bundles) -> None:
    clean = begin(world, bundles)
    calls = calls_of(clean, publishing, bundles)
    expected = end(clean, world)
    for number in range(1, calls + 1):
        pipeline = begin(world, bundles)

        class Interrupted(Faults):
            """The other instance does all of it at once, right after this call of the first one."""

            def __init__(self, pipeline: Pipeline, number: int) -> None:
                super().__init__()
                self._pipeline, self._number = pipeline, number

            def reached(self, number: int) -> None:
                if number == self._number:
                    publishing(self._pipeline, bundles)

        run(pipeline, publishing, bundles, Interrupted(pipeline, number))
        assert end(pipeline, world) == expected, f"after call {number} of {calls}"


STEP = 5
"""Of the calls of a run, every so many is tried on the real storage."""


def test_t40_the_same_on_real_storage(world: World, bundles: Bundles, new_storage: Callable[[], Account]) -> None:
    def on_azurite() -> Pipeline:
        """Objects on the real storage; the queues' times have a suite of their own."""
        storage, clock = open_destination(new_storage().connection_string), Clock()
        storage.ensure_containers()
        inbox = storage.of_account()
        memory = new_pipeline(replace(world.env, artifacts=storage.artifacts, clock=clock), clock)
        real = replace(
            memory, incoming=inbox.incoming, receipts=inbox.receipts, quarantine=inbox.quarantine, state=inbox.state
        )
        return released(replace(real, leases=inbox.leases), bundles)

    clean = on_azurite()
    calls = calls_of(clean, withdrawing, bundles)
    expected = end(clean, world)
    for number in range(1, calls + 1, STEP):
        pipeline = on_azurite()
        run(pipeline, withdrawing, bundles, Faults(die_at=number))
        assert end(pipeline, world) == expected, f"die_at {number} of {calls}"
