"""The closed form: how long after a commit a reader asks an edge that knows of it."""

from __future__ import annotations

import math

from tools.model.load import Setting

_STEPS = 1_000
_HALVINGS = 50


def bound(setting: Setting) -> float:
    """Seconds after which no reader is without the commit: what an edge may keep, and one poll with its jitter."""
    kept = setting.max_age if setting.purge is None or setting.reach < 1 else min(setting.max_age, setting.purge)
    return kept + setting.poll * (1 + setting.jitter)


def quantile(setting: Setting, share: float) -> float:
    """Seconds within which `share` of the readers have asked an edge that knows of a commit."""
    low, high = 0.0, bound(setting)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _arrived(setting, middle) < share else (low, middle)
    return high


def _arrived(setting: Setting, seconds: float) -> float:
    """The share of readers that have it after `seconds`: an edge's wait, then what was left of a reader's own."""
    longest = setting.poll * (1 + setting.jitter)
    step = longest / _STEPS
    waits = ((number + 0.5) * step for number in range(_STEPS))
    return math.fsum(_left(setting, wait) * step * _edge_knows(setting, seconds - wait) for wait in waits)


def _left(setting: Setting, seconds: float) -> float:
    """Density of what is left of a reader's poll interval at a moment that knows nothing of it."""
    shortest, longest = setting.poll * (1 - setting.jitter), setting.poll * (1 + setting.jitter)
    if seconds <= shortest:
        return 1 / setting.poll
    return (longest - seconds) / (longest - shortest) / setting.poll if seconds < longest else 0.0


def _edge_knows(setting: Setting, seconds: float) -> float:
    """The share of edges that answer with a commit `seconds` after it, by max-age or by purge.

    In the rest of a cycle a copy is older than max-age: the next request fetches a new one.
    """
    if seconds < 0:
        return 0.0
    old = max(0.0, setting.max_age - seconds) / setting.cycle
    is_purged = setting.purge is not None and seconds >= setting.purge
    return 1 - old * (1 - setting.reach if is_purged else 1)
