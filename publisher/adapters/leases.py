"""Leases of Blob Storage, on empty objects of the app's own container."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError
from azure.storage.blob import BlobClient, BlobLeaseClient, ContainerClient

from publisher.adapters.blob_errors import code_of

SECONDS = 15
"""The shortest lease there is: so long does the lease of a process that died keep others waiting."""

RENEWAL_SECONDS = 5.0
RETRY_SECONDS = 0.5
_HELD = frozenset({"LeaseAlreadyPresent"})

logger = logging.getLogger("favn.publisher.leases")


class BlobLeases:
    """Leases on `leases/<name>`. Where the storage gives none for another reason than that somebody holds it, the block
    runs as if it were held: a lease saves work, and nothing is wrong without it.
    """

    def __init__(self, container: ContainerClient) -> None:
        self._container = container

    @contextmanager
    def hold(self, name: str, *, patience: timedelta) -> Iterator[bool]:
        deadline = time.monotonic() + patience.total_seconds()
        blob = self._container.get_blob_client(f"leases/{name}")
        try:
            lease = _acquired(blob, deadline)
        except AzureError as error:
            logger.warning("no lease %s, going on without it: %s", name, type(error).__name__)
            yield True
            return
        if lease is None:
            yield False
            return
        with _renewed(lease):
            yield True


def _acquired(blob: BlobClient, deadline: float) -> BlobLeaseClient | None:
    """The lease, or None where somebody holds it until `deadline`."""
    while True:
        try:
            return blob.acquire_lease(SECONDS)
        except HttpResponseError as error:
            if code_of(error) in {"BlobNotFound", "ContainerNotFound"}:
                _create(blob)
                continue
            if code_of(error) not in _HELD:
                raise
        if time.monotonic() >= deadline:
            return None
        time.sleep(RETRY_SECONDS)


def _create(blob: BlobClient) -> None:
    with suppress(ResourceExistsError):
        blob.upload_blob(b"", overwrite=False)


@contextmanager
def _renewed(lease: BlobLeaseClient) -> Iterator[None]:
    """Keep the lease until the block ends, then give it back."""
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(RENEWAL_SECONDS):
            with suppress(AzureError):
                lease.renew()

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with suppress(AzureError):
            lease.release()
