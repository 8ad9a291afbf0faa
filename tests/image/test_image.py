"""The image of `infra/loader/Dockerfile`: what is in it, that it is made alike twice, and that its commands run."""

from __future__ import annotations

import json
import os
import re
import stat
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from loader_cdn.authorities import SYSTEM_FILES
from tests.image.buildah import RUNTIME_BASE, Buildah
from tests.image.conftest import NAME, REVISION
from tests.image.container import MOUNTED, USER, Container, terminate
from tests.loader_cdn.command import end
from tests.publisher.world import FEATURE
from tests.simulator.environment import Delivery
from tools.setup.steps import ROOT

pytestmark = pytest.mark.timeout(300)

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
PACKAGES = "opt/feature-loader"
COMMAND = "usr/local/bin/feature-loader"
MOUNT_POINTS = {"etc/hostname", "etc/hosts", "etc/resolv.conf"}
"""Empty files, over which whoever runs a container mounts its own."""
PROGRAMS = {"apt", "bash", "busybox", "cc", "dash", "dpkg", "env", "gcc", "pip", "pip3", "sh"}


def files_of(root: Path) -> dict[str, os.stat_result]:
    """All files and links of an image, by path."""
    return {
        str(path.relative_to(root)): path.lstat() for path in root.rglob("*") if path.is_symlink() or path.is_file()
    }


@pytest.fixture(scope="module")
def added(builder: Buildah, container: Container) -> dict[str, os.stat_result]:
    """What the image has over its base."""
    base = files_of(builder.unpack(RUNTIME_BASE))
    return {path: found for path, found in files_of(container.files).items() if path not in base}


def sync_arguments(site: Delivery, *more: str) -> list[str]:
    """`sync --json` of all that the site lists, into the mounted folder."""
    return ["sync", "--json", *run_arguments(site), *more]


def run_arguments(site: Delivery) -> list[str]:
    trust = json.dumps(site.world.keys.trust_document())
    return ["--root", MOUNTED, "--trust-keys", trust, "--remote-index", site.cdn.url + "remote-index.json"]


@pytest.fixture
def published(site: Delivery) -> Delivery:
    """One feature, published at the real time."""
    site.world.clock.now = datetime.now(UTC)
    site.publish("1.0.0")
    return site


# What it is


def test_it_runs_the_command_as_nobody(builder: Buildah) -> None:
    config = builder.inspect(NAME)["config"]
    assert config["User"] == f"{USER}:{USER}"
    assert config["Entrypoint"] == ["feature-loader"]
    assert config["Cmd"] == ["--help"]
    assert "StopSignal" not in config


def test_it_says_what_it_is(builder: Buildah) -> None:
    labels = builder.inspect(NAME)["config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == "feature-loader"
    assert labels["org.opencontainers.image.version"] == VERSION
    assert labels["org.opencontainers.image.revision"] == REVISION


def test_two_builds_are_the_same_image(builder: Buildah, wheels: Path) -> None:
    builder.build("localhost/again", wheels, REVISION=REVISION)
    first, second = builder.inspect(NAME), builder.inspect("localhost/again")
    assert first["rootfs"]["diff_ids"] == second["rootfs"]["diff_ids"]
    assert first["id"] == second["id"]


# What is in it


def test_it_adds_the_loader_and_bytecode_to_its_base_and_nothing_else(added: dict[str, os.stat_result]) -> None:
    assert COMMAND in added
    others = {path for path in added if not path.startswith(f"{PACKAGES}/") and "/__pycache__/" not in path}
    assert others - {COMMAND} - MOUNT_POINTS == set()
    assert [path for path in MOUNT_POINTS & others if added[path].st_size] == []
    packages = {path.split("/")[2] for path in added if path.startswith(f"{PACKAGES}/")}
    assert {"artifact", "loader_cdn", f"favn_delivery-{VERSION}.dist-info"} <= packages
    assert not {"azure", "bin", "hatchling", "pip", "publisher"} & packages


def test_it_has_authorities_and_neither_shell_nor_package_manager(container: Container) -> None:
    found = files_of(container.files)
    assert SYSTEM_FILES[0][1:] in found
    assert {Path(path).name for path in found} & PROGRAMS == set()


def test_only_root_may_write_to_it_and_everybody_may_read_it(added: dict[str, os.stat_result]) -> None:
    modes = {path: found for path, found in added.items() if not stat.S_ISLNK(found.st_mode)}
    assert [path for path, found in modes.items() if (found.st_uid, found.st_gid) != (0, 0)] == []
    assert [path for path, found in modes.items() if found.st_mode & 0o022 or not found.st_mode & 0o004] == []


def test_it_stays_small(added: dict[str, os.stat_result]) -> None:
    """infra/loader/README.md states the size."""
    assert sum(found.st_size for found in added.values()) < 45_000_000


# What it does


def test_it_knows_its_version_and_explains_itself(container: Container, tmp_path: Path) -> None:
    version = container.run("--version", mounted=tmp_path / "root")
    assert (version.status, version.out) == (0, f"feature-loader, version {VERSION}\n")
    helped = container.run("--help", mounted=tmp_path / "root")
    assert helped.status == 0
    assert "sync" in helped.out


@pytest.mark.parametrize("user", [USER, 12345])
def test_sync_fills_an_empty_folder_as_any_user(container: Container, published: Delivery, user: int) -> None:
    ended = container.run(*sync_arguments(published), mounted=published.root, user=user)
    assert (ended.status, ended.err) == (0, "")
    assert ended.json["features"][0]["result"] == "updated"
    assert published.tree() == published.published("1.0.0")
    assert (published.root / FEATURE / "releases.json").stat().st_uid == user


def test_it_verifies_what_it_brought(container: Container, published: Delivery) -> None:
    container.run(*sync_arguments(published), mounted=published.root)
    trust = json.dumps(published.world.keys.trust_document())
    assert container.run("verify", "--trust-keys", trust, MOUNTED, mounted=published.root).status == 0


def test_its_exit_status_tells_what_to_do(container: Container, published: Delivery) -> None:
    """C5: 2 for a wrong setting, 1 where a retry may help, 3 where content was refused."""
    assert container.run("sync", "--root", MOUNTED, mounted=published.root).status == 2
    published.cdn.switches.offline = True
    assert container.run(*sync_arguments(published, "--timeout", "2"), mounted=published.root).status == 1
    published.cdn.heal()
    published.cdn.tamper(f"{FEATURE}/1.0.0/manifest.json", at=-2)
    assert container.run(*sync_arguments(published), mounted=published.root).status == 3


def test_sigterm_ends_watch_with_0(container: Container, published: Delivery) -> None:
    """L11, as process 1, which a signal without a handler does not reach."""
    command = [*container.entrypoint, "watch", *run_arguments(published)]
    process = container.start(*command, mounted=published.root)
    assert process.stderr is not None
    said = process.stderr.readline()
    terminate(process)
    ended = end(process)
    assert ended.status == 0, said + ended.err
    assert published.tree() == published.published("1.0.0"), said


def test_nothing_is_compiled_when_it_starts(container: Container, published: Delivery) -> None:
    """A root file system that cannot be written keeps no bytecode: what is not there now is compiled at every start."""
    command = ("python3", "-v", f"/{COMMAND}", *sync_arguments(published))
    ended = end(container.start(*command, mounted=published.root))
    assert ended.status == 0
    assert f"/{PACKAGES}/loader_cdn/__pycache__/" in ended.err
    assert re.findall(r"^# code object from (/.+\.py)$", ended.err, re.MULTILINE) == []
