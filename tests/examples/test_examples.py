"""The example features are what a build is asked to hand over: version directories that only lack a signature."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from artifact.manifest import check_draft
from artifact.paths import MANIFEST, Limits, check_paths

EXAMPLES = Path(__file__).parents[2] / "examples"
VERSIONS = [
    "feature-icons/1.0.0",
    "feature-lab-results/1.0.0",
    "feature-notifications/1.0.0",
    "feature-patientlist/1.0.0",
    "feature-patientlist/1.1.0",
]
SMALL = [name for name in VERSIONS if not name.startswith("feature-icons/")]
SMALL_BYTES = 100_000
ADDED_BY_SIGNING = {"integrity", "sizes", "signature"}
HASHED = re.compile(r"assets/[A-Za-z-]+-[\w-]{8}\.(js|css)")


@pytest.fixture(scope="module")
def dist() -> Path:
    """examples/dist, as `make examples` leaves it."""
    folder = EXAMPLES / "dist"
    if not folder.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail("examples/dist is missing: run `make examples`")
        pytest.skip("build them first: make examples")
    return folder


def files_of(version: Path) -> dict[str, bytes]:
    """Path -> bytes of all files of a version directory but manifest.json."""
    paths = (path for path in version.rglob("*") if path.is_file())
    found = {path.relative_to(version).as_posix(): path.read_bytes() for path in paths}
    del found[MANIFEST]
    return found


def draft_of(version: Path) -> dict[str, Any]:
    draft = json.loads((version / MANIFEST).read_text(encoding="utf-8"))
    assert isinstance(draft, dict)
    return draft


def test_the_build_leaves_exactly_the_promised_version_directories(dist: Path) -> None:
    assert sorted(path.parent.relative_to(dist).as_posix() for path in dist.glob("*/*/manifest.json")) == VERSIONS


@pytest.mark.parametrize("name", VERSIONS)
def test_m1_a_draft_says_all_that_signing_does_not_add(dist: Path, name: str) -> None:
    draft = draft_of(dist / name)
    check_draft(draft, where=f"{name}/{MANIFEST}")
    assert f"{draft['id']}/{draft['version']}" == name
    assert not ADDED_BY_SIGNING & draft.keys()


@pytest.mark.parametrize("name", VERSIONS)
def test_m4_entrypoints_are_built_files_with_hashed_names(dist: Path, name: str) -> None:
    entrypoints = draft_of(dist / name)["entrypoints"]
    files = files_of(dist / name)
    for path in [*entrypoints["js"], *entrypoints["css"]]:
        assert HASHED.fullmatch(path) is not None
        assert path in files


@pytest.mark.parametrize("name", VERSIONS)
def test_the_entry_exports_what_the_host_calls(dist: Path, name: str) -> None:
    (entry,) = draft_of(dist / name)["entrypoints"]["js"]
    exports = re.search(r"export\{([^}]*)\}", (dist / name / entry).read_text(encoding="utf-8"))
    assert exports is not None
    assert {item.split(" as ")[-1] for item in exports[1].split(",")} == {"mount", "unmount"}


@pytest.mark.parametrize("name", VERSIONS)
def test_p3_p4_every_file_may_be_published(dist: Path, name: str) -> None:
    files = files_of(dist / name)
    check_paths(files, where=name)
    assert len(files) <= Limits().files


@pytest.mark.parametrize("name", SMALL)
def test_a_features_version_is_small(dist: Path, name: str) -> None:
    assert sum(map(len, files_of(dist / name).values())) < SMALL_BYTES


def test_the_features_are_of_both_types_and_in_two_frameworks(dist: Path) -> None:
    drafts = [draft_of(dist / name) for name in SMALL]
    assert {draft["featureType"] for draft in drafts} == {"domain", "facet"}
    assert len({draft["metadata"]["framework"] for draft in drafts}) == 2


def test_an_update_changes_the_entry_and_leaves_most_files_as_they_were(dist: Path) -> None:
    old, new = (files_of(dist / "feature-patientlist" / version) for version in ("1.0.0", "1.1.0"))
    kept = {path for path in old.keys() & new.keys() if old[path] == new[path]}
    assert {path.split("-")[0] for path in new.keys() - kept} == {"assets/feature"}
    assert len(kept) > len(new) / 2


def test_the_stress_feature_has_every_file_of_the_published_package(dist: Path) -> None:
    package = EXAMPLES / "node_modules" / "bootstrap-icons" / "icons"
    copied = files_of(dist / "feature-icons" / "1.0.0")
    icons = {path.name: hashlib.sha256(path.read_bytes()).digest() for path in package.iterdir()}
    assert len(icons) > 2_000
    assert {name: hashlib.sha256(copied[f"icons/{name}"]).digest() for name in icons} == icons


def test_packages_are_of_exact_versions_and_the_lock_names_no_registry() -> None:
    package = json.loads((EXAMPLES / "package.json").read_text(encoding="utf-8"))
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in package["devDependencies"].values())
    locked = json.loads((EXAMPLES / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert all("resolved" not in entry and "integrity" in entry for path, entry in locked.items() if path)
