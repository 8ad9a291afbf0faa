"""The blob trigger: an event becomes a message in the host's own queue, a message becomes an invocation."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.functions.meta import Datum
from azure.storage.blob import BlobClient, BlobProperties, ContainerClient
from azure.storage.queue import QueueMessage

from . import storage
from .blob_events import HOST_CONTAINER, BlobEvents, BlobPath, EventMemory
from .converters import decode
from .functions import LoadedFunction
from .invocation import Invoker, log
from .queues import QueueListener, QueueRules
from .settings import HostSettings

POISON_QUEUE = "webjobs-blobtrigger-poison"
ENCODING = "base64"


class BlobTriggers:
    """All blob-triggered functions of an app that share one connection."""

    def __init__(
        self,
        connection: str,
        functions: Sequence[LoadedFunction],
        settings: HostSettings,
        invoker: Invoker,
    ) -> None:
        self._functions = {function.name: function for function in functions}
        self._connection, self._invoker = connection, invoker
        self._queue = storage.queue(storage.HOST_STORAGE, f"azure-webjobs-blobtrigger-{settings.host_id}")
        rules = QueueRules(
            batch=settings.value("extensions.blobs.maxDegreeOfParallelism", 8),
            max_dequeue=settings.value("extensions.blobs.poisonBlobThreshold", 5),
            retry_after=timedelta(0),
            encoding=ENCODING,
            lease=settings.lease,
        )
        poison = storage.queue(connection, POISON_QUEUE)
        self._containers: dict[str, ContainerClient] = {}
        self._listener = QueueListener(self._queue, poison, rules, self._process, settings.poll)
        self._events = [self._events_of(function, settings) for function in functions]

    def start(self) -> None:
        """Begin to tell of blobs and to run functions."""
        self._listener.start()
        for events in self._events:
            events.start()

    def stop(self) -> None:
        """Tell of no more blobs and wait for functions that run."""
        for events in self._events:
            events.stop()
        self._listener.stop()

    def _events_of(self, function: LoadedFunction, settings: HostSettings) -> BlobEvents:
        path = BlobPath.parse(settings.resolve(function.trigger["path"]))

        def deliver(name: str, etag: str) -> None:
            event = {
                "Type": "BlobTrigger",
                "FunctionId": f"Host.Functions.{function.name}",
                "BlobType": "BlockBlob",
                "ContainerName": path.container,
                "BlobName": name,
                "ETag": f'"{etag}"',
            }
            storage.send(self._queue, storage.encoded(json.dumps(event).encode(), ENCODING))
            self._listener.wake()

        own = storage.container(storage.HOST_STORAGE, HOST_CONTAINER)
        memory = EventMemory(own, f"blobscan/{settings.host_id}/{function.name}.json")
        container = self._containers[path.container] = storage.container(self._connection, path.container)
        return BlobEvents(container, path.pattern, memory, deliver, settings.poll)

    def _process(self, message: QueueMessage, body: bytes) -> None:
        """Run the function on whatever blob is there NOW, as in Azure; one that went meanwhile is no error."""
        event = json.loads(body)
        function = self._functions[event["FunctionId"].removeprefix("Host.Functions.")]
        subject = f"{event['ContainerName']}/{event['BlobName']}"
        blob = self._containers[event["ContainerName"]].get_blob_client(event["BlobName"])
        try:
            value = _value(function, blob, subject)
        except ResourceNotFoundError:
            log(function=function.name, trigger=function.kind, subject=subject, outcome="gone")
            return
        except AzureError as error:
            log(function=function.name, trigger=function.kind, subject=subject, outcome="not read", error=str(error))
            raise
        self._invoker.invoke(function, value, subject=subject, attempt=message.dequeue_count or 1)


def _value(function: LoadedFunction, blob: BlobClient, subject: str) -> Any:
    """What the function gets: an InputStream with the blob in memory, or an SDK client that it streams from itself."""
    base = sys.modules.get("azurefunctions.extensions.base")
    if base is not None and base.get_binding_registry().check_supported_type(function.parameter_type):
        blob.get_blob_properties()  # a missing blob shows here, not in the function
        return _sdk_value(base, function, blob)
    stream = blob.download_blob()
    data = Datum(stream.readall(), "bytes")
    facts = _facts(stream.properties, blob.url, subject)
    return decode("blobTrigger", data, facts)


def _sdk_value(base: Any, function: LoadedFunction, blob: BlobClient) -> Any:
    """The value of a parameter of `azurefunctions.extensions.bindings.blob`, made by its own converter."""
    content = {
        "Connection": function.trigger["connection"],
        "ContainerName": blob.container_name,
        "BlobName": blob.blob_name,
    }
    data = SimpleNamespace(
        version="1.0", source="AzureStorageBlobs", content_type="application/json", content=json.dumps(content)
    )
    converter = base.get_binding_registry().get("blobTrigger")
    datum = base.Datum(data, "model_binding_data")
    return converter.decode(datum, trigger_metadata=None, pytype=function.parameter_type)


def _facts(properties: BlobProperties, url: str, subject: str) -> dict[str, Datum]:
    """The trigger metadata under the runtime's names. The ETag is left out: its form differs between host versions."""
    shown = {
        "ContentLength": properties.size,
        "ContentType": properties.content_settings.content_type,
        "LastModified": properties.last_modified.isoformat(),
    }
    return {
        "BlobTrigger": Datum(subject, "string"),
        "Uri": Datum(url, "string"),
        "Properties": Datum(json.dumps(shown), "json"),
        "Metadata": Datum(json.dumps(properties.metadata or {}), "json"),
    }
