"""B4, C6: bundles, receipts and records of the app that nobody needs any more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from artifact.errors import DeliveryError
from publisher.environment import Environment
from publisher.features import for_each
from publisher.indexes import releases_of
from publisher.ingest import bundle_name
from publisher.operations import ENDED_ONES
from publisher.pipeline import Pipeline
from publisher.ports import ObjectInfo, Store
from publisher.receipts import FINAL, read_receipt

Container = Literal["incoming", "quarantine", "receipts", "state"]
IDEMPOTENCY = "idempotency/"


@dataclass(frozen=True, slots=True)
class Leftover:
    """An object whose time is over, as it was when it was looked at."""

    container: Container
    name: str
    etag: str
    bytes: int


def plan(pipeline: Pipeline) -> Iterator[Leftover]:
    """What may go, by its age. A bundle without its final answer stays; a receipt stays while its bundle does, and
    while its version is listed.
    """
    keep = pipeline.retention
    bundles = list(pipeline.incoming.list(""))
    for info in _older(pipeline, bundles, keep.incoming):
        if _is_answered(pipeline, info):
            yield _leftover("incoming", info)
    for info in _older(pipeline, pipeline.quarantine.list(""), keep.quarantine):
        yield _leftover("quarantine", info)
    answers = {bundle.receipt for info in bundles if (bundle := bundle_name(info.name, info.etag)) is not None}
    receipts = _older(pipeline, pipeline.receipts.list(""), keep.receipts)
    for info in _unlisted(pipeline.environment, [info for info in receipts if info.name not in answers]):
        yield _leftover("receipts", info)
    for info in _older(pipeline, pipeline.state.list(ENDED_ONES), keep.operations):
        yield _leftover("state", info)
    for info in _older(pipeline, pipeline.state.list(IDEMPOTENCY), keep.idempotency):
        yield _leftover("state", info)


def carry_out(pipeline: Pipeline, leftover: Leftover) -> bool:
    """Remove one object of a plan, unless it was written again since (a bundle, by CI); whether it went."""
    store = _store(pipeline, leftover.container)
    there = next((info for info in store.list(leftover.name) if info.name == leftover.name), None)
    return there is not None and there.etag == leftover.etag and store.delete(leftover.name)


def _older(pipeline: Pipeline, objects: Iterable[ObjectInfo], keep: timedelta) -> list[ObjectInfo]:
    before = pipeline.environment.clock() - keep
    return [info for info in objects if info.last_modified <= before]


def _is_answered(pipeline: Pipeline, info: ObjectInfo) -> bool:
    bundle = bundle_name(info.name, info.etag)
    receipt = None if bundle is None else read_receipt(pipeline.receipts, bundle)
    return receipt is not None and receipt["status"] in FINAL


def _unlisted(env: Environment, receipts: list[ObjectInfo]) -> Iterator[ObjectInfo]:
    """Those whose version the feature's release index does not list; none of a feature that cannot be looked at."""
    features = sorted({info.name.partition("/")[0] for info in receipts})
    listed = dict(for_each(iter(features), lambda name: _listed(env, name)))
    for info in receipts:
        feature_id, _, rest = info.name.partition("/")
        versions = listed[feature_id]
        if not isinstance(versions, DeliveryError) and rest.rpartition("/")[0] not in versions:
            yield info


def _listed(env: Environment, feature_id: str) -> set[str]:
    head = releases_of(env, feature_id).head()
    return set() if head is None else {entry.version.text for entry in head.index.entries}


def _leftover(container: Container, info: ObjectInfo) -> Leftover:
    return Leftover(container, info.name, info.etag, info.size)


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
