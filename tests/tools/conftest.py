"""What the tests of the tools share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from azure.storage.blob import BlobServiceClient, ContentSettings

from tests.tools.running import Reports
from tools.local.azurite import Account

Put = Callable[..., None]


@pytest.fixture
def reports() -> Iterator[Reports]:
    """What the sample app tells."""
    with Reports() as listening:
        yield listening


@pytest.fixture
def put(storage: Account) -> Iterator[Put]:
    """`put(container, name, data, content_type=…, cache_control=…)` writes a blob, over one that is there."""
    with BlobServiceClient.from_connection_string(storage.connection_string) as service:

        def upload(
            container: str,
            name: str,
            data: bytes,
            content_type: str = "application/octet-stream",
            cache_control: str | None = None,
        ) -> None:
            settings = ContentSettings(content_type, cache_control=cache_control)
            service.get_blob_client(container, name).upload_blob(data, overwrite=True, content_settings=settings)

        yield upload
