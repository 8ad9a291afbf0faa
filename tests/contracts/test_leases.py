"""What Leases promise (publisher/ports.py), in memory and on Azurite."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient

from publisher.adapters.leases import BlobLeases
from publisher.adapters.memory_queue import MemoryLeases
from publisher.ports import Leases
from tools.local.azurite import Account

NONE = timedelta(0)
LONG = timedelta(minutes=1)


def blob_leases(account: Account, container: str = "state") -> BlobLeases:
    service = BlobServiceClient.from_connection_string(account.connection_string)
    return BlobLeases(service.get_container_client(container))


@pytest.fixture(params=["memory", "azurite"])
def leases(request: pytest.FixtureRequest) -> Leases:
    if request.param == "memory":
        return MemoryLeases()
    account: Account = request.getfixturevalue("storage")
    with BlobServiceClient.from_connection_string(account.connection_string) as service:
        service.create_container("state")
    return blob_leases(account)


def test_one_holds_a_lease_and_others_do_not(leases: Leases) -> None:
    with leases.hold("purge", patience=NONE) as first, leases.hold("purge", patience=NONE) as second:
        assert (first, second) == (True, False)
    with leases.hold("purge", patience=NONE) as again:
        assert again is True


def test_leases_of_other_names_are_free(leases: Leases) -> None:
    with leases.hold("purge", patience=NONE) as first, leases.hold("remote-index", patience=NONE) as second:
        assert (first, second) == (True, True)


def test_a_lease_that_was_not_held_is_not_given_back(leases: Leases) -> None:
    with leases.hold("purge", patience=NONE):
        with leases.hold("purge", patience=NONE):
            pass
        with leases.hold("purge", patience=NONE) as third:
            assert third is False


def test_who_is_patient_gets_the_lease_when_it_is_given_back(leases: Leases) -> None:
    waiting, results = threading.Event(), []

    def wait() -> None:
        waiting.set()
        with leases.hold("purge", patience=LONG) as is_held:
            results.append(is_held)

    thread = threading.Thread(target=wait)
    with leases.hold("purge", patience=NONE):
        thread.start()
        waiting.wait()
    thread.join()
    assert results == [True]


def test_an_exception_gives_the_lease_back_and_goes_on(leases: Leases) -> None:
    with pytest.raises(KeyError), leases.hold("purge", patience=NONE):
        raise KeyError
    with leases.hold("purge", patience=NONE) as is_held:
        assert is_held is True


def test_a_lease_is_kept_for_longer_than_one_that_nobody_renews(storage: Account, monkeypatch: Any) -> None:
    from azure.storage.blob import BlobLeaseClient

    renewed = threading.Semaphore(0)
    renew = BlobLeaseClient.renew

    def counted(self: BlobLeaseClient, **settings: Any) -> None:
        renew(self, **settings)
        renewed.release()

    monkeypatch.setattr(BlobLeaseClient, "renew", counted)
    monkeypatch.setattr("publisher.adapters.leases.RENEWAL_SECONDS", 0.05)
    with BlobServiceClient.from_connection_string(storage.connection_string) as service:
        service.create_container("state")
    with blob_leases(storage).hold("purge", patience=NONE) as is_held:
        assert is_held
        for _ in range(3):
            renewed.acquire()


def test_without_its_container_nothing_is_held_up(storage: Account) -> None:
    with blob_leases(storage, "nowhere").hold("purge", patience=NONE) as is_held:
        assert is_held is True
