"""C3: `watch`, what the sidecar runs: features are visited when there is reason to, until it is told to end.

A visit's reasons are a registration that is new or another one, the poll interval, another trust store, SIGHUP, and,
after a failure, the feature's own pause. Each feature goes its own way; what is slow or broken delays no other (L8).
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Protocol

from artifact.errors import DeliveryError
from loader_cdn.around import Progress
from loader_cdn.board import Board
from loader_cdn.cluster.namespaces import Namespaces, watched
from loader_cdn.durable import disk
from loader_cdn.hashing import Hasher
from loader_cdn.hook import Hook
from loader_cdn.house import House
from loader_cdn.layout import Layout
from loader_cdn.ledger import Ledger
from loader_cdn.lock import locked
from loader_cdn.opening import open_root, remove_ready_file, write_ready_file
from loader_cdn.passes import Pass
from loader_cdn.registrations import resolve
from loader_cdn.registrations.registry import OWN, Registry, Wanted
from loader_cdn.report import Report
from loader_cdn.settings import Settings, StartWith
from loader_cdn.tracked import RemoteSource, Tracked
from loader_cdn.transfer import Network
from loader_cdn.trash import empty as empty_trash
from loader_cdn.trust import Trust
from loader_cdn.visits import Visits

JITTER = 0.1
"""Of the poll interval: pods that were started together do not ask together for ever."""
LONGEST_PAUSE = 8
"""Poll intervals: the longest pause of a feature that fails again and again. It begins with one."""

log = logging.getLogger(__name__)


class Told(Protocol):
    """What comes from outside between two passes, and the time that they are measured by."""

    @property
    def is_told_to_end(self) -> bool: ...

    def take_look(self) -> bool:
        """Whether a pass was asked for that verifies everything on disk."""
        ...

    def monotonic(self) -> float:
        """Seconds."""
        ...

    def wait(self, seconds: float, has_changed: Callable[[], bool]) -> None:
        """Until the time is over, or something is told or has changed."""
        ...

    def wake(self) -> None:
        """End a wait. May be called by any thread."""
        ...


def watch(
    settings: Settings,
    told: Told,
    *,
    progress: Progress,
    board: Board,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> DeliveryError | None:
    """Visit features until the process is told to end. What kept it from beginning, or None.

    What goes wrong later ends nothing: it is logged, told on the board, and tried again (L8).
    """
    layout = Layout(settings.root)
    try:
        with ExitStack() as stack:
            trust = Trust(settings.trust_keys)
            remove_ready_file(settings.ready_file)
            open_root(layout)
            stack.enter_context(disk(layout.lock))
            cluster = stack.enter_context(
                watched(
                    wanted=settings.kubernetes, names=settings.namespaces, selector=settings.selector, changed=told.wake
                )
            )
            stack.enter_context(locked(layout.lock, deadline=float("inf"), stop=lambda: told.is_told_to_end))
            board.is_waiting = False
            empty_trash(layout.trash)
            network = stack.enter_context(Network(settings.transfer, stop=lambda: told.is_told_to_end))
            hasher = stack.enter_context(Hasher.start())
            visits = Visits(
                settings, trust, progress, clock, Ledger.load(layout), network, hasher, lambda: told.is_told_to_end
            )
            watching = _Watch(settings, told, trust, board, clock, cluster, visits)
            stack.callback(watching.close)
            watching.run()
    except DeliveryError as error:
        if told.is_told_to_end:
            return None
        log.error("%s", error)
        return error
    return None


class _Watch:
    """A root whose lock is held: what is registered, and when it is visited."""

    def __init__(
        self,
        settings: Settings,
        told: Told,
        trust: Trust,
        board: Board,
        clock: Callable[[], datetime],
        cluster: Namespaces | None,
        visits: Visits,
    ) -> None:
        self._settings, self._told, self._trust, self._board, self._clock = settings, told, trust, board, clock
        self._visits = visits
        self._network, self._tasks = visits.network, visits.network.tasks
        self._registry = Registry(settings, cluster)
        if cluster is not None:
            board.registrations_age = lambda: cluster.seconds_since_heard
        self._hook = None if settings.on_swap is None else Hook(settings.on_swap, board)
        self._features: dict[str, Tracked] = {}
        self._going: dict[str, Tracked] = {}
        """Not registered any more, and still being visited: nobody else may touch these."""
        self._wanted = Wanted((), (), frozenset())
        self._seen: object = None
        self._house = House(settings, board, visits)
        now = told.monotonic()
        self._round_due, self._house_due, self._ready_due = now, float("inf"), now
        self._remote = None if settings.remote_index is None else RemoteSource(settings.remote_index, due=now)

    def run(self) -> None:
        while not self._told.is_told_to_end:
            self._notice()
            self._start()
            self._tell_ready()
            self._board.beat = time.monotonic()
            if self._tasks.alive:
                self._network.turn()
            else:
                self._rest()

    def close(self) -> None:
        """End all visits where they are."""
        self._visits.close()
        for source in self._sources:
            source.is_busy = False
        self._going.clear()
        self._house_due = self._told.monotonic()

    @property
    def _sources(self) -> list[Tracked | RemoteSource]:
        remote = [] if self._remote is None else [self._remote]
        return [*remote, *self._features.values()]

    def _rest(self) -> None:
        """Nothing is to be done until the next moment, or until something is told."""
        due = min([self._round_due, self._house_due, *(source.due for source in self._sources)])
        self._told.wait(max(0.0, due - self._told.monotonic()), self._has_changed)

    def _has_changed(self) -> bool:
        return self._trust.has_changed() or self._registry.state() != self._seen

    # What has changed

    def _notice(self) -> None:
        now = self._told.monotonic()
        if self._told.take_look():
            self._look_again()
        if self._trust.has_changed() or now >= self._round_due:
            self._read_trust()
        if now >= self._round_due:
            self._round_due = now + self._jittered(self._settings.poll)
            self._house_due = now
        if self._registry.state() != self._seen:
            self._read_registrations()
        if now >= self._house_due:
            self._house_due = float("inf")
            self._tasks.start(self._keep_house())

    def _look_again(self) -> None:
        """Everything is verified, to the last byte, and now."""
        self._visits.forget()
        self._house.is_looked_through = False
        self._round_due = self._told.monotonic()
        for source in self._sources:
            source.due = self._round_due
        for tracked in [*self._features.values(), *self._going.values()]:
            tracked.look_again()

    def _read_trust(self) -> None:
        """S5: what was verified with another trust store is verified again."""
        before = self._trust.store
        if self._trust.read() != before:
            self.close()
            if self._remote is not None:
                self._remote.forget()
                self._take_over()
            self._look_again()

    def _read_registrations(self) -> None:
        """Take over what is registered now."""
        self._seen = self._registry.state()
        self._wanted = self._registry.read(self._visits.ledger.inventory)
        self._board.problems = self._wanted.problems
        self._board.registrations_known = self._wanted.known == OWN
        self._board.registrations_error = self._wanted.error
        self._take_over()

    def _take_over(self) -> None:
        """Track exactly what is registered: what is new, or another registration, is due now."""
        of_remote = () if self._remote is None else self._remote.registrations()
        registrations = resolve(self._wanted.registrations, of_remote, min_sequence=self._settings.min_sequence)
        now = self._told.monotonic()
        before, self._features = self._features, {}
        for registration in registrations:
            feature_id = registration.feature_id
            tracked = before.pop(feature_id, None) or self._going.pop(feature_id, None) or Tracked(registration, now)
            tracked.follow(registration, now)
            self._features[feature_id] = tracked
        for feature_id, tracked in before.items():
            self._board.features.pop(feature_id, None)
            self._house_due = now
            if tracked.is_busy:
                self._going[feature_id] = tracked
        self._visits.ledger.are_registered(self._features.keys())

    # What is to be done

    def _start(self) -> None:
        """Begin what is due."""
        now = self._told.monotonic()
        if self._remote is not None and self._remote.is_due(now):
            self._remote.is_busy = True
            self._tasks.start(self._ask_remote(self._remote))
        due = [tracked for tracked in self._features.values() if tracked.is_due(now)]
        due = [tracked for tracked in due if not self._is_settled(tracked)]
        if due:
            for tracked in due:
                tracked.is_busy = True
            self._tasks.start(self._visit_all(due))

    async def _ask_remote(self, remote: RemoteSource) -> None:
        before = remote.held
        with self._visits.making() as made:
            await remote.ask(made, self._clock)
        remote.is_busy, remote.due = False, self._round_due
        self._board.remote = remote.status
        if remote.held is not before:
            self._take_over()

    async def _visit_all(self, due: Iterable[Tracked]) -> None:
        """Each for itself; those that there is something to do for share their swaps."""
        with self._visits.making() as made:
            await self._tasks.together([self._visit(tracked, made) for tracked in due])
        self._board.error = made.error

    def _is_settled(self, tracked: Tracked) -> bool:
        """Whether there is nothing to do; then it is due with the next round."""
        if not tracked.is_settled(self._clock(), is_stale=self._is_stale(tracked)):
            return False
        tracked.due = self._round_due
        self._show(tracked)
        return True

    def _is_stale(self, tracked: Tracked) -> bool:
        """Whether the list that names it could not be renewed."""
        is_listed = tracked.registration.pinned is not None
        return is_listed and self._remote is not None and self._remote.error is not None

    def _show(self, tracked: Tracked) -> None:
        feature_id = tracked.registration.feature_id
        if self._features.get(feature_id) is tracked and tracked.status is not None:
            self._board.features[feature_id] = tracked.status

    async def _visit(self, tracked: Tracked, made: Pass) -> None:
        registration = tracked.registration
        if await tracked.visit(made, self._clock, is_stale=self._is_stale(tracked)):
            self._tell_changed(tracked)
        tracked.is_busy = False
        if self._going.pop(registration.feature_id, None) is not None:
            self._house_due = self._told.monotonic()
        is_over = tracked.registration == registration and not tracked.takes_another_look()
        tracked.due = self._next(tracked.failures) if is_over else self._told.monotonic()
        self._show(tracked)
        self._board.stats = self._network.stats

    def _tell_changed(self, tracked: Tracked) -> None:
        """What stands is another state, or nothing any more."""
        standing = None if tracked.status is None else tracked.status.row.standing
        if standing is not None:
            log.info("%s: %s, sequence %d", standing.feature_id, standing.active, standing.sequence)
        if self._hook is not None:
            self._hook.fire(tracked.registration.feature_id)

    async def _keep_house(self) -> None:
        wanted = self._features.keys() | self._going.keys()
        remote = None if self._remote is None else self._remote.index
        gone = self._house.keep(wanted, None if self._is_waiting_for_lists else self._wanted, remote)
        for feature_id in sorted(gone):
            if self._hook is not None:
                self._hook.fire(feature_id)
        left = self._house.until_next(wanted)
        if left is not None:
            self._house_due = min(self._house_due, self._told.monotonic() + max(1.0, left.total_seconds()))

    @property
    def _is_waiting_for_lists(self) -> bool:
        """Whether a source of registrations has neither told nor failed yet."""
        is_asking = self._wanted.known != OWN and self._wanted.error is None
        return is_asking or (self._remote is not None and self._remote.status is None)

    def _next(self, failures: int) -> float:
        """When to try again: with the next round; after failures later and later."""
        if failures == 0:
            return self._round_due
        pause = self._settings.poll * min(2 ** (failures - 1), LONGEST_PAUSE)
        return self._told.monotonic() + self._jittered(pause)

    def _jittered(self, seconds: float) -> float:
        return seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 (no secret)

    # What is told

    def _tell_ready(self) -> None:
        """L10: every registration was tried once, and is in place or reported, or all is there that a host needs."""
        if self._board.is_ready or self._told.is_told_to_end or self._told.monotonic() < self._ready_due:
            return
        rows = [tracked.status.row for tracked in self._features.values() if tracked.status is not None]
        is_complete = (
            len(rows) == len(self._features)
            and self._wanted.known == OWN
            and (self._remote is None or self._remote.index is not None)
        )
        report = Report(str(self._settings.root), None, rows, is_complete)
        if not is_complete or not report.lets_start(self._settings.start_with or StartWith.ANY):
            return
        try:
            if self._settings.ready_file is not None:
                write_ready_file(self._settings.ready_file, report)
            self._board.is_ready = True
        except DeliveryError as error:
            log.error("%s", error)
            self._ready_due = self._told.monotonic() + self._settings.poll
