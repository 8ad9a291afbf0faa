"""B4, C6: bundles, receipts and records of the app that nobody needs any more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from publisher.ingest import bundle_name
from publisher.operations import ENDED_ONES
from publisher.pipeline import Pipeline
from publisher.ports import ObjectInfo, Store
from publisher.receipts import FINAL, read_receipt

Container = Literal["incoming", "quarantine", "receipts", "state"]
IDEMPOTENCY = "idempotency/"


@dataclass(frozen=True, slots=True)
class Leftover:
    """An object whose time is over."""

    container: Container
    name: str
    bytes: int


def plan(pipeline: Pipeline) -> Iterator[Leftover]:
    """What may go, by its age. A bundle without its final answer stays, and so does a receipt while its bundle does."""
    keep = pipeline.retention
    for info in _older(pipeline, pipeline.incoming, "", keep.incoming):
        if _is_answered(pipeline, info):
            yield Leftover("incoming", info.name, info.size)
    for info in _older(pipeline, pipeline.quarantine, "", keep.quarantine):
        yield Leftover("quarantine", info.name, info.size)
    for info in _older(pipeline, pipeline.receipts, "", keep.receipts):
        yield Leftover("receipts", info.name, info.size)
    for info in _older(pipeline, pipeline.state, ENDED_ONES, keep.operations):
        yield Leftover("state", info.name, info.size)
    for info in _older(pipeline, pipeline.state, IDEMPOTENCY, keep.idempotency):
        yield Leftover("state", info.name, info.size)


def carry_out(pipeline: Pipeline, leftover: Leftover) -> None:
    """Remove one object of a plan."""
    _store(pipeline, leftover.container).delete(leftover.name)


def _older(pipeline: Pipeline, store: Store, prefix: str, keep: timedelta) -> Iterator[ObjectInfo]:
    before = pipeline.environment.clock() - keep
    return (info for info in list(store.list(prefix)) if info.last_modified <= before)


def _is_answered(pipeline: Pipeline, info: ObjectInfo) -> bool:
    bundle = bundle_name(info.name, info.etag)
    receipt = None if bundle is None else read_receipt(pipeline.receipts, bundle)
    return receipt is not None and receipt["status"] in FINAL


def _store(pipeline: Pipeline, container: Container) -> Store:
    match container:
        case "incoming":
            return pipeline.incoming
        case "quarantine":
            return pipeline.quarantine
        case "receipts":
            return pipeline.receipts
        case "state":
            return pipeline.state
