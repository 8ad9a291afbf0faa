"""One storage account: where it is, and what lets us in. Nothing is asked of it before the first request."""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any
from urllib.parse import quote

import urllib3
from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError
from azure.storage.blob import (
    BlobServiceClient,
    ContainerClient,
    ContainerSasPermissions,
    LinearRetry,
    generate_container_sas,
)

from artifact.errors import ConfigurationError
from publisher.adapters.blob_errors import from_library
from publisher.adapters.connections import open_pool
from publisher.logs import without_secrets

SCOPE = "https://storage.azure.com/.default"
SAS_VALIDITY = timedelta(hours=2)
SPARE_SECONDS = 300.0
"""A grant is renewed so long before it ends: longer than the slowest request."""

TIMEOUT = urllib3.Timeout(connect=10, read=60)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a request of our own carries so that the storage permits it. Secret."""

    query: str
    headers: Mapping[str, str]
    until: float


class BlobAccount:
    """A storage account, with its library client and with what requests of our own need. Thread-safe."""

    def __init__(self, service: BlobServiceClient, credential: TokenCredential | None = None) -> None:
        self.service = service
        self._credential = credential
        self.url, _, self._sas = service.url.rstrip("/").partition("?")
        self.url = self.url.rstrip("/")
        self._grants: dict[str, Grant] = {}
        self._lock = Lock()
        self._pool: urllib3.PoolManager | None = None

    @classmethod
    def from_connection_string(cls, text: str) -> BlobAccount:
        """With the account key or the SAS that stands in it. ConfigurationError where it is none."""
        try:
            service = BlobServiceClient.from_connection_string(text, **_client_options())
            if "?" not in service.url and not base64.b64decode(service.credential.account_key, validate=True):
                raise ValueError("no key")
        except (ValueError, AttributeError):
            raise ConfigurationError(
                "not a storage connection string with an account key or a SAS",
                where="destination",
                expected="AccountName=…;AccountKey=…;BlobEndpoint=…",
            ) from None
        return cls(service)

    @classmethod
    def from_url(cls, url: str, credential: TokenCredential | None = None) -> BlobAccount:
        """By an account's URL with a SAS; without one by `credential`, or else by the identity that runs this."""
        if "?" not in url and credential is None:
            from azure.identity import DefaultAzureCredential  # noqa: PLC0415 (slow to import, seldom needed)

            credential = DefaultAzureCredential()
        return cls(BlobServiceClient(url, credential=credential, **_client_options()), credential)

    def container(self, name: str) -> ContainerClient:
        """The library's client of a container."""
        return self.service.get_container_client(name)

    def url_of(self, container: str, name: str) -> str:
        """An object's URL, without what permits to use it."""
        return f"{self.url}/{container}/{quote(name, safe='/~')}"

    def signed_url_of(self, container: str, name: str) -> str:
        """The same, with the SAS where one is what permits it. Secret."""
        grant = self.grant(container)
        url = self.url_of(container, name)
        return f"{url}?{grant.query}" if grant.query else url

    def grant(self, container: str) -> Grant:
        """Permission to read, create and write in a container. TransientError `unauthorized` where nobody gives it."""
        with self._lock:
            grant = self._grants.get(container)
            if grant is None or grant.until < time.time():
                grant = self._grants[container] = self._new_grant(container)
            return grant

    def pool(self, connections: int) -> urllib3.PoolManager:
        """The connections of our own requests."""
        with self._lock:
            if self._pool is None:
                self._pool = open_pool(self.url, maxsize=connections, timeout=TIMEOUT, retries=False)
            return self._pool

    def _new_grant(self, container: str) -> Grant:
        if self._credential is not None:
            try:
                token = self._credential.get_token(SCOPE)
            except AzureError as error:
                raise from_library(error, self.url) from None
            return Grant("", {"Authorization": f"Bearer {token.token}"}, token.expires_on - SPARE_SECONDS)
        if self._sas:
            return Grant(self._sas, {}, float("inf"))
        sas = generate_container_sas(
            str(self.service.account_name),
            container,
            account_key=self.service.credential.account_key,
            permission=ContainerSasPermissions(read=True, create=True, write=True),
            expiry=datetime.now(UTC) + SAS_VALIDITY,
        )
        return Grant(sas, {}, time.time() + SAS_VALIDITY.total_seconds() - SPARE_SECONDS)


class HideSignatures(logging.Filter):
    """Takes the signature out of URLs: at its debug level urllib3 logs them whole, the library's requests' as well."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = without_secrets(record.getMessage())
        record.args = ()
        return True


def _client_options() -> dict[str, Any]:
    """The library tries once: trying again is ours, which knows what a lost answer means."""
    for name in ("urllib3.connectionpool", "urllib3.util.retry"):
        logging.getLogger(name).addFilter(_HIDE_SIGNATURES)
    return {"retry_policy": LinearRetry(retry_total=0)}


_HIDE_SIGNATURES = HideSignatures()
