"""Values to try: JSON, paths, versions, trees of files."""

from __future__ import annotations

import string
from typing import Any

from hypothesis import strategies as st

_ODD = '"\\/\b\n\x00\x1f\x7f\x80é\u2028\ue000\ufb33\uffff\U00010000\U0001f600\U0010ffff'

texts = st.text() | st.text(alphabet=_ODD, max_size=4)
integers = st.integers(-(2**53) + 1, 2**53 - 1)


def _nested(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(children, max_size=4) | st.dictionaries(texts, children, max_size=4)


values = st.recursive(st.none() | st.booleans() | integers | texts, _nested, max_leaves=12)
documents = st.dictionaries(texts, values, max_size=5)

_LETTERS = string.ascii_letters + string.digits
_SEGMENT = st.text(alphabet=_LETTERS + "!$&'()+,-;=@[]^_`{}~", min_size=1, max_size=12)
_LONG_SEGMENT = st.integers(90, 255).map(lambda length: "s" * length)
segments = _SEGMENT | st.builds("{}.{}".format, _SEGMENT, _SEGMENT) | _LONG_SEGMENT


def _in_the_way(paths: list[str]) -> bool:
    """P3, said in another way than `check_paths` does: with sets of all folders."""
    lower = [path.lower() for path in paths]
    folders = {"/".join(path.split("/")[:depth]) for path in lower for depth in range(1, path.count("/") + 1)}
    return len(set(lower)) < len(lower) or not folders.isdisjoint(lower) or "manifest.json" in folders | set(lower)


paths = st.lists(segments, min_size=1, max_size=6).map("/".join).filter(lambda path: len(path) <= 1024)
path_lists = st.lists(paths, max_size=8)
path_sets = path_lists.filter(lambda paths: not _in_the_way(paths))
in_the_way = _in_the_way

trees = path_sets.flatmap(lambda paths: st.fixed_dictionaries({path: st.binary(max_size=1500) for path in paths}))

_numbers = st.integers(0, 12) | st.integers(0, 10**20)
_identifiers = st.text(alphabet=_LETTERS + "-", min_size=1, max_size=4).filter(
    lambda text: not (text.isdigit() and text.startswith("0") and len(text) > 1)
)


@st.composite
def versions(draw: st.DrawFn) -> str:
    """The text of a version that P2 allows."""
    release = ".".join(str(draw(_numbers)) for _ in range(3))
    parts = draw(st.lists(_identifiers | _numbers.map(str), max_size=4))
    return f"{release}-{'.'.join(parts)}" if parts else release
