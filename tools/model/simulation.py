"""Readers that poll one pointer over edges that go stale each on its own: event by event, the same for the same seed.

An origin commits states 1, 2, 3, … of the pointer. An edge answers from its copy until that is max-age old or purged.
A reader accepts what is newer than what it has, and refuses what is older (R4). With `wandering`, some polls go to
another edge than the reader's own, as anycast may route them.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from tools.model.load import Setting

RESOLUTION = 0.1
"""Seconds of one bar of the histogram of lateness."""

PAUSE = 1.0
"""I3: seconds between two commits; what is published meanwhile is one commit."""


@dataclass(frozen=True, slots=True)
class Run:
    """How long, and what is not in `Setting`: all in seconds. Readers start within `starting` (None: one poll)."""

    seconds: float = 3_600.0
    wandering: float = 0.0
    starting: float | None = None
    seed: int = 1


@dataclass(slots=True)
class Outcome:
    """What was counted after the warm-up, in `seconds`. Lateness is of commits that all readers had time to get."""

    seconds: float
    commits: int = 0
    unchanged: int = 0
    changed: int = 0
    refused: int = 0
    went_back: int = 0
    origin_unchanged: int = 0
    origin_changed: int = 0
    polls_in_second: dict[int, int] = field(default_factory=dict)
    late: dict[int, int] = field(default_factory=dict)
    latest: float = 0.0

    def answered(self, now: float, before: int, offered: int) -> None:
        """A reader that had state `before` was offered another, or the same."""
        if offered == before:
            self.unchanged += 1
        elif offered > before:
            self.changed += 1
        else:
            self.refused += 1
        second = int(now)
        self.polls_in_second[second] = self.polls_in_second.get(second, 0) + 1

    def fetched(self, *, whole: bool) -> None:
        """An edge asked the origin."""
        if whole:
            self.origin_changed += 1
        else:
            self.origin_unchanged += 1

    def brought(self, now: float, commits: list[float]) -> None:
        """These commits have come to a reader."""
        for commit in commits:
            late = now - commit
            bar = int(late / RESOLUTION)
            self.late[bar] = self.late.get(bar, 0) + 1
            self.latest = max(self.latest, late)

    @property
    def polls(self) -> int:
        return self.unchanged + self.changed + self.refused

    @property
    def origin_requests(self) -> int:
        return self.origin_unchanged + self.origin_changed

    def lateness(self, share: float) -> float:
        """Seconds within which `share` of (reader, commit) were brought together."""
        wanted, seen = share * sum(self.late.values()), 0
        for bar in sorted(self.late):
            seen += self.late[bar]
            if seen >= wanted:
                return (bar + 1) * RESOLUTION
        return 0.0


@dataclass(slots=True)
class Edge:
    """One edge's copy of the pointer, when it was fetched, and when purges reach this edge (latest first)."""

    state: int
    fetched: float
    purges: list[float]

    def answer(self, now: float, head: int, max_age: float, outcome: Outcome | None) -> int:
        """The state that a request gets, after a fetch where the copy is of no use any more.

        A purged copy is fetched whole; an old one is asked for conditionally.
        """
        is_purged = bool(self.purges) and self._take_purges(now)
        if is_purged or now >= self.fetched + max_age:
            if outcome is not None:
                outcome.fetched(whole=is_purged or self.state != head)
            self.state, self.fetched = head, now
        return self.state

    def _take_purges(self, now: float) -> bool:
        """Whether a purge has reached the copy since it was fetched."""
        is_purged = False
        while self.purges and self.purges[-1] <= now:
            is_purged |= self.purges.pop() > self.fetched
        return is_purged


def simulate(setting: Setting, run: Run) -> Outcome:
    """Let readers poll for `run.seconds`, after a warm-up that is not counted."""
    chance = Random(run.seed)  # noqa: S311 (a simulation, no secret)
    warm = setting.cycle + 2 * setting.poll * (1 + setting.jitter)
    start = warm if run.starting is None else 0.0
    end = warm + run.seconds
    commits = commit_times(setting.rate, end, chance)
    outcome = Outcome(end - start, commits=bisect_left(commits, end) - bisect_left(commits, start))
    first, last = bisect_left(commits, warm), bisect_left(commits, end - warm)
    edges = _edges(setting, commits, chance)
    home = [edges[chance.randrange(setting.edges)] for _ in range(setting.readers)]
    has = [0] * setting.readers
    head = 0
    for now, reader in polls_of(setting, run, end, chance):
        while head < len(commits) and commits[head] <= now:
            head += 1
        edge = home[reader]
        if run.wandering and chance.random() < run.wandering:
            edge = chance.choice(edges)
        offered = edge.answer(now, head, setting.max_age, outcome if now >= start else None)
        before = has[reader]
        if offered > before:  # R4
            has[reader] = offered
            outcome.brought(now, commits[max(before, first) : min(offered, last)])
        outcome.went_back += has[reader] < before
        if now >= start:
            outcome.answered(now, before, offered)
    return outcome


def polls_of(setting: Setting, run: Run, end: float, chance: Random) -> Iterator[tuple[float, int]]:
    """Moments before `end`, in order, and the reader that polls then."""
    spread = setting.poll if run.starting is None else run.starting
    agenda = [(chance.random() * spread, reader) for reader in range(setting.readers)]
    heapq.heapify(agenda)
    shortest, width = setting.poll * (1 - setting.jitter), 2 * setting.poll * setting.jitter
    while agenda[0][0] < end:
        now, reader = agenda[0]
        heapq.heapreplace(agenda, (now + shortest + width * chance.random(), reader))
        yield now, reader


def commit_times(rate: float, end: float, chance: Random) -> list[float]:
    """When states are committed: publishes at random, those within a pause in one commit after it."""
    commits: list[float] = []
    moment = chance.expovariate(rate)
    while moment < end:
        at = max(moment, commits[-1] + PAUSE) if commits else moment
        commits.append(at)
        while moment <= at:
            moment += chance.expovariate(rate)
    return commits


def _edges(setting: Setting, commits: list[float], chance: Random) -> list[Edge]:
    reached = [chance.random() < setting.reach for _ in range(setting.edges)]
    purges = [] if setting.purge is None else [commit + setting.purge for commit in reversed(commits)]
    return [Edge(0, -chance.random() * setting.max_age, list(purges) if is_reached else []) for is_reached in reached]
