"""Listening to a queue: leases, retries, the poison queue."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueMessage

from . import storage
from .invocation import log
from .settings import HostSettings


@dataclass(frozen=True, slots=True)
class QueueRules:
    """How messages are taken and given up, from host.json's `extensions.queues` (or `.blobs`)."""

    batch: int
    max_dequeue: int
    retry_after: timedelta
    encoding: str
    lease: int
    """Seconds that a message in work is hidden, renewed at a third; Azure's ten minutes would hide a death too long."""

    @classmethod
    def of_queues(cls, settings: HostSettings) -> QueueRules:
        """The rules of queue triggers; the defaults are the runtime's."""
        at = "extensions.queues."
        return cls(
            batch=settings.value(at + "batchSize", 16),
            max_dequeue=settings.value(at + "maxDequeueCount", 5),
            retry_after=settings.value(at + "visibilityTimeout", timedelta(0)),
            encoding=settings.value(at + "messageEncoding", "base64"),
            lease=settings.lease,
        )


@dataclass(slots=True, eq=False)
class _Held:
    """A message in work. Its receipt changes with every renewal, so one lock guards them all."""

    message: QueueMessage
    receipt: str
    lock: threading.Lock = field(default_factory=threading.Lock)
    settled: bool = False


class QueueListener:
    """Takes messages from `client`, gives each to `process(message, body)`, and deletes it when that returns.

    A message is retried after `rules.retry_after` when `process` raises, and moved to `poison` when it has been tried
    `rules.max_dequeue` times. A missing queue is an empty one, as in Azure.
    """

    def __init__(
        self,
        client: QueueClient,
        poison: QueueClient,
        rules: QueueRules,
        process: Callable[[QueueMessage, bytes], None],
        poll: float,
    ) -> None:
        self._client, self._poison, self._rules, self._process, self._poll = client, poison, rules, process, poll
        self._stopped = threading.Event()
        self._drained = threading.Event()
        self._wake = threading.Event()
        self._free = threading.Semaphore(rules.batch)
        self._held: set[_Held] = set()
        self._pool = ThreadPoolExecutor(rules.batch, f"queue-{client.queue_name}")
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._listen, self._renew)]

    def start(self) -> None:
        """Begin to take messages."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Look at once: a message has just been sent."""
        self._wake.set()

    def stop(self) -> None:
        """Take no more messages and wait for those in work."""
        self._stopped.set()
        self._wake.set()
        self._threads[0].join()
        self._pool.shutdown()
        self._drained.set()
        self._threads[1].join()

    def _listen(self) -> None:
        while not self._stopped.is_set():
            self._wake.clear()
            self._free.acquire()
            message = self._receive()
            if message is None:
                self._free.release()
                self._wake.wait(self._poll)
            else:
                held = _Held(message, message.pop_receipt or "")
                self._held.add(held)
                self._pool.submit(self._handle, held)

    def _receive(self) -> QueueMessage | None:
        try:
            return self._client.receive_message(visibility_timeout=self._rules.lease)
        except ResourceNotFoundError:
            return None
        except AzureError as error:
            log(queue=self._client.queue_name, outcome="storage failed", error=str(error).partition("\n")[0])
            return None

    def _renew(self) -> None:
        while not self._drained.wait(self._rules.lease / 3):
            for held in list(self._held):
                with held.lock:
                    if not held.settled:
                        self._try(self._hide, held, self._rules.lease)

    def _handle(self, held: _Held) -> None:
        try:
            finish = self._outcome(held.message)
            with held.lock:
                held.settled = True
                self._try(finish, held)
        finally:
            self._held.discard(held)
            self._free.release()

    def _outcome(self, message: QueueMessage) -> Callable[[_Held], None]:
        """Run the message; what is then to be done with it."""
        tries = message.dequeue_count or 1
        if tries > self._rules.max_dequeue:  # it has killed the host every time
            return self._bury
        try:
            body = storage.decoded(message.content, self._rules.encoding)
        except ValueError as error:
            log(queue=self._client.queue_name, outcome="poison", error=f"not {self._rules.encoding}: {error}")
            return self._bury
        try:
            self._process(message, body)
        except Exception:  # noqa: BLE001 - the invocation has logged it; the host goes on
            return self._bury if tries >= self._rules.max_dequeue else self._release
        return self._delete

    def _delete(self, held: _Held) -> None:
        self._client.delete_message(held.message, held.receipt)

    def _release(self, held: _Held) -> None:
        self._hide(held, int(self._rules.retry_after.total_seconds()))
        self.wake()

    def _bury(self, held: _Held) -> None:
        storage.send(self._poison, str(held.message.content))
        self._delete(held)
        log(queue=self._client.queue_name, outcome="poison", to=self._poison.queue_name, message=held.message.id)

    def _hide(self, held: _Held, seconds: int) -> None:
        answer = self._client.update_message(held.message, held.receipt, visibility_timeout=seconds)
        held.receipt = answer.pop_receipt or held.receipt

    def _try(self, action: Callable[..., None], *arguments: object) -> None:
        """Storage that does not answer costs a second delivery, never the listener (at least once)."""
        try:
            action(*arguments)
        except AzureError as error:
            log(queue=self._client.queue_name, outcome="storage failed", error=str(error).partition("\n")[0])
