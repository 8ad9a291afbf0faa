"""C3: `sync`, one pass and then the end; what an init container runs."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from artifact.errors import Code, ConfigurationError, DeliveryError, TransientError
from loader_cdn.around import Around, Progress
from loader_cdn.cluster.namespaces import Namespaces, watched
from loader_cdn.durable import disk
from loader_cdn.hashing import Hasher
from loader_cdn.known import Known
from loader_cdn.layout import Layout
from loader_cdn.leaving import LOST, leave, may_go
from loader_cdn.ledger import Ledger
from loader_cdn.lock import locked
from loader_cdn.opening import open_root, remove_ready_file, write_ready_file
from loader_cdn.passes import Pass
from loader_cdn.registrations import Registration, by_remote_index, resolve
from loader_cdn.registrations.registry import OWN, Registry
from loader_cdn.remote import Remote, read_remote_index
from loader_cdn.report import Report, Row
from loader_cdn.root import Root
from loader_cdn.settings import Settings, StartWith, load_trust
from loader_cdn.transfer import Network, Transfer
from loader_cdn.trash import empty as empty_trash

log = logging.getLogger(__name__)


def sync(
    settings: Settings,
    *,
    progress: Progress,
    stop: Callable[[], bool] = lambda: False,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Report:
    """Bring all registered features to the root, as far as that is possible within the time limit; with `wait`, pass
    after pass, until a host has what it needs.

    What keeps a pass from being made at all (a wrong setting, a root that cannot be used, another loader that works on
    it) is the report's `error`.
    """
    layout = Layout(settings.root)
    pauses = _pauses()
    try:
        remove_ready_file(settings.ready_file)
        with _cluster(settings) as cluster:
            while True:
                report = _sync(settings, layout, cluster, progress, stop, clock)
                is_hopeless = isinstance(report.error, ConfigurationError)
                if not settings.wait or stop() or is_hopeless or report.lets_start(_needed(settings)):
                    break
                log.warning("not all is there that a host needs: trying again")
                _sleep(next(pauses), stop)
            if settings.ready_file is not None and not stop() and _is_ready(settings, report):
                write_ready_file(settings.ready_file, report)
    except DeliveryError as error:
        log.error("%s", error)
        return Report(str(settings.root), error)
    return report


def _is_ready(settings: Settings, report: Report) -> bool:
    """L10: every registration was tried, or, where it is said what a host needs, that is there."""
    return report.is_complete if settings.start_with is None else report.lets_start(settings.start_with)


def _needed(settings: Settings) -> StartWith:
    return settings.start_with or StartWith.CURRENT


def _pauses() -> Iterator[float]:
    """Seconds between two passes that did not bring all, with jitter."""
    pause = 1.0
    while True:
        yield pause * random.uniform(0.5, 1)  # noqa: S311 (no secret)
        pause = min(pause * 2, 30.0)


def _sleep(seconds: float, stop: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while not stop() and time.monotonic() < deadline:
        time.sleep(min(0.25, max(0.0, deadline - time.monotonic())))


def _cluster(settings: Settings) -> AbstractContextManager[Namespaces | None]:
    return watched(
        wanted=settings.kubernetes, names=settings.namespaces, selector=settings.selector, changed=lambda: None
    )


def _sync(
    settings: Settings,
    layout: Layout,
    cluster: Namespaces | None,
    progress: Progress,
    stop: Callable[[], bool],
    clock: Callable[[], datetime],
) -> Report:
    """One pass. What it cannot begin for is the report's `error`."""
    deadline = time.monotonic() + settings.timeout
    try:
        trust = load_trust(settings.trust_keys)
        open_root(layout)
        with disk(layout.lock), locked(layout.lock, deadline=deadline, stop=stop):
            empty_trash(layout.trash)
            ledger = Ledger.load(layout)
            _await_registrations(cluster, deadline, stop)
            with Network(settings.transfer, stop=stop) as network, Hasher.start() as hasher:
                transfer = Transfer(network, deadline=deadline)
                around = Around(settings, trust, clock(), transfer, hasher, progress, Known(), stop)
                return network.run(_bring_all(Pass(around, Root(around, ledger)), Registry(settings, cluster)))
    except DeliveryError as error:
        log.error("%s", error)
        return Report(str(settings.root), error)


def _await_registrations(cluster: Namespaces | None, deadline: float, stop: Callable[[], bool]) -> None:
    """Until the API server has told, or there is no time left."""
    while cluster is not None and not cluster.is_known and not stop() and time.monotonic() < deadline:
        time.sleep(0.05)


async def _bring_all(made: Pass, registry: Registry) -> Report:
    """All that is registered, each feature for itself; those of the remote index when it has answered."""
    root, settings, tasks = made.root, made.around.settings, made.around.transfer.tasks
    wanted = registry.read(root.inventory)
    if wanted.error is not None:
        made.fail(wanted.error)
    elif wanted.known != OWN:
        what = "the API server has not told within --timeout what is registered"
        made.fail(TransientError(Code.TRANSPORT_SLOW, "L1", what))
    root.ledger.are_registered(registration.feature_id for registration in wanted.registrations)
    own = {registration.feature_id: registration for registration in wanted.registrations}
    # What is wrong on disk goes out of sight before anything is waited for (L6).
    for feature_id in sorted(root.inventory.features.keys() | own.keys()):
        root.feature(feature_id)
    visits = tasks.start(tasks.together([made.visit(each) for each in own.values()]))
    remote = await _read_remote_index(made)
    listed: list[Registration] = []
    if remote.index is not None and settings.remote_index is not None:
        of_remote = by_remote_index(remote.index.index, settings.remote_index)
        resolved = resolve(of_remote, min_sequence=settings.min_sequence)
        listed = [each for each in resolved if each.feature_id not in own]
        root.ledger.are_registered(each.feature_id for each in listed)
    works = await tasks.together([made.visit(each, is_stale=remote.error is not None) for each in listed])
    works += await visits
    index = None if remote.index is None else remote.index.index
    lost = leave(made, {work.feature_id for work in works}, may_go(settings, index, wanted.known))
    for row in lost:
        log.warning("%s: %s", row.feature_id, LOST)
    made.end()
    is_complete = wanted.known == OWN and (settings.remote_index is None or remote.index is not None)
    return _report(made, [work.row() for work in works] + lost, is_complete=is_complete)


async def _read_remote_index(made: Pass) -> Remote:
    root, url = made.root, made.around.settings.remote_index
    if url is None:
        return Remote()
    made.is_touched = True
    remote = await read_remote_index(url, root.layout, root.memory.remote_index, made.judge, made.around.transfer)
    if remote.error is not None:
        made.fail(remote.error)
    return remote


def _report(made: Pass, rows: Sequence[Row], *, is_complete: bool) -> Report:
    if made.around.stop():
        made.fail(TransientError(Code.TRANSPORT_FAILED, "L11", "stopped; the next run goes on from here"))
    ordered = sorted(rows, key=lambda row: row.feature_id)
    return Report(str(made.root.layout.root), made.error, ordered, is_complete)
