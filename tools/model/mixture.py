"""Why the remote index names immutable release indexes (I2): what readers would hold if it named the mutable ones.

Each publish changes one feature's release index and then the remote index. Edges keep both pointers, each for its own
max-age, and immutable objects for ever.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from random import Random

from tools.model.load import Setting
from tools.model.simulation import Edge, Run, commit_times, polls_of


@dataclass(frozen=True, slots=True)
class Mixed:
    """How often readers took over a new remote index, and how often they then held features of another moment."""

    updates: int
    mixed: int


class _History:
    """Which feature each commit changed, and what that made of it."""

    def __init__(self, setting: Setting, commits: list[float], chance: Random) -> None:
        self.commits = commits
        self.changed = [chance.randrange(setting.features) for _ in commits]
        self._moments: list[list[float]] = [[] for _ in range(setting.features)]
        self.sequence: list[int] = []
        """Of the feature changed, after each commit."""
        for commit, feature in zip(commits, self.changed, strict=True):
            self._moments[feature].append(commit)
            self.sequence.append(len(self._moments[feature]))

    def head(self, feature: int, now: float) -> int:
        """The sequence of a feature's `releases.json` at the origin."""
        return bisect_right(self._moments[feature], now)

    def stored(self, feature: int, sequence: int, now: float) -> int | None:
        """What `releases.<sequence>.json` holds, wherever it is cached; None before it is there (R5)."""
        return sequence if sequence <= self.head(feature, now) else None


def mixed_updates(setting: Setting, run: Run, *, is_pinned: bool) -> Mixed:
    """Let readers follow the remote index. `is_pinned`: they fetch `releases.<sequence>.json`, else `releases.json`."""
    chance = Random(run.seed)  # noqa: S311 (a simulation, no secret)
    history = _History(setting, commit_times(setting.rate, run.seconds, chance), chance)
    edges = [[_edge(setting, chance) for _ in range(1 + setting.features)] for _ in range(setting.edges)]
    has = [0] * setting.readers
    home = [chance.randrange(setting.edges) for _ in range(setting.readers)]
    updates = mixed = 0
    for now, reader in polls_of(setting, run, run.seconds, chance):
        remote, *releases = edges[home[reader]]
        offered = remote.answer(now, bisect_right(history.commits, now), setting.max_age, None)
        if offered <= has[reader]:
            continue
        named = {history.changed[n]: history.sequence[n] for n in range(has[reader], offered)}
        got = {
            feature: history.stored(feature, sequence, now)
            if is_pinned
            else releases[feature].answer(now, history.head(feature, now), setting.max_age, None)
            for feature, sequence in named.items()
        }
        has[reader] = offered
        updates += 1
        mixed += got != named
    return Mixed(updates, mixed)


def _edge(setting: Setting, chance: Random) -> Edge:
    return Edge(0, -chance.random() * setting.max_age, [])
