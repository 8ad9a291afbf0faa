"""What probes are told. Stale is not dead: a source that is away makes no loader unhealthy; no restart would help."""

from __future__ import annotations

import time

from loader_cdn.board import Board

STUCK_SECONDS = 300.0
"""A loop that did not turn for so long hangs: no step of it waits for the network, or for a disk as long as that."""


def healthy(board: Board) -> tuple[bool, str]:
    """Whether the loop turns, or waits for another loader."""
    if board.beat is None:
        return True, "waiting for another loader" if board.is_waiting else "starting"
    since = time.monotonic() - board.beat
    if since > STUCK_SECONDS:
        return False, f"the loop has not turned for {since:.0f} s"
    return True, "ok"


def ready(board: Board) -> tuple[bool, str]:
    """L10: whether the first full pass has ended. It stays so: what fails later keeps the last good state."""
    if board.is_ready:
        return True, "ok"
    if board.is_waiting:
        return False, "another loader works on this root"
    if not board.registrations_known:
        return False, "the registrations are not known yet"
    if board.remote is not None and board.remote.index is None:
        return False, "no remote index was accepted yet"
    return False, "the first pass has not ended"
