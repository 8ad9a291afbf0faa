"""What is written down comes back as it was, and nothing else is taken for it (L7, L15)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifact.freshness import State
from artifact.versions import Version
from loader_cdn.brought import Brought, Inventory, Origin
from loader_cdn.state import Accepted, ETag, FeatureMemory, IndexMemory, Memory, load, save

SHA = st.binary(min_size=32, max_size=32).map(bytes.hex)
TEXT = st.text(min_size=1, max_size=20)
VERSION = st.tuples(*[st.integers(0, 99)] * 3).map(lambda parts: Version("{}.{}.{}".format(*parts)))
MOMENT = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 (made UTC below)
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)
FEATURE_ID = st.from_regex(r"\A[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?\Z")
ACCEPTED = st.builds(
    Accepted, st.builds(State, st.integers(1, 2**53 - 1), SHA), TEXT, st.binary(min_size=32, max_size=32)
)
ETAG = st.builds(ETag, TEXT, TEXT)
FEATURE = st.builds(
    FeatureMemory,
    st.none() | ACCEPTED,
    st.none() | ETAG,
    st.sets(VERSION, max_size=3),
    st.dictionaries(VERSION, MOMENT, max_size=3),
    st.none() | MOMENT,
)
MEMORY = st.builds(
    Memory,
    st.builds(IndexMemory, st.none() | ACCEPTED, st.none() | ETAG),
    st.dictionaries(FEATURE_ID, FEATURE, max_size=3),
)
BROUGHT = st.builds(
    Brought, st.sampled_from(Origin), st.sets(VERSION, max_size=3), st.lists(SHA, max_size=2, unique=True)
)


@settings(deadline=None)
@given(MEMORY)
def test_the_memory_comes_back_as_it_was_saved(memory: Memory) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "state.json"
        save(path, memory)
        assert load(path) == memory


@settings(deadline=None)
@given(st.dictionaries(FEATURE_ID, BROUGHT, max_size=3))
def test_what_was_brought_comes_back_as_it_was_saved(features: dict[str, Brought]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "brought.json"
        inventory = Inventory.load(path)
        inventory.features |= features
        inventory.save()
        assert Inventory.load(path).features == features


@settings(deadline=None)
@given(MEMORY, st.data())
def test_a_damaged_memory_never_ends_the_run(memory: Memory, data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "state.json"
        save(path, memory)
        content = bytearray(path.read_bytes())
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= data.draw(st.integers(1, 255))
        path.write_bytes(bytes(content))
        found = load(path)
        assert Inventory.load(path).features == {}
        save(path, found)
        assert load(path).features == found.features


@pytest.mark.parametrize("name", ["../x", "/x", ".loader", "a/b", "A", ""])
def test_no_name_that_is_no_features_is_taken_from_disk(tmp_path: Path, name: str) -> None:
    path = tmp_path / "brought.json"
    inventory = Inventory.load(path)
    inventory.features[name] = Brought(Origin.FLAG)
    inventory.save()
    assert Inventory.load(path).features == {}


def test_an_unchanged_memory_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    save(path, Memory())
    before = path.stat().st_ino
    save(path, load(path))
    assert path.stat().st_ino == before
