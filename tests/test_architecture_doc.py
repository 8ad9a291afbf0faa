"""docs/ARCHITECTURE.md: the picture is true. It names every module and every decision, and none that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "ARCHITECTURE.md").read_text("utf-8")
DECISIONS = ROOT / "docs" / "adr"


def named(package: str) -> list[str]:
    """The modules that the section about a package names."""
    section = TEXT.partition(f"### `{package}/`\n")[2].partition("\n#")[0]
    return sorted(re.findall(r"`([a-z_]+\.py)`", section))


@pytest.mark.parametrize("package", ["artifact", "publisher", "loader_cdn"])
def test_every_module_is_named(package: str) -> None:
    there = [path.name for path in (ROOT / package).rglob("*.py") if path.name != "__init__.py"]
    assert named(package) == sorted(there)


def test_every_decision_is_listed() -> None:
    listed = re.findall(r"^\| \[\d{4}\]\(adr/([^)]+)\)", TEXT, re.MULTILINE)
    assert listed == sorted(path.name for path in DECISIONS.iterdir())


def test_every_link_leads_to_a_file() -> None:
    for document in [*ROOT.glob("docs/*.md"), *ROOT.glob("docs/adr/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+\.md)(?:#[^)]*)?\)", document.read_text("utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_tests_are_where_it_says() -> None:
    for place in re.findall(r"`(tests/[^`]+)`", TEXT):
        assert (ROOT / place).exists(), place
