"""B4: bundles that the platform gave up. Each is tried again for a while, and gets an answer in any case."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from artifact.errors import Code, DeliveryError, TransientError
from publisher.ingest import bundle_name, ingest
from publisher.pipeline import Pipeline
from publisher.ports import Message, Stream
from publisher.receipts import FINAL, BundleName, read_receipt, refused, write_receipt

HIDDEN = timedelta(minutes=10)
"""Longer than one bundle takes: so long until it is tried again."""

OVERDUE = timedelta(minutes=15)
"""An event comes within seconds; in a burst of thousands of bundles it may wait for minutes."""

BATCH = 16
TRIES = 5

logger = logging.getLogger("favn.publisher.sweep")


@dataclass(frozen=True, slots=True)
class Poison:
    """A blob event that the platform gave up after its own tries; `tries` counts ours."""

    name: str
    tries: int


def sweep(pipeline: Pipeline) -> int:
    """Take on what waits in the poison queue: try again, and after TRIES move it aside with its receipt.

    Returns how many there were. What fails again stays in the queue.
    """
    count = 0
    for message in _waiting(pipeline):
        count += 1
        poison = _parsed(message)
        if poison is None or _settled(pipeline, poison):
            pipeline.poison.drop(message)
    return count


def find_lost(pipeline: Pipeline) -> int:
    """Bundles that wait for long without any answer: their event was lost (T41). They go the way of `sweep`.

    Returns how many there were.
    """
    before = pipeline.environment.clock() - OVERDUE
    answered = {info.name for info in pipeline.receipts.list("")}
    count = 0
    for info in list(pipeline.incoming.list("")):
        bundle = bundle_name(info.name, info.etag)
        if info.last_modified <= before and (bundle is None or bundle.receipt not in answered):
            if bundle is not None:
                _answer(pipeline, bundle, "no event came for this bundle; it is taken in now")
            pipeline.poison.put(json.dumps({"ContainerName": "incoming", "BlobName": info.name}))
            count += 1
    return count


def _waiting(pipeline: Pipeline) -> Iterator[Message]:
    while messages := pipeline.poison.take(BATCH, hidden=HIDDEN):
        yield from messages


def _parsed(message: Message) -> Poison | None:
    try:
        event = json.loads(message.body)
        if event["ContainerName"] == "incoming":
            return Poison(str(event["BlobName"]), message.tries)
    except (ValueError, KeyError, TypeError):
        logger.error("a poison message that names no bundle was dropped")
    return None


def _settled(pipeline: Pipeline, poison: Poison) -> bool:
    """Whether the bundle has its final answer now. One that is gone, or was answered meanwhile, has."""
    stream = pipeline.incoming.stream(poison.name)
    if stream is None:
        return True
    bundle = bundle_name(poison.name, stream.etag)
    receipt = None if bundle is None else read_receipt(pipeline.receipts, bundle)
    if receipt is not None and receipt["status"] in FINAL:
        return True
    if poison.tries > TRIES:
        _give_up(pipeline, poison, bundle, stream)
        return True
    if receipt is None and bundle is not None:
        # What killed the app left no word, and may do so again.
        _answer(pipeline, bundle, "the app ended while it took this bundle in")
    try:
        ingest(pipeline, poison.name)
    except DeliveryError as error:
        logger.error("incoming/%s: failed again, at try %d: %s", poison.name, poison.tries, error)
        return False
    return True


def _give_up(pipeline: Pipeline, poison: Poison, bundle: BundleName | None, stream: Stream) -> None:
    logger.error("incoming/%s: given up after %d more tries; moved to quarantine", poison.name, TRIES)
    if bundle is not None and read_receipt(pipeline.receipts, bundle) is None:
        _answer(pipeline, bundle, "given up")
    pipeline.incoming.move(poison.name, pipeline.quarantine, f"{poison.name}.{stream.etag}", etag=stream.etag)


def _answer(pipeline: Pipeline, bundle: BundleName, what: str) -> None:
    error = TransientError(Code.TRANSPORT_FAILED, "B4", what, where=bundle.bundle)
    write_receipt(pipeline.receipts, bundle, refused(bundle, "failed", error, pipeline.environment.clock()))
