"""What tests of every part share: a real storage server, and real commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from tests import parts
from tests.kubernetes.control_plane import ControlPlane
from tests.kubernetes.kubeconform import Kubeconform
from tests.kubernetes.schemas import write_schemas
from tools.local.azurite import PROGRAM, Account, Azurite
from tools.setup import node

CONTAINERS = ("incoming", "artifacts", "receipts", "quarantine")
"""W1."""

ACCOUNTS = tuple(f"test{number:04}" for number in range(1000))
"""The storage accounts of a worker's server: each is handed out once, so that no test meets another one's objects."""


@pytest.fixture(scope="session")
def require() -> Callable[[str], Path]:
    """`require("strace")` is the path of a real command; without it the test is skipped, and with CI=true it fails."""
    return parts.require


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """The real storage server of this worker."""
    if not PROGRAM.is_file() or node.find() is None:
        parts.missing("Azurite", "make install")
    with Azurite(accounts=ACCOUNTS) as server:
        yield server


@pytest.fixture(scope="session")
def new_storage(azurite: Azurite) -> Callable[[], Account]:
    """Makes a storage account with the containers of W1, all empty, which nobody else uses."""
    names = iter(ACCOUNTS)

    def make() -> Account:
        account = azurite.account(next(names))
        with BlobServiceClient.from_connection_string(account.connection_string) as client:
            for name in CONTAINERS:
                client.create_container(name)
        return account

    return make


@pytest.fixture
def storage(new_storage: Callable[[], Account]) -> Account:
    """A storage account of this test's own, with the containers of W1, all empty."""
    return new_storage()


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """The real API server of this worker. A test that stops it starts it again."""
    etcd, apiserver = parts.in_cluster("etcd"), parts.in_cluster("kube-apiserver")
    with ControlPlane(tmp_path_factory.mktemp("control-plane"), etcd=etcd, apiserver=apiserver) as running:
        yield running


@pytest.fixture(scope="session")
def kubeconform(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Kubeconform:
    """Holds manifests against the schemas of this worker's API server."""
    schemas = write_schemas(control_plane.admin, tmp_path_factory.mktemp("schemas"))
    return Kubeconform(parts.in_cluster("kubeconform"), schemas)
