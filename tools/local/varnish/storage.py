"""A private container as what a Varnish serves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from azure.storage.blob import ContainerClient, ContainerSasPermissions, generate_container_sas

from .varnish import Origin

VALIDITY = timedelta(days=30)
"""Of the signature, from the start on: a local pipeline does not run longer."""


def of_container(connection_string: str, container: str) -> Origin:
    """The container behind a signature that may read objects, and not list them."""
    with ContainerClient.from_connection_string(connection_string, container) as client:
        query = generate_container_sas(
            account_name=client.account_name or "",
            container_name=client.container_name,
            account_key=client.credential.account_key,
            permission=ContainerSasPermissions(read=True),
            expiry=datetime.now(UTC) + VALIDITY,
        )
        url = urlsplit(client.url)
    return Origin(url.hostname or "", url.port or 80, url.path, query)
