"""What a test asks of a host that runs the app, whichever it is."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from publisher.settings import STORAGE

WAIT = threading.Event()
"""Never set: to wait a moment between two looks."""


class FunctionError(Exception):
    """A function has raised; `str()` is what the host tells of it."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Host(Protocol):
    """An app that runs. `invoked` collects the functions that succeeded; where one fails, FunctionError is raised."""

    invoked: set[str]

    @property
    def functions(self) -> Mapping[str, Mapping[str, Any]]:
        """The trigger of every function, as the host sees it."""
        ...

    def arrived(self, name: str) -> None:
        """A blob was uploaded to `incoming`; returns when its function has run."""
        ...

    def settle(self, *functions: str) -> None:
        """Returns when no queue of these functions, or of any, has a message left."""
        ...

    def tick(self, function: str) -> None:
        """A timer's time has come; returns when it has run."""
        ...

    def call(self, function: str, body: Any = None, **parameters: str) -> Answer:
        """One HTTP request to a function, with all powers."""
        ...


def described(trigger: Mapping[str, Any]) -> str:
    """All that a trigger says, in one line."""
    match trigger["type"]:
        case "blobTrigger":
            return f"blob {trigger['path']} of {trigger['connection']} by {trigger['source']}"
        case "queueTrigger":
            return f"queue {trigger['queueName']} of {trigger['connection']}"
        case "timerTrigger":
            return f"timer {trigger['schedule']}"
        case "httpTrigger":
            return f"{trigger['authLevel']} {' '.join(trigger['methods'])} {trigger['route']}"
    return json.dumps(trigger)


def queues_of(host: Host, functions: tuple[str, ...]) -> dict[str, str]:
    """The queues by function: of these functions, or of all."""
    queues = {name: one["queueName"] for name, one in host.functions.items() if one["type"] == "queueTrigger"}
    return {name: queue for name, queue in queues.items() if name in (functions or queues)}


def environment_of(connection: str, settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with the app settings."""
    return {**os.environ, STORAGE: connection, "AzureWebJobsStorage": connection, **settings}
