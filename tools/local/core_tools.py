"""Running the app under Azure Functions Core Tools where they are installed, with the events that it needs.

`func start` has no Event Grid, without which a blob trigger of `source=EventGrid` never fires: `EventGrid` tells it of
new blobs by the same web hook that Azure's event subscription calls. Function keys are not enforced by `func start`.
"""

from __future__ import annotations

import json
import shutil
import sys
import threading
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from azure.storage.blob import ContainerClient

from .children import Child, ChildError
from .devhost.blob_events import HOST_CONTAINER, BlobEvents, BlobPath, EventMemory

START_SECONDS = 180
"""The first start downloads the extension bundle."""

POLL_SECONDS = 0.25


def find() -> Path | None:
    """Where Core Tools are, or None."""
    found = shutil.which("func")
    return Path(found) if found else None


def command(program: Path, port: int) -> list[str | Path]:
    """What starts the app; it runs in the folder of its `function_app.py`."""
    return [program, "start", "--port", str(port)]


def environment() -> dict[str, str]:
    """The app settings that Core Tools need beside the app's own."""
    return {
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "languageWorkers__python__defaultExecutablePath": sys.executable,
    }


def wait_until_running(child: Child, url: str) -> None:
    """Ask for the host's status until it is Running. ChildError where it is not in time."""
    pause = threading.Event()
    for _ in range(int(START_SECONDS / POLL_SECONDS)):
        try:
            if _get(f"{url}/admin/host/status").get("state") == "Running":
                return
        except (OSError, ValueError):
            pause.wait(POLL_SECONDS)
    raise ChildError(f"{child.name} did not answer in {START_SECONDS} s{child.last_words()}")


class EventGrid:
    """Tells the host at `url` of every new blob, for each of its blob triggers that wait for Event Grid."""

    def __init__(self, url: str, connection_string: str) -> None:
        self._url = url
        self._storage = connection_string
        self._events = [self._watch(function) for function in _get(f"{url}/admin/functions")]

    def __enter__(self) -> None:
        for events in self._watching():
            events.start()

    def __exit__(self, *_: object) -> None:
        for events in self._watching():
            events.stop()

    def _watching(self) -> list[BlobEvents]:
        return [events for events in self._events if events is not None]

    def _watch(self, function: Mapping[str, Any]) -> BlobEvents | None:
        bindings = function["config"]["bindings"]
        trigger = next(b for b in bindings if b["type"].lower().endswith("trigger"))
        if trigger["type"] != "blobTrigger" or trigger.get("source") != "EventGrid":
            return None
        path = BlobPath.parse(trigger["path"])
        container = self._container(path.container)
        memory = EventMemory(self._container(HOST_CONTAINER), f"eventgrid/{function['name']}.json")
        hook = f"{self._url}/runtime/webhooks/blobs?functionName=Host.Functions.{quote(function['name'])}"

        def deliver(name: str, etag: str) -> None:
            _post(hook, [_created(container.get_blob_client(name).url, path.container, name, etag)])

        return BlobEvents(container, path.pattern, memory, deliver, POLL_SECONDS)

    def _container(self, name: str) -> ContainerClient:
        return ContainerClient.from_connection_string(self._storage, name)


def _created(url: str, container: str, name: str, etag: str) -> dict[str, Any]:
    """An event `Microsoft.Storage.BlobCreated` in the Event Grid schema."""
    return {
        "id": str(uuid4()),
        "eventType": "Microsoft.Storage.BlobCreated",
        "topic": "local",
        "subject": f"/blobServices/default/containers/{container}/blobs/{name}",
        "eventTime": datetime.now(UTC).isoformat(),
        "dataVersion": "",
        "metadataVersion": "1",
        "data": {"api": "PutBlob", "eTag": etag, "blobType": "BlockBlob", "url": url},
    }


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own loopback address
        return json.load(answer)


def _post(url: str, document: Any) -> None:
    headers = {"Content-Type": "application/json", "aeg-event-type": "Notification"}
    request = urllib.request.Request(url, json.dumps(document).encode(), headers)  # noqa: S310 - as above
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310 - as above
        return
