"""The real parts that some tests need, and how one gets them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

from tools.setup import cluster

PACKAGES = {
    "aria2c": "aria2",
    "nginx": "nginx-light",
    "varnishd": "varnish",
}
"""The Debian package of a command, where it has another name."""

SYSTEM = ":/usr/sbin:/sbin"
"""Where servers are that are not on a user's PATH."""


def require(command: str, path: str | None = None) -> Path:
    """The path of a command. Where it is missing the test is skipped, saying what to install; with CI=true it fails."""
    found = shutil.which(command, path=path or os.environ.get("PATH", os.defpath) + SYSTEM)
    if found is None:
        missing(command, f"apt-get install {PACKAGES.get(command, command)}")
    return Path(found)


def in_cluster(program: str) -> Path:
    """The path of a program that `make cluster` builds: helm, kubeconform, kube-apiserver or etcd."""
    found = cluster.find(program)
    if found is None:
        missing(program, cluster.REMEDY)
    return found


def missing(part: str, remedy: str) -> NoReturn:
    """End the test because a real part is missing: skipped on a user's machine, failed with CI=true."""
    message = f"{part} is not installed: {remedy}"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
