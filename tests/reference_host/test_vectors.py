"""The module that ends the trust chain in the browser accepts and refuses what the rules say: every vector, in Node."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.reference_host import node
from tests.vectors.judge import load, vectors

DOCUMENTS = [
    "trust.json", "documents.json", "manifests.json", "release-indexes.json", "remote-indexes.json", "links.json",
    "histories.json",
]  # fmt: skip
NAMES = ["featureIds", "versions", "paths", "pathSets", "times"]


@pytest.fixture(scope="module")
def said() -> dict[str, list[Any]]:
    """The module's answers by file, or by list of names.json."""
    answers: dict[str, list[Any]] = json.loads(node.run(Path(__file__).with_name("judge.mjs")))
    return answers


def _compare(expected: list[dict[str, Any]], answers: list[dict[str, Any]]) -> None:
    differ = [
        (vector.get("name", vector.get("text")), vector.get("code", "ok"), answer["code"])
        for vector, answer in zip(expected, answers, strict=True)
        if vector.get("code", "ok") != answer["code"] or vector.get("canonical") != answer.get("canonical")
    ]
    assert differ == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_are_judged_as_the_rules_say(said: dict[str, list[Any]], name: str) -> None:
    _compare(vectors(name), said[name])


@pytest.mark.parametrize("name", NAMES)
def test_names_are_judged_as_the_rules_say(said: dict[str, list[Any]], name: str) -> None:
    _compare(load("names.json")[name], said[name])


def test_p2_versions_are_in_the_order_of_semver(said: dict[str, list[Any]]) -> None:
    assert said["ascendingVersions"] == load("names.json")["ascendingVersions"]


def test_f_another_implementations_documents_are_judged_as_it_judges_them(said: dict[str, list[Any]]) -> None:
    foreign = load("foreign/canonical.json")
    _compare(foreign["accepted"] + foreign["refused"], said["foreign"])
