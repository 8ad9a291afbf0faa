"""Asking the storage: read-only signatures, and a second try where it has closed an idle connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import aiohttp
from azure.storage.blob import ContainerClient, ContainerSasPermissions, generate_container_sas
from yarl import URL

KEPT_HEADERS = ("Content-Type", "Content-Encoding", "Cache-Control", "Date", "ETag", "Last-Modified")
VALIDITY = timedelta(days=2)


class Origin:
    """One private container, read by signed URLs."""

    def __init__(self, connection_string: str, container: str, session: aiohttp.ClientSession) -> None:
        self._client = ContainerClient.from_connection_string(connection_string, container)
        self._session = session
        self._signature = ""
        self._renew_at = datetime.min.replace(tzinfo=UTC)

    @asynccontextmanager
    async def ask(self, path: str, etag: str | None) -> AsyncIterator[aiohttp.ClientResponse]:
        """The storage's answer for `/name`, conditional where `etag` is given; ClientError where it does not answer."""
        url = URL(f"{self._client.url}{path}?{self._query()}", encoded=True)
        headers = {"Accept-Encoding": "identity", **({"If-None-Match": etag} if etag else {})}
        try:
            answer = await self._session.get(url, headers=headers, allow_redirects=False)
        except aiohttp.ServerDisconnectedError:
            answer = await self._session.get(url, headers=headers, allow_redirects=False)
        async with answer:
            yield answer

    def _query(self) -> str:
        now = datetime.now(UTC)
        if now >= self._renew_at:
            credential = self._client.credential
            self._signature = generate_container_sas(
                account_name=self._client.account_name or "",
                container_name=self._client.container_name,
                account_key=credential.account_key,
                permission=ContainerSasPermissions(read=True),
                expiry=now + VALIDITY,
            )
            self._renew_at = now + VALIDITY / 2
        return self._signature
