"""Trying again what failed for now (T43)."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from artifact.errors import Code, TransientError

T = TypeVar("T")


class UnansweredError(TransientError):
    """One try that failed for now (`transport_failed`). It may have been carried out all the same.

    `retry_after` is what the storage asked for, in seconds.
    """

    def __init__(self, what: str, *, where: str, seen: object = None, retry_after: float = 0.0) -> None:
        super().__init__(Code.TRANSPORT_FAILED, "W1", what, where=where, seen=seen)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Backoff:
    """`tries` in all; the pause between two of them doubles from `first` to `most` seconds, with jitter."""

    tries: int = 6
    first: float = 0.25
    most: float = 10.0

    def run(self, call: Callable[[int], T]) -> T:
        """What `call` returns; it is called with the number of tries before, and again while it raises UnansweredError.

        Where that number is not 0, an earlier try may have succeeded with its answer lost.
        """
        for tried in range(self.tries - 1):
            try:
                return call(tried)
            except UnansweredError as error:
                time.sleep(self._pause(tried, error.retry_after))
        return call(self.tries - 1)

    def _pause(self, tried: int, retry_after: float) -> float:
        longest: float = min(self.most, max(self.first * 2**tried, retry_after))
        return random.uniform(longest / 2, longest)  # noqa: S311 (spreads load, keeps no secret)
