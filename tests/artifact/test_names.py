"""P1, P2, P3, F5: names, versions and their order, paths, times."""

from __future__ import annotations

import base64
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifact.errors import Code, ContentError
from artifact.fields import format_time, parse_time, strict_base64, whole_seconds
from artifact.paths import check_path, check_paths
from artifact.versions import Version, check_feature_id
from tests.artifact.strategies import in_the_way, path_lists, path_sets, paths, versions
from tests.vectors.judge import JSON, answer, load

NAMES = load("names.json")
WHERE = "test"


def _cases(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", NAMES[name], ids=lambda case: repr(case.get("name", case.get("text")))[:40])


def _code(judge: Callable[..., object], value: object) -> str:
    return answer(judge, value, where=WHERE)


@_cases("featureIds")
def test_a_feature_id_is_a_dns_label(case: JSON) -> None:
    assert _code(check_feature_id, case["text"]) == case["code"]


@_cases("versions")
def test_a_version_is_semver_without_build_metadata(case: JSON) -> None:
    assert _code(Version, case["text"]) == case["code"]


@_cases("paths")
def test_a_path_is_relative_printable_and_never_repaired(case: JSON) -> None:
    """T05."""
    assert _code(check_path, case["text"]) == case["code"]
    assert _code(check_paths, [case["text"]]) == case["code"]


@_cases("pathSets")
def test_paths_of_a_version_do_not_collide(case: JSON) -> None:
    """T05."""
    assert _code(check_paths, case["paths"]) == case["code"]
    assert _code(check_paths, list(reversed(case["paths"]))) == case["code"]


@_cases("times")
def test_a_time_is_rfc_3339_in_utc_with_z(case: JSON) -> None:
    if case["code"] == "ok":
        assert format_time(parse_time(case["text"])) == case["written"]
    else:
        with pytest.raises(ValueError, match=r"."):
            parse_time(case["text"])


@given(st.datetimes(timezones=st.just(UTC)))
@settings(deadline=None)
def test_a_time_is_read_back_unchanged(moment: datetime) -> None:
    assert parse_time(format_time(moment)) == moment
    assert format_time(whole_seconds(moment)) == format_time(moment)[:19] + "Z"


def test_versions_stand_in_the_order_of_semver() -> None:
    """SemVer 11, its own example among them."""
    ascending = [Version(text) for text in NAMES["ascendingVersions"]]
    for number, lower in enumerate(ascending):
        for higher in ascending[number + 1 :]:
            assert lower < higher
            assert higher > lower
            assert lower != higher


@given(st.lists(versions(), min_size=3, max_size=3))
@settings(deadline=None)
def test_the_order_of_versions_is_total(texts: list[str]) -> None:
    a, b, c = (Version(text) for text in texts)
    assert (a < b) + (a == b) + (a > b) == 1
    assert not (a < b < c) or a < c
    assert (a == b) == (a.text == b.text)
    assert a != b or hash(a) == hash(b)


@given(versions(), versions())
@settings(deadline=None)
def test_precedence_is_that_of_the_specification(one: str, other: str) -> None:
    assert (Version(one) < Version(other)) == _lower(one, other)


def _lower(one: str, other: str) -> bool:
    """SemVer 11, read aloud."""
    (release, _, pre), (other_release, _, other_pre) = one.partition("-"), other.partition("-")
    numbers, other_numbers = ([int(part) for part in text.split(".")] for text in (release, other_release))
    if numbers != other_numbers:
        return numbers < other_numbers
    if not pre or not other_pre:
        return bool(pre) and not other_pre
    for left, right in zip(pre.split("."), other_pre.split("."), strict=False):
        if left == right:
            continue
        if left.isdigit() and right.isdigit():
            return int(left) < int(right)
        if left.isdigit() or right.isdigit():
            return left.isdigit()
        return left < right
    return pre.count(".") < other_pre.count(".")


@given(paths)
@settings(deadline=None)
def test_an_allowed_path_comes_back_as_it_is(path: str) -> None:
    if path.lower().split("/")[0] != "manifest.json":
        assert check_path(path, where=WHERE) == path


@given(paths, st.sampled_from([*'\\:*?"<>|#% \t\n\x00\x7f', "é", "\u202e"]), st.data())
@settings(deadline=None)
def test_one_forbidden_character_anywhere_refuses_a_path(path: str, bad: str, data: st.DataObject) -> None:
    """T05."""
    at = data.draw(st.integers(0, len(path)))
    with pytest.raises(ContentError) as refusal:
        check_path(path[:at] + bad + path[at:], where=WHERE)
    assert refusal.value.code == Code.PATH_INVALID


@given(path_lists)
@settings(deadline=None)
def test_collisions_are_found_whatever_stands_between(listed: list[str]) -> None:
    """T05: against another way to say the same."""
    assert (_code(check_paths, listed) == "path_invalid") == in_the_way(listed)


@given(path_sets)
@settings(deadline=None)
def test_paths_collide_with_themselves_in_capitals(listed: list[str]) -> None:
    """T05."""
    for path in listed:
        assert _code(check_paths, [*listed, path.swapcase()]) == "path_invalid"


def test_deep_paths_take_no_more_memory_than_their_own() -> None:
    """T04: a manifest of 1 MiB cannot make a reader allocate hundreds."""
    deep = [f"{number:04}/" + "a/" * 500 + "x" for number in range(900)]
    tracemalloc.start()
    try:
        check_paths(deep, where=WHERE)
        assert tracemalloc.get_traced_memory()[1] < 8 * sum(len(path) for path in deep)
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=70))
@settings(deadline=None)
def test_base64_has_one_spelling(data: bytes) -> None:
    """S2."""
    text = base64.b64encode(data).decode()
    assert strict_base64(text) == data
    for other in (text + "\n", " " + text, text + "=", text.replace("=", "") + "-", text + "é"):
        with pytest.raises(ValueError, match="base64"):
            strict_base64(other)
