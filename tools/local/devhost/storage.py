"""Storage clients by the name of an app setting, and the host's own queue messages."""

from __future__ import annotations

import base64
from typing import Any

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import ContainerClient, LinearRetry
from azure.storage.queue import LinearRetry as QueueLinearRetry
from azure.storage.queue import QueueClient

from .settings import setting

HOST_STORAGE = "AzureWebJobsStorage"
"""The app setting that names the storage of the host itself."""


def container(connection: str, name: str) -> ContainerClient:
    """The container `name` of the storage that the app setting `connection` names."""
    retry = LinearRetry(backoff=1, retry_total=3, random_jitter_range=0)
    return ContainerClient.from_connection_string(setting(connection), name, retry_policy=retry)


def queue(connection: str, name: str) -> QueueClient:
    """The queue `name` of the storage that the app setting `connection` names; texts are sent as they are."""
    retry = QueueLinearRetry(backoff=1, retry_total=3, random_jitter_range=0)
    return QueueClient.from_connection_string(setting(connection), name, retry_policy=retry)


def ensure(client: ContainerClient | QueueClient) -> None:
    """Create the container or queue where it is missing."""
    try:
        _create(client)
    except ResourceExistsError:
        return


def _create(client: ContainerClient | QueueClient) -> None:
    if isinstance(client, QueueClient):
        client.create_queue()
    else:
        client.create_container()


def send(client: QueueClient, text: str) -> None:
    """Put `text` into the queue, which is made where it is missing."""
    try:
        client.send_message(text)
    except ResourceNotFoundError:
        ensure(client)
        client.send_message(text)


def encoded(body: bytes, encoding: str) -> str:
    """A message's text for `body`; `encoding` is host.json's `messageEncoding`, `base64` or `none`."""
    return base64.b64encode(body).decode() if encoding == "base64" else body.decode()


def decoded(text: Any, encoding: str) -> bytes:
    """A message's body; ValueError where its text is not of that encoding."""
    return base64.b64decode(str(text), validate=True) if encoding == "base64" else str(text).encode()
