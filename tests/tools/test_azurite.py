"""The storage server of the tests and of the local pipeline is real, of one's own, and leaves nothing behind."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient, ContainerClient

from tests.conftest import CONTAINERS
from tools.local.azurite import Account, Azurite
from tools.setup.steps import ROOT, SetupError


def containers(account: Account) -> set[str]:
    with BlobServiceClient.from_connection_string(account.connection_string) as client:
        return {container.name for container in client.list_containers()}


def test_a_storage_of_the_tests_has_the_containers_of_w1(storage: Account) -> None:
    assert containers(storage) == set(CONTAINERS)


def test_no_storage_sees_the_objects_of_another_one(new_storage: Callable[[], Account], storage: Account) -> None:
    with ContainerClient.from_connection_string(new_storage().connection_string, "incoming") as client:
        client.upload_blob("bundle", b"bytes")
    with ContainerClient.from_connection_string(storage.connection_string, "incoming") as client:
        assert list(client.list_blob_names()) == []


def test_a_conditional_create_finds_what_is_there(storage: Account) -> None:
    with ContainerClient.from_connection_string(storage.connection_string, "artifacts") as client:
        client.upload_blob("name", b"first")
        with pytest.raises(ResourceExistsError):
            client.upload_blob("name", b"second")
        assert client.download_blob("name").readall() == b"first"


def test_a_folder_keeps_the_objects_for_the_next_server(azurite: Azurite, tmp_path: Path) -> None:
    folder = tmp_path / "with a space"
    folder.mkdir()
    with Azurite(folder) as server, BlobServiceClient.from_connection_string(server.connection_string) as client:
        client.create_container("kept").upload_blob("name", b"bytes")
    with Azurite(folder) as server, BlobServiceClient.from_connection_string(server.connection_string) as client:
        assert client.get_blob_client("kept", "name").download_blob().readall() == b"bytes"


def test_a_stopped_server_is_gone_and_stopping_twice_is_no_fault(azurite: Azurite) -> None:
    with Azurite() as server:
        pid = server.pid
        server.stop()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        with pytest.raises(SetupError):
            _ = server.pid


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits for a process that is not a child: Linux only")
def test_the_server_ends_when_its_program_is_killed(azurite: Azurite) -> None:
    program = (
        "from tools.local.azurite import Azurite\nwith Azurite() as server: print(server.pid, flush=True); input()"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as started:
        assert started.stdout is not None
        server = os.pidfd_open(int(started.stdout.readline()))
        started.send_signal(signal.SIGKILL)
    try:
        assert select.select([server], [], [], 60)[0], "the server outlived its program"
    finally:
        os.close(server)
