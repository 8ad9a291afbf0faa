"""The fuzzer's targets run here, too, on their seeds and some noise: without atheris, so that they stay whole."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS, attempt


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_has_seeds_and_finds_nothing_in_them(name: str) -> None:
    seeds = list(TARGETS[name].seeds())
    assert len(seeds) > 10
    for seed in seeds:
        attempt(TARGETS[name], seed)


@given(st.data())
@settings(deadline=None, max_examples=150)
def test_cut_and_mixed_seeds_find_nothing(data: st.DataObject) -> None:
    """T04."""
    name = data.draw(st.sampled_from(list(TARGETS)))
    seeds = list(TARGETS[name].seeds())
    one, other = (data.draw(st.sampled_from(seeds)) for _ in range(2))
    end, start = data.draw(st.integers(0, len(one))), data.draw(st.integers(0, len(other)))
    attempt(TARGETS[name], one[:end] + data.draw(st.binary(max_size=3)) + other[start:])
