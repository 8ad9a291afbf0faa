"""The adapters, each as a subject of the same suite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient

from publisher.adapters.backoff import Backoff
from publisher.adapters.blob import BlobStore
from publisher.adapters.blob_account import BlobAccount
from publisher.adapters.folder import FolderStore
from publisher.adapters.memory import MemoryStore
from publisher.ports import ContentSettings
from tests.simulator.faults import Faulty
from tools.local.azurite import Account

QUICK = Backoff(tries=4, first=0.005, most=0.02)
PAGE = 7
"""Objects on one page of a listing, where the adapter has pages."""


@dataclass(frozen=True)
class Subject:
    """One adapter under test; `headers` shows what a server would serve an object with."""

    store: Any
    other: Any
    """A second container of the same storage, where there are several."""
    headers: Callable[[str], ContentSettings]


def memory(wrap: Callable[[MemoryStore], Any] = lambda store: store) -> Subject:
    store, other = MemoryStore(page_size=PAGE), MemoryStore()

    def headers(name: str) -> ContentSettings:
        found = store.get(name) or other.get(name)
        assert found is not None
        return found.settings

    return Subject(wrap(store), wrap(other), headers)


def blob(account: Account) -> Subject:
    opened = BlobAccount.from_connection_string(account.connection_string)

    def headers(name: str) -> ContentSettings:
        with BlobServiceClient.from_connection_string(account.connection_string) as client:
            for container in ("artifacts", "quarantine"):
                found = client.get_blob_client(container, name)
                if found.exists():
                    settings = found.get_blob_properties().content_settings
                    return ContentSettings(str(settings.content_type), str(settings.cache_control))
        raise AssertionError(name)

    first, second = (
        BlobStore(opened, container, backoff=QUICK, page_size=PAGE) for container in ("artifacts", "quarantine")
    )
    return Subject(first, second, headers)


def _make(kind: str, request: pytest.FixtureRequest) -> Subject:
    match kind:
        case "memory":
            return memory()
        case "memory-wrapped":
            return memory(Faulty)
        case "folder":
            folder: Path = request.getfixturevalue("tmp_path")
            return Subject(FolderStore(folder / "site"), None, no_headers)
    return blob(request.getfixturevalue("storage"))


def no_headers(name: str) -> ContentSettings:
    raise AssertionError("a plain file keeps no headers")


@pytest.fixture(params=["memory", "memory-wrapped", "folder", "azurite"])
def subject(request: pytest.FixtureRequest) -> Subject:
    """Every adapter."""
    return _make(request.param, request)


@pytest.fixture(params=["memory", "memory-wrapped", "azurite"])
def with_headers(request: pytest.FixtureRequest) -> Subject:
    """Every adapter but the folder: a plain tree keeps no headers (W3), which is the only difference."""
    return _make(request.param, request)


@pytest.fixture(params=["memory", "memory-wrapped", "azurite"])
def streams(request: pytest.FixtureRequest) -> Subject:
    """The adapters of StreamStore. A folder is none: it has no `incoming`."""
    return _make(request.param, request)


@pytest.fixture(params=["folder", "azurite"])
def lasting(request: pytest.FixtureRequest) -> Subject:
    """The adapters whose objects are elsewhere than in this process's memory."""
    return _make(request.param, request)
