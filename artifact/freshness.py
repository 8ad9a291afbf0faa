"""R3, R4, R6, L13: whether a verified index may follow what a reader has accepted before."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from artifact.errors import Code, ContentError
from artifact.fields import format_time
from artifact.releases import ReleaseIndex
from artifact.versions import Version

CLOCK_TOLERANCE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class State:
    """One state of a release index or a remote index: its counter and the hex SHA-256 of its bytes."""

    sequence: int
    sha256: str


def check_sequence(new: State, previous_sha256: str | None, *, last: State | None, minimum: int, where: str) -> None:
    """R4 and, where the state directly before is known, the chain of R3.

    `last` is what was accepted before (None: nothing is known), `minimum` the floor that a registration sets.
    Raises ContentError `sequence_rollback` or `sequence_fork`.
    """
    floor = max(minimum, last.sequence if last is not None else 0)
    if new.sequence < floor:
        raise ContentError(
            Code.SEQUENCE_ROLLBACK,
            "R4",
            "an older index than the one accepted before",
            where=where,
            expected=f"sequence {floor} or higher",
            seen=new.sequence,
        )
    if last is None:
        return
    if new.sequence == last.sequence and new.sha256 != last.sha256:
        raise _fork(f"two different indexes of sequence {new.sequence}", last.sha256, new.sha256, where, "R4")
    if new.sequence == last.sequence + 1 and previous_sha256 not in (None, last.sha256):
        raise _fork(
            f"sequence {new.sequence} does not follow the sequence {last.sequence} accepted before",
            last.sha256,
            previous_sha256,
            where,
            "R3",
        )


def check_expiry(expires_at: datetime | None, now: datetime, *, where: str) -> None:
    """L13: no expired index is accepted as new, with 5 minutes for clocks. Raises ContentError `expired`."""
    if is_expired(expires_at, now):
        assert expires_at is not None
        raise ContentError(
            Code.EXPIRED,
            "L13",
            "the index has expired",
            where=where,
            expected=f"an expiry after {format_time(now)}",
            seen=format_time(expires_at),
        )


def is_expired(expires_at: datetime | None, now: datetime) -> bool:
    """Whether the moment has passed, tolerance included; an index without `expiresAt` does not expire."""
    return expires_at is not None and now - CLOCK_TOLERANCE > expires_at


def check_withdrawn(new: ReleaseIndex, withdrawn: Collection[Version], *, where: str) -> None:
    """R6: a version whose withdrawal was accepted is refused from then on. Raises ContentError `version_withdrawn`."""
    for entry in new.entries:
        if entry.version in withdrawn:
            raise ContentError(
                Code.VERSION_WITHDRAWN,
                "R6",
                "lists a version whose withdrawal was accepted before",
                where=where,
                seen=entry.version.text,
            )


def _fork(what: str, expected: str, seen: str | None, where: str, rule: str) -> ContentError:
    return ContentError(Code.SEQUENCE_FORK, rule, what, where=where, expected=expected, seen=seen)
