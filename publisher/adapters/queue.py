"""Azure Queue Storage: one queue."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError
from azure.storage.queue import QueueClient, QueueMessage

from publisher.adapters.backoff import Backoff
from publisher.adapters.blob_errors import code_of, from_library
from publisher.ports import Message

T = TypeVar("T")

MOST_AT_ONCE = 32
"""What the storage gives in one answer."""

_NO_QUEUE = "QueueNotFound"
_NO_MESSAGE = frozenset({"MessageNotFound", "PopReceiptMismatch"})


class StorageQueue:
    """A MessageQueue. Bodies are sent as base64, as the Functions host reads and writes them; the queue is made with
    its first message, and one that is not there is empty.
    """

    def __init__(self, client: QueueClient, *, backoff: Backoff | None = None) -> None:
        self._client = client
        self._backoff = backoff if backoff is not None else Backoff()

    def put(self, body: str, *, delay: timedelta = timedelta(0)) -> None:
        text = base64.b64encode(body.encode()).decode()
        seconds = round(delay.total_seconds())

        def send() -> None:
            try:
                self._client.send_message(text, visibility_timeout=seconds)
            except HttpResponseError as error:
                if code_of(error) != _NO_QUEUE:
                    raise
                self._create()
                self._client.send_message(text, visibility_timeout=seconds)

        self._ask(send)

    def take(self, count: int, *, hidden: timedelta) -> Sequence[Message]:
        seconds = round(hidden.total_seconds())
        most = min(count, MOST_AT_ONCE)

        def receive() -> list[Message]:
            pages = self._client.receive_messages(messages_per_page=most, visibility_timeout=seconds).by_page()
            return [_message(message) for message in next(pages, ())]

        return self._ask_existing(receive, [])

    def drop(self, message: Message) -> None:
        identity, receipt = _receipt(message)

        def delete() -> None:
            try:
                self._client.delete_message(identity, receipt)
            except HttpResponseError as error:
                if code_of(error) not in _NO_MESSAGE:
                    raise

        self._ask_existing(delete, None)

    def count(self) -> int:
        return self._ask_existing(lambda: self._client.get_queue_properties().approximate_message_count or 0, 0)

    def oldest(self) -> datetime | None:
        def peek() -> datetime | None:
            return next((message.inserted_on for message in self._client.peek_messages(1)), None)

        return self._ask_existing(peek, None)

    def _create(self) -> None:
        try:
            self._client.create_queue()
        except ResourceExistsError:
            return

    def _ask_existing(self, call: Callable[[], T], missing: T) -> T:
        def once() -> T:
            try:
                return call()
            except HttpResponseError as error:
                if code_of(error) == _NO_QUEUE:
                    return missing
                raise

        return self._ask(once)

    def _ask(self, call: Callable[[], T]) -> T:
        """What `call` returns, tried again; what the library raises becomes an error of ours."""

        def once(_tried: int) -> T:
            try:
                return call()
            except AzureError as error:
                raise from_library(error, f"queue {self._client.queue_name}") from None

        return self._backoff.run(once)


def _message(message: QueueMessage) -> Message:
    assert message.inserted_on is not None, "the storage dates every message"
    receipt = (message.id, message.pop_receipt)
    return Message(_body(str(message.content)), message.dequeue_count or 1, message.inserted_on, receipt)


def _body(content: str) -> str:
    """What was sent; a message that somebody sent as plain text is taken as it is."""
    try:
        return base64.b64decode(content, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return content


def _receipt(message: Message) -> tuple[str, str]:
    assert isinstance(message.receipt, tuple), "a message of another queue"
    identity, receipt = message.receipt
    return identity, receipt
