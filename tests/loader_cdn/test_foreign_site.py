"""A site that another implementation of the contract made is read as it is (tests/vectors/foreign)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from artifact.errors import Code
from loader_cdn.progress import Silent
from loader_cdn.report import Report, Result
from loader_cdn.settings import Settings
from loader_cdn.sync import sync
from loader_cdn.verify import verify
from publisher.adapters.memory import MemoryStore
from publisher.content_types import immutable
from tests.simulator.cdn import Cdn
from tests.simulator.environment import HASTY, tree

FOREIGN = Path(__file__).parent.parent / "vectors" / "foreign"
SITE = FOREIGN / "site"
TRUST = FOREIGN / "keys" / "trust.json"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
FEATURES = ("feature-lab-results", "feature-patientlist")


@pytest.fixture
def cdn() -> Iterator[Cdn]:
    store = MemoryStore()
    for path in SITE.rglob("*"):
        if path.is_file():
            name = str(path.relative_to(SITE))
            store.put(name, path.read_bytes(), immutable(name))
    with Cdn(store) as served:
        yield served


def _settings(root: Path, cdn: Cdn, *, by_flags: bool = False, trust: str = str(TRUST)) -> Settings:
    if by_flags:
        features = {name: f"{cdn.url}{name}/" for name in FEATURES}
        return Settings(root=root, trust_keys=trust, features=features, transfer=HASTY)
    return Settings(root=root, trust_keys=trust, remote_index=cdn.url + "remote-index.json", transfer=HASTY)


def _sync(settings: Settings) -> Report:
    return sync(settings, progress=Silent(), clock=lambda: NOW)


def _expected() -> dict[str, bytes]:
    """The versions and the pointer of each feature."""
    files = [path for path in SITE.rglob("*") if path.is_file() and path.parent != SITE]
    numbered = {path for path in files if path.name.startswith("releases.") and path.name != "releases.json"}
    return {str(path.relative_to(SITE)): path.read_bytes() for path in files if path not in numbered}


@pytest.mark.parametrize("by_flags", [True, False])
def test_all_of_it_stands_byte_for_byte(cdn: Cdn, tmp_path: Path, by_flags: bool) -> None:
    settings = _settings(tmp_path, cdn, by_flags=by_flags)

    report = _sync(settings)

    assert [(row.feature_id, row.result, row.error) for row in report.rows] == [
        (name, Result.UPDATED, None) for name in FEATURES
    ]
    assert tree(tmp_path) == _expected()
    assert [row.result for row in _sync(settings).rows] == [Result.UNCHANGED] * 2
    assert verify(tmp_path, str(TRUST), now=NOW).exit_status() == 0


def test_with_another_trust_store_nothing_of_it_is_accepted(cdn: Cdn, tmp_path: Path) -> None:
    other = json.loads(TRUST.read_bytes())
    other["release-2026"]["publicKey"] = other["build-2026"]["publicKey"]
    report = _sync(_settings(tmp_path, cdn, trust=json.dumps(other)))
    assert report.error is not None
    assert report.error.code is Code.SIGNATURE_INVALID
    assert tree(tmp_path) == {}


def test_the_copy_is_the_one_that_was_handed_over() -> None:
    digest = hashlib.sha256((SITE / "remote-index.json").read_bytes()).hexdigest()
    assert digest == "c902cef25221244d26a2ca056311ca300e58b4377a677d38ae81f65662cf9b3d"
