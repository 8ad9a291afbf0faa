"""What the house promises: locks that say what is installed and name no place it comes from; targets that explain."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests import parts

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = [ROOT / "requirements.txt", *sorted((ROOT / "requirements").glob("*.txt"))]
NPM_LOCKS = sorted(path for place in ("tools/azurite", "examples") for path in (ROOT / place).glob("package-lock.json"))
ENTRY = re.compile(r"^(?P<pin>\S+==\S+(?: ; .+?)?)(?P<hashes>(?: --hash=sha256:[0-9a-f]{64})+)$")

COMMON = PROJECT["project"]["dependencies"]
EXTRAS = PROJECT["project"]["optional-dependencies"]
GROUPS = PROJECT["dependency-groups"]
STATED = {
    "requirements.txt": COMMON + EXTRAS["publisher"],
    "requirements/loader.txt": COMMON + EXTRAS["loader"],
    "requirements/dev.txt": COMMON + EXTRAS["publisher"] + EXTRAS["loader"] + GROUPS["dev"],
    "requirements/build.txt": GROUPS["build"],
    "requirements/fuzz.txt": GROUPS["fuzz"],
    "requirements/node.txt": GROUPS["node"],
    "requirements/lock.txt": GROUPS["lock"],
    "requirements/worker.txt": GROUPS["worker"],
}


def entries(lock: Path) -> list[str]:
    """The lines of a lock, joined where they go on, without comments."""
    text = lock.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = (re.sub(r"\s+", " ", line).strip() for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [line for line in lines if line]


def pins(lock: Path) -> dict[str, set[str]]:
    """Versions by package; a package may have one for newer and one for older Pythons."""
    found: dict[str, set[str]] = {}
    for entry in entries(lock):
        requirement = Requirement(entry.partition(" --hash")[0])
        found.setdefault(canonicalize_name(requirement.name), set()).add(str(requirement.specifier).removeprefix("=="))
    return found


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
def test_a_lock_pins_every_package_by_hash_and_names_no_address(lock: Path) -> None:
    assert entries(lock)
    assert [entry for entry in entries(lock) if not ENTRY.match(entry)] == []
    assert "://" not in lock.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", STATED)
def test_a_lock_holds_what_the_project_states(name: str) -> None:
    locked = pins(ROOT / name)
    for requirement in map(Requirement, STATED[name]):
        versions = locked.get(canonicalize_name(requirement.name), set())
        assert versions, f"{requirement.name} is missing: make lock"
        assert all(version in requirement.specifier for version in versions), f"{requirement}: make lock"


def test_every_lock_is_made_from_what_the_project_states() -> None:
    assert {str(lock.relative_to(ROOT)) for lock in LOCKS} == set(STATED)


@pytest.mark.parametrize("name", ["requirements.txt", "requirements/loader.txt"])
def test_what_is_deployed_is_what_is_tested(name: str) -> None:
    tested = pins(ROOT / "requirements" / "dev.txt")
    assert {
        package: versions for package, versions in pins(ROOT / name).items() if tested.get(package) != versions
    } == {}


def test_the_loader_stays_small() -> None:
    small = {"cffi", "click", "cryptography", "prometheus-client", "pycparser", "pycurl", "pyyaml"}
    assert set(pins(ROOT / "requirements" / "loader.txt")) == small


@pytest.mark.parametrize("lock", NPM_LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
def test_an_npm_lock_has_an_integrity_for_every_package_and_names_no_registry(lock: Path) -> None:
    packages = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    fetched = {name: entry for name, entry in packages.items() if "node_modules/" in name and not entry.get("inBundle")}
    assert fetched
    assert [name for name, entry in fetched.items() if "resolved" in entry or "integrity" not in entry] == []


@pytest.mark.parametrize("lock", NPM_LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
def test_npm_packages_are_stated_by_exact_version(lock: Path) -> None:
    stated = json.loads(lock.with_name("package.json").read_text(encoding="utf-8"))
    versions = {**stated.get("dependencies", {}), **stated.get("devDependencies", {})}
    assert versions
    assert [name for name, version in versions.items() if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []


def test_make_explains_every_target() -> None:
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert phony
    assert {line.split()[1] for line in said.splitlines()} == set(phony[1].split())


def test_azure_gets_the_app_and_what_it_imports() -> None:
    ignored = (ROOT / ".funcignore").read_text(encoding="utf-8").split()
    assert not {"artifact/", "publisher/", "function_app.py", "host.json", "requirements.txt"} & set(ignored)
    assert {"tests/", "tools/", "docs/", "examples/", "loader_cdn/", ".venv/"} <= set(ignored)


def test_a_failed_message_waits_and_is_tried_five_times() -> None:
    """Without a visibility timeout the platform retries at once and burns all attempts on one short fault."""
    extensions = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))["extensions"]
    assert extensions["queues"]["visibilityTimeout"] == "00:00:30"
    assert extensions["queues"]["maxDequeueCount"] == extensions["blobs"]["poisonBlobThreshold"] == 5


def test_a_missing_part_skips_a_test_and_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install aria2"):
        parts.require("aria2c", path="/nowhere")


def test_a_missing_part_fails_a_test_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="apt-get install aria2"):
        parts.require("aria2c", path="/nowhere")
