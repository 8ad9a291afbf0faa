"""Destinations, as people write them: what they open, and what is said of wrong ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from artifact.errors import ConfigurationError, TransientError
from publisher.content_types import immutable, private
from publisher.destinations import open_destination
from publisher.ports import Created
from tests.conftest import ACCOUNTS
from tools.local.azurite import KEY, Account, Azurite

SETTINGS = immutable("x.js")


def test_a_connection_string_opens_the_containers_of_w1(storage: Account) -> None:
    opened = open_destination(storage.connection_string)
    inbox = opened.of_account()
    opened.ensure_containers()
    for store in (opened.artifacts, inbox.incoming, inbox.receipts, inbox.quarantine, inbox.state):
        assert list(store.list("")) == []
    opened.artifacts.create("x.js", b"x", SETTINGS)
    inbox.receipts.create("receipt.json", b"{}", private("receipt.json"))
    again = open_destination(storage.connection_string)
    assert [info.name for info in again.artifacts.list("")] == ["x.js"]
    assert [info.name for info in again.of_account().receipts.list("")] == ["receipt.json"]


def test_containers_are_made_when_asked_for_and_not_before(azurite: Azurite) -> None:
    unused = azurite.account(ACCOUNTS[-1])
    opened = open_destination(unused.connection_string)
    with pytest.raises(TransientError, match="no such container"):
        list(opened.artifacts.list(""))
    opened.ensure_containers()
    opened.ensure_containers()
    assert opened.artifacts.create("x.js", b"x", SETTINGS) is Created.NEW


def test_a_folder_has_artifacts_only(tmp_path: Path) -> None:
    opened = open_destination(f"file://{tmp_path}/a%20folder")
    assert not (tmp_path / "a folder").exists()
    opened.artifacts.create("f/x.js", b"x", SETTINGS)
    assert (tmp_path / "a folder" / "f" / "x.js").read_bytes() == b"x"
    with pytest.raises(ConfigurationError, match="a folder has no container incoming"):
        opened.of_account()


def test_a_folder_is_made_when_asked_for(tmp_path: Path) -> None:
    open_destination(f"file://{tmp_path}/a/b").ensure_containers()
    assert (tmp_path / "a" / "b").is_dir()


def test_a_folder_does_not_wait_for_the_libraries_of_azure(tmp_path: Path) -> None:
    code = (
        "import sys; from publisher.destinations import open_destination; open_destination(sys.argv[1]);"
        "print([name for name in sys.modules if name.startswith('azure.')])"
    )
    found = subprocess.run([sys.executable, "-c", code, tmp_path.as_uri()], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


@pytest.mark.parametrize(
    "text",
    [
        "https://account.blob.core.windows.net",
        "https://account.blob.core.windows.net/",
        "https://account.blob.core.windows.net/?sv=2026&sig=abc",
        "http://127.0.0.1:10000/devstoreaccount1?sv=2026&sig=abc",
        "http://localhost:10000/devstoreaccount1?sig=abc",
        f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={KEY};EndpointSuffix=core.windows.net",
        "BlobEndpoint=https://account.blob.core.windows.net;SharedAccessSignature=sv=2026&sig=abc",
        "UseDevelopmentStorage=true",
    ],
)
def test_opening_asks_nobody_anything(text: str) -> None:
    opened = open_destination(text)
    inbox = opened.of_account()
    assert inbox.incoming is not inbox.quarantine


@pytest.mark.parametrize(
    "text",
    [
        "",
        "dist/site",
        "/srv/cdn",
        "s3://bucket",
        "ftp://host/path",
        "file://host/path",
        "file://relative",
        "file:///path?query",
        "https://",
        "https://[::1",
        "https://account.blob.core.windows.net:port",
        "https://account.blob.core.windows.net/artifacts",
        "https://user:secret-word@account.blob.core.windows.net",
        "https://account.blob.core.windows.net?sv=secret-word",
        "https://account.blob.core.windows.net?sig=secret-word#fragment",
        "http://account.blob.core.windows.net?sig=secret-word",
        "http://127.0.0.1:10000/devstoreaccount1",
        "http://127.0.0.1:10000?sig=secret-word",
        "http://127.0.0.1:10000/devstoreaccount1/artifacts?sig=secret-word",
        "AccountName=a",
        "AccountKey=secret-word",
        "AccountName=a;AccountKey=",
        "AccountName=a;AccountKey=secret-word;EndpointSuffix=core.windows.net",
        "BlobEndpoint=https://a.blob.core.windows.net",
        "nonsense=secret-word",
    ],
)
def test_t21_a_wrong_destination_is_a_configuration_error_without_its_secrets(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_destination(text)
    assert "secret-word" not in f"{caught.value} {caught.value.as_json()}"
    assert "destination" in str(caught.value)
