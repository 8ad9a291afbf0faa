"""The queue trigger: messages as functions take them."""

from __future__ import annotations

from datetime import datetime

from azure.functions.meta import Datum
from azure.storage.queue import QueueMessage

from . import storage
from .converters import decode
from .functions import LoadedFunction
from .invocation import Invoker
from .queues import QueueListener, QueueRules
from .settings import HostSettings


def queue_trigger(function: LoadedFunction, settings: HostSettings, invoker: Invoker) -> QueueListener:
    """The listener of one queue-triggered function."""
    name, connection = settings.resolve(function.trigger["queueName"]), function.trigger["connection"]

    def process(message: QueueMessage, body: bytes) -> None:
        value = decode("queueTrigger", _datum(body), _facts(message))
        invoker.invoke(function, value, subject=f"{name}/{message.id}", attempt=message.dequeue_count or 1)

    return QueueListener(
        storage.queue(connection, name),
        storage.queue(connection, f"{name}-poison"),
        QueueRules.of_queues(settings),
        process,
        settings.poll,
    )


def _datum(body: bytes) -> Datum:
    try:
        return Datum(body.decode(), "string")
    except UnicodeDecodeError:
        return Datum(body, "bytes")


def _facts(message: QueueMessage) -> dict[str, Datum]:
    """The trigger metadata under the runtime's names."""
    times = {
        "ExpirationTime": message.expires_on,
        "InsertionTime": message.inserted_on,
        "NextVisibleTime": message.next_visible_on,
    }
    return {
        "Id": Datum(message.id, "string"),
        "PopReceipt": Datum(message.pop_receipt, "string"),
        "DequeueCount": Datum(message.dequeue_count, "int"),
        **{name: Datum(_rfc3339(time), "string") for name, time in times.items() if time},
    }


def _rfc3339(time: datetime) -> str:
    return time.isoformat(timespec="seconds")
