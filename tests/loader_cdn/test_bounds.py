"""Bounded memory, bytes and files, and light imports (L9, P4, M3)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from artifact.documents import parse
from artifact.errors import Code
from artifact.paths import Limits
from artifact.signing import signed
from loader_cdn.report import Result
from publisher.publish import publish
from publisher.remote import commit_remote
from publisher.sources import DirectorySource
from tests.loader_cdn.command import COMMAND, sync_arguments
from tests.publisher.world import FEATURE
from tests.simulator.environment import Delivery, assert_refused

MIB = 1024 * 1024
HEAVY = (
    "azure",
    "requests",
    "rich",
    "aiohttp",
    "httpx",
    "kubernetes",
    "publisher",
    "urllib3",
    "http.client",
    "asyncio",
)


def test_the_loader_loads_nothing_heavy() -> None:
    listing = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import loader_cdn.cli"], capture_output=True, text=True, check=True
    ).stderr
    modules = {line.rpartition("|")[2].strip() for line in listing.splitlines()}
    assert "loader_cdn.passes" in modules
    assert [name for name in modules if name.startswith(HEAVY)] == []


def test_a_file_of_200_mib_is_brought_in_64_mib_of_memory(site: Delivery) -> None:
    """The command's own resident memory, at its highest."""
    sync_arguments(site)
    site.publish("1.0.0", files={"index.js": b"1"})
    site.publish("1.1.0", files={"index.js": b"".join(bytes([number]) * MIB for number in range(200))})

    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, COMMAND, *sync_arguments(site)], capture_output=True, text=True, check=False
    )
    status, kibibytes = map(int, done.stderr.split())
    assert status == 0
    assert kibibytes <= 64 * 1024
    assert (site.root / FEATURE / "1.1.0/index.js").stat().st_size == 200 * MIB


# What a process inherits counts as its own, and a test's process is large: a small one stands between.
_MEASURE = """
import os, subprocess, sys
_, status, usage = os.wait4(subprocess.Popen(sys.argv[1:]).pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("limits", "rule"),
    [
        (Limits(files=3), "P4"),
        (Limits(file_bytes=10), "P4"),
        (Limits(version_bytes=40), "P4"),
        (Limits(versions=1), "P4"),
        (Limits(features=0), "P4"),
    ],
)
def test_what_is_too_much_is_refused(site: Delivery, limits: Limits, rule: str) -> None:
    """P4."""
    site.publish("1.0.0")
    site.publish("1.1.0")
    report = site.sync(limits=limits)
    error = report.error or report.rows[0].error
    assert error is not None
    assert (error.code, error.rule) == (Code.LIMIT_EXCEEDED, rule)
    assert site.tree() == {}
    assert report.exit_status() == 3


@pytest.mark.parametrize("limits", [Limits(file_bytes=10), Limits(version_bytes=40)])
def test_without_sizes_what_arrives_is_counted(site: Delivery, limits: Limits) -> None:
    """M3, P4: a manifest without `sizes` may be published."""
    folder = site.world.directory("1.0.0")
    manifest = parse((folder / "manifest.json").read_bytes(), limit=MIB, where="")
    del manifest["sizes"]
    (folder / "manifest.json").write_bytes(signed(manifest, site.world.keys.build))
    _publish_directory(site, folder)
    assert site.row().result is Result.UPDATED

    site.root = site.root.with_name("again")
    assert_refused(site.row(limits=limits), Code.LIMIT_EXCEEDED, Result.FAILED)
    assert site.tree() == {}


def _publish_directory(site: Delivery, folder: Path) -> None:
    publish(site.world.env, DirectorySource(folder, Limits()), actor="tester")
    commit_remote(site.world.env, [FEATURE])
