"""The platform's part, played in memory: bundles arrive, messages are delivered until none is left."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from artifact.errors import DeliveryError
from artifact.paths import Limits
from publisher import changes, purging
from publisher.adapters.memory_queue import MemoryQueue
from publisher.authoring import pack_directory
from publisher.content_types import private
from publisher.pipeline import Pipeline
from publisher.ports import MessageQueue, Store

DEQUEUES = 5
HIDDEN = timedelta(seconds=30)
"""host.json's `maxDequeueCount` and `visibilityTimeout`."""


def bundle_of(folder: Path) -> bytes:
    """The bundle of a version directory."""
    return b"".join(pack_directory(folder, Limits())[1])


def submit(pipeline: Pipeline, name: str, data: bytes) -> str:
    """Upload to `incoming`, as CI does. Returns the ETag."""
    return pipeline.incoming.put_file(name, io.BytesIO(data), len(data), private(name))


def receipts(pipeline: Pipeline) -> list[dict[str, Any]]:
    """All receipts, in name order."""
    return [json.loads(content(pipeline.receipts, name)) for name in names(pipeline.receipts)]


def names(store: Store) -> list[str]:
    return [info.name for info in store.list("")]


def content(store: Store, name: str) -> bytes:
    found = store.read(name, limit=2**30)
    assert found is not None
    return found.data


def bodies(queue: MessageQueue) -> list[str]:
    """What waits in a queue of the memory adapter."""
    assert isinstance(queue, MemoryQueue)
    return queue.bodies


def deliver(pipeline: Pipeline) -> None:
    """Run the queue triggers until no message is left, as the platform does; sleeping passes the time."""
    for _ in range(1000):
        if not (_deliver_one(pipeline, pipeline.changes) or _deliver_one(pipeline, pipeline.purges)):
            if not bodies(pipeline.changes) and not bodies(pipeline.purges):
                return
            pipeline.sleep(60)
    raise AssertionError("messages without end")


def _deliver_one(pipeline: Pipeline, queue: MessageQueue) -> bool:
    handler = changes.follow if queue is pipeline.changes else purging.run
    for message in queue.take(1, hidden=HIDDEN):
        try:
            handler(pipeline, message.body)
        except DeliveryError:
            if message.tries < DEQUEUES:
                return True
        queue.drop(message)
        return True
    return False
