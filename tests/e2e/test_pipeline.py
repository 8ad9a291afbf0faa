"""From CI to a pod's folder on real parts: storage, the Functions app in its host, the edge, both commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from artifact.keys import KeySigner, PrivateKey
from tests.versions import FILES, version_directory
from tools.local.azurite import Azurite
from tools.local.endpoints import Endpoints
from tools.local.pipeline import LocalPipeline
from tools.setup.steps import ROOT

FEATURE = "feature-patientlist"
LATE_SECONDS = 30


@pytest.fixture(scope="module")
def endpoints(azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    """A running pipeline; the storage server's fixture says what to install where it is missing."""
    assert azurite.pid
    with LocalPipeline(tmp_path_factory.mktemp("pipeline"), host="devhost") as running:
        yield running


def run(command: str, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """One of the two commands, as it is installed."""
    given = [str(argument) for argument in arguments]
    program = Path(sys.executable).with_name(command)
    return subprocess.run(
        [program, *given], env={**os.environ, **variables}, capture_output=True, text=True, check=False, cwd=ROOT
    )


def submit(endpoints: Endpoints, directory: Path) -> subprocess.CompletedProcess[str]:
    return run("cdn-release", "submit", directory, "--json", CDN_RELEASE_TO=endpoints.connection_string)


def synced(endpoints: Endpoints, root: Path, version: str) -> dict[str, Any]:
    """The answer of the first sync that brings `version`: the edge is late by its max-age at most."""
    deadline = time.monotonic() + LATE_SECONDS
    while True:
        answer = run(
            "feature-loader", "sync", "--json", "--root", root, "--remote-index", endpoints.remote_index,
            "--trust-keys", endpoints.trust_keys,
        )  # fmt: skip
        assert answer.returncode == 0, answer.stderr
        document: dict[str, Any] = json.loads(answer.stdout)
        actives = {feature["featureId"]: feature["activeVersion"] for feature in document["features"]}
        if actives.get(FEATURE) == version or time.monotonic() > deadline:
            assert actives.get(FEATURE) == version
            return document
        time.sleep(0.2)


def test_a_bundle_reaches_a_pods_folder_then_an_update_a_refused_forgery_and_a_roll_back(
    endpoints: Endpoints, tmp_path: Path
) -> None:
    key = PrivateKey.parse(endpoints.build_key.read_text(), where="build key")
    team = KeySigner(endpoints.build_key_id, key)
    root = tmp_path / "a site"
    first = version_directory(tmp_path, team, FEATURE, "1.0.0")
    assert json.loads(submit(endpoints, first).stdout)["status"] == "published"
    synced(endpoints, root, "1.0.0")
    for path, data in FILES.items():
        assert (root / FEATURE / "1.0.0" / path).read_bytes() == data

    update = version_directory(tmp_path, team, FEATURE, "1.1.0", files={**FILES, "index.js": b"export {};\n"})
    assert submit(endpoints, update).returncode == 0
    synced(endpoints, root, "1.1.0")

    stranger = KeySigner("stranger", PrivateKey.generate())
    forged = submit(endpoints, version_directory(tmp_path / "forged", stranger, FEATURE, "1.2.0"))
    assert forged.returncode == 3
    assert "key_unknown" in forged.stderr
    assert "stranger" in forged.stderr

    rolled = run(
        "cdn-release", "rollback", FEATURE, "1.0.0", "--reason", "blank page",
        CDN_RELEASE_TO=endpoints.connection_string,
        CDN_RELEASE_TRUST_KEYS=str(endpoints.trust_keys),
        CDN_RELEASE_KEY=str(endpoints.trust_keys.parent / "release.pem"),
        CDN_RELEASE_KEY_ID="release-local",
    )  # fmt: skip
    assert rolled.returncode == 0, rolled.stderr
    document = synced(endpoints, root, "1.0.0")
    assert document["features"][0]["sequence"] == 3
    assert run("feature-loader", "verify", root, "--trust-keys", endpoints.trust_keys).returncode == 0
