"""R3, R4, R6, L13: what may follow what a reader has accepted before. The vectors say the same in JSON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifact.errors import Code, ContentError
from artifact.freshness import CLOCK_TOLERANCE, State, check_expiry, check_sequence, is_expired

DIGESTS = ("a" * 64, "b" * 64)
states = st.builds(State, st.integers(1, 6), st.sampled_from(DIGESTS))
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def _answer(new: State, previous: str | None, last: State | None, minimum: int) -> str:
    try:
        check_sequence(new, previous, last=last, minimum=minimum, where="test")
    except ContentError as error:
        return str(error.code)
    return "ok"


@given(states, st.none() | st.sampled_from(DIGESTS), st.none() | states, st.integers(0, 7))
@settings(deadline=None, max_examples=500)
def test_a_sequence_never_goes_down_nor_forks(
    new: State, previous: str | None, last: State | None, minimum: int
) -> None:
    """R3, R4, T07, T08."""
    same = last is not None and new.sequence == last.sequence
    next_one = last is not None and new.sequence == last.sequence + 1
    expected = "ok"
    if (same and new != last) or (last is not None and next_one and previous not in (None, last.sha256)):
        expected = "sequence_fork"
    if new.sequence < minimum or (last is not None and new.sequence < last.sequence):
        expected = "sequence_rollback"
    assert _answer(new, previous, last, minimum) == expected


@pytest.mark.parametrize(
    ("after_expiry", "expired"),
    [(timedelta(0), False), (CLOCK_TOLERANCE, False), (CLOCK_TOLERANCE + timedelta(microseconds=1), True)],
)
def test_expiry_is_judged_with_five_minutes_for_clocks(after_expiry: timedelta, expired: bool) -> None:
    """T09, T38."""
    assert timedelta(minutes=5) == CLOCK_TOLERANCE
    assert is_expired(NOW, NOW + after_expiry) == expired


def test_an_index_without_expiry_does_not_expire() -> None:
    check_expiry(None, datetime.max.replace(tzinfo=UTC), where="test")


def test_the_ends_of_time_are_no_fault() -> None:
    """T38."""
    check_expiry(datetime.max.replace(tzinfo=UTC), NOW, where="test")
    with pytest.raises(ContentError) as refusal:
        check_expiry(datetime.min.replace(tzinfo=UTC), NOW, where="test")
    assert refusal.value.code == Code.EXPIRED
