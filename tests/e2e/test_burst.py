"""T42, T40: many bundles at once into the running app, which is killed again and again: the end is the same."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from artifact.keys import KeySigner, PrivateKey
from artifact.paths import Limits
from artifact.trust import TrustStore
from publisher.content_types import private
from publisher.destinations import Storage, open_destination
from publisher.indexes import releases_chain, remote_chain
from publisher.site import Site
from tests.publisher.platform import bundle_of, content, names
from tests.versions import version_directory
from tools.local.azurite import Azurite
from tools.local.endpoints import Endpoints
from tools.local.pipeline import LocalPipeline

PAUSE = threading.Event()
"""Never set: to wait between two looks."""


def bundles(endpoints: Endpoints, folder: Path, features: int, versions: int) -> dict[str, bytes]:
    """By their names in `incoming`."""
    team = KeySigner(endpoints.build_key_id, PrivateKey.parse(endpoints.build_key.read_text(), where="build key"))
    return {
        f"feature-{feature:02}/1.{minor}.0.tar.gz": bundle_of(
            version_directory(folder, team, f"feature-{feature:02}", f"1.{minor}.0")
        )
        for feature in range(features)
        for minor in range(versions)
    }


def drop(storage: Storage, made: dict[str, bytes]) -> None:
    """All at once, in any order."""
    incoming = storage.of_account().incoming

    def put(name: str) -> None:
        incoming.put_file(name, io.BytesIO(made[name]), len(made[name]), private(name))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(put, random.Random(7).sample(sorted(made), len(made))))


def receipts(storage: Storage) -> dict[str, str]:
    """Final statuses by `featureId/version`."""
    store = storage.of_account().receipts
    found = [json.loads(content(store, name)) for name in names(store)]
    return {f"{one['featureId']}/{one['version']}": one["status"] for one in found if one["status"] != "failed"}


def remote_index(storage: Storage) -> dict[str, Any]:
    found = storage.artifacts.read("remote-index.json", limit=2**23)
    return {"features": [], "sequence": 0} if found is None else json.loads(found.data)


def is_over(storage: Storage, features: int, versions: int) -> bool:
    listed = remote_index(storage)["features"]
    return (
        len(receipts(storage)) == features * versions
        and len(listed) == features
        and all(entry["sequence"] == versions for entry in listed)
    )


def check_end(endpoints: Endpoints, storage: Storage, features: int, versions: int) -> None:
    """None lost, consistent sequences, everything verifies; nothing is left in `quarantine`."""
    assert set(receipts(storage).values()) == {"published"}
    assert names(storage.of_account().quarantine) == []
    trust = TrustStore.parse(endpoints.trust_keys.read_bytes(), source="trust.json")
    remote = remote_chain(storage.artifacts, trust, Limits()).head()
    assert remote is not None
    assert len(list(remote_chain(storage.artifacts, trust, Limits()).history(remote))) == remote.index.sequence
    for checked in Site(storage.artifacts, trust, datetime.now(UTC), Limits()).check(remote):
        assert checked.error is None
        assert (checked.sequence, checked.active, checked.versions) == (versions, f"1.{versions - 1}.0", versions)
        head = releases_chain(storage.artifacts, checked.feature_id, trust, Limits()).head()
        assert head is not None
        history = releases_chain(storage.artifacts, checked.feature_id, trust, Limits()).history(head)
        assert [state.index.sequence for state in history] == list(range(versions, 0, -1))


@pytest.fixture
def pipeline(azurite: Azurite, tmp_path: Path) -> Iterator[tuple[LocalPipeline, Endpoints]]:
    assert azurite.pid
    local = LocalPipeline(tmp_path / "local", host="devhost")
    with local as endpoints:
        yield local, endpoints


@pytest.mark.timeout(300)
def test_t42_200_bundles_over_50_features_at_once_are_few_commits_and_few_purges(
    pipeline: tuple[LocalPipeline, Endpoints], tmp_path: Path
) -> None:
    _, endpoints = pipeline
    storage = open_destination(endpoints.connection_string)
    drop(storage, bundles(endpoints, tmp_path / "dist", 50, 4))
    while not is_over(storage, 50, 4):
        PAUSE.wait(0.5)
    check_end(endpoints, storage, 50, 4)
    assert remote_index(storage)["sequence"] <= 20
    assert len(endpoints.purge_log.read_text().splitlines()) <= 5


@pytest.mark.timeout(300)
def test_t40_an_app_that_is_killed_again_and_again_in_a_burst_ends_the_same(
    pipeline: tuple[LocalPipeline, Endpoints], tmp_path: Path
) -> None:
    local, endpoints = pipeline
    storage, chance = open_destination(endpoints.connection_string), random.Random(11)
    drop(storage, bundles(endpoints, tmp_path / "dist", 12, 4))
    pid, kills = endpoints.pids["functions"], 0
    while not is_over(storage, 12, 4):
        PAUSE.wait(chance.uniform(0.5, 2.5))
        if kills < 4:
            os.kill(pid, signal.SIGKILL)
            pid, kills = local.restart_functions(), kills + 1
    assert kills >= 1
    check_end(endpoints, storage, 12, 4)
