"""The queue output: what functions give becomes messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import azure.functions as func

from . import storage
from .functions import Binding, LoadedFunction
from .settings import HostSettings


class QueueOutputs:
    """Sends what functions gave to their `queue` outputs, after they succeeded."""

    def __init__(self, settings: HostSettings) -> None:
        self._settings = settings
        self._encoding = settings.value("extensions.queues.messageEncoding", "base64")

    def send(self, function: LoadedFunction, values: Mapping[str, Any]) -> None:
        """One message for a text or bytes or message, many for an iterable of them, none for None."""
        for name, binding in function.outputs.items():
            if binding["type"] == "queue" and values.get(name) is not None:
                self._send_all(binding, values[name])

    def _send_all(self, binding: Binding, value: Any) -> None:
        client = storage.queue(binding["connection"], self._settings.resolve(binding["queueName"]))
        single = isinstance(value, str | bytes | func.QueueMessage) or not isinstance(value, Iterable)
        for item in [value] if single else value:
            storage.send(client, storage.encoded(_body(item), self._encoding))


def _body(item: Any) -> bytes:
    if isinstance(item, func.QueueMessage):
        return item.get_body()
    if isinstance(item, str | bytes):
        return item.encode() if isinstance(item, str) else item
    raise TypeError(f"a queue output takes str, bytes or QueueMessage, not {type(item).__name__}")
