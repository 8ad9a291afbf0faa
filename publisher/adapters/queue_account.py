"""The queues of one storage account. Nothing is asked of it before the first request."""

from __future__ import annotations

from azure.storage.queue import LinearRetry, QueueServiceClient

from artifact.errors import ConfigurationError
from publisher.adapters.queue import StorageQueue


class QueueAccount:
    """Opened by a connection string, or by an account URL with a SAS or the identity that runs this."""

    def __init__(self, text: str) -> None:
        once = LinearRetry(retry_total=0)  # trying again is ours
        try:
            self._service = (
                _by_url(text, once)
                if text.startswith(("http://", "https://"))
                else QueueServiceClient.from_connection_string(text, retry_policy=once)
            )
        except ValueError:
            raise ConfigurationError("not a storage connection string or a queue URL", where="queues") from None

    def queue(self, name: str) -> StorageQueue:
        """The queue of that name, there or not."""
        return StorageQueue(self._service.get_queue_client(name))


def _by_url(url: str, retries: LinearRetry) -> QueueServiceClient:
    if "?" in url:
        return QueueServiceClient(url, retry_policy=retries)
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415 (slow to import, seldom needed)

    return QueueServiceClient(url, credential=DefaultAzureCredential(), retry_policy=retries)
