"""Asking a host over HTTP, without a browser."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Message
    body: bytes


def ask(url: str, path: str, *, method: str = "GET", accept: str = "*/*") -> Answer:
    """Ask for exactly this path, below the host's URL: nothing in it is tidied up."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request(method, f"/{path}", headers={"Accept": accept})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def ask_json(url: str, path: str) -> Any:
    """The JSON document under a path, which must be there."""
    answer = ask(url, path)
    assert answer.status == 200, path
    return json.loads(answer.body)


def eventually(look: Callable[[], Any]) -> Any:
    """What `look` finds, as soon as it finds something: a host hears of a swap at a time of the kernel's own."""
    pause = threading.Event()
    while not (found := look()):
        pause.wait(0.02)
    return found
