"""B2: a bundle is taken in in bounded memory, however large it is."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from artifact.paths import Limits
from publisher.authoring import pack_directory
from publisher.content_types import private
from publisher.destinations import open_destination
from tests.versions import Keys, version_directory
from tools.local.azurite import Account
from tools.setup.steps import ROOT

MIB = 1024 * 1024
FILES = 24
"""Of 8 MiB each; the benchmark does it with 64."""


@pytest.mark.skipif(sys.platform != "linux", reason="the largest resident set is read from /proc")
@pytest.mark.timeout(300)
def test_b2_resident_memory_grows_by_at_most_96_mib_for_a_large_bundle(storage: Account, tmp_path: Path) -> None:
    keys, chance = Keys.new(), random.Random(1)
    keys.write(tmp_path / "keys")
    incoming = open_destination(storage.connection_string).of_account().incoming
    files = {f"assets/{number}.bin": chance.randbytes(8 * MIB) for number in range(FILES)}
    for feature_id, own in (("feature-small", {}), ("feature-large", files)):
        folder = version_directory(tmp_path, keys.build, feature_id, "1.0.0", files={**own, "index.js": b"1"})
        path = tmp_path / f"{feature_id}.tar.gz"
        with path.open("w+b") as file:
            file.writelines(pack_directory(folder, Limits())[1])
            size = file.tell()
            file.seek(0)
            incoming.put_file(f"{feature_id}/1.0.0.tar.gz", file, size, private("x.gz"))
    environment = {
        **os.environ, "ArtifactsStorage": storage.connection_string, "FAVN_RELEASE_KEY_ID": "release-test",
        "FAVN_TRUST_KEYS": str(tmp_path / "keys" / "trust.json"),
        "FAVN_RELEASE_KEY": str(tmp_path / "keys" / "release.pem"),
    }  # fmt: skip
    command = [
        sys.executable,
        "-m",
        "tests.publisher.ingest_process",
        "feature-small/1.0.0.tar.gz",
        "feature-large/1.0.0.tar.gz",
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[-1]) <= 96
