"""What the timers do: each looks at everything, mends what it finds, and says so."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from artifact.errors import DeliveryError
from artifact.releases import ReleaseIndex
from artifact.remote_index import POINTER
from publisher import cleanup, purge, purging, retention, sweep, telemetry
from publisher.changes import announce
from publisher.indexes import remote_of
from publisher.lateness import Served
from publisher.pipeline import Pipeline
from publisher.refresh import refresh_due
from publisher.repair import repair
from publisher.status import status

logger = logging.getLogger("favn.publisher.maintenance")


def repair_indexes(pipeline: Pipeline) -> None:
    """R5, T45: roll pointers forward; announce what the remote index does not list as it stands; resume purges."""
    found = repair(pipeline.environment)
    for feature_id in found.moved:
        logger.warning("%s: the pointer was behind or damaged, and was written anew", feature_id)
    if found.remote_moved:
        logger.warning("the remote index's pointer was behind or damaged, and was written anew")
    for feature_id in {*found.moved, *found.unlisted}:
        announce(pipeline, feature_id)
    if found.remote_moved:
        purge.request(pipeline, [purge.REMOTE_INDEX], actor="repair", reason="the pointer was written anew")
    purging.resume(pipeline)
    if POINTER not in found.failed:
        _measure(pipeline, found.heads)
    _report(found.failed)


def refresh_indexes(pipeline: Pipeline) -> None:
    """I4: sign again what would expire."""
    found = refresh_due(pipeline.environment)
    for feature_id in found.features:
        logger.info("%s: signed again", feature_id)
        announce(pipeline, feature_id)
    if found.remote:
        logger.info("the remote index was signed again")
        purge.request(pipeline, [purge.REMOTE_INDEX], actor="refresh", reason=None)
    _report(found.failed)


def sweep_poison(pipeline: Pipeline) -> None:
    """B4, T41: bundles that the platform gave up, or whose event was lost."""
    lost = sweep.find_lost(pipeline)
    if lost:
        logger.warning("%d bundles for which no event came", lost)
    sweep.sweep(pipeline)


def remove_old(pipeline: Pipeline) -> None:
    """R7, B4: the plan first, as a dry run would show it, then its removal."""
    keep = pipeline.retention.versions
    plan = retention.plan(pipeline.environment, keep)
    for outdated in plan.outdated:
        logger.info(
            "%s %s: %s; %d objects, %d bytes", outdated.feature_id, outdated.version, outdated.reason,
            outdated.objects, outdated.bytes,
        )  # fmt: skip
    failed = dict(plan.failed)
    for outdated, went in retention.carry_out_all(pipeline.environment, plan.outdated, keep):
        if isinstance(went, DeliveryError):
            failed[outdated.feature_id] = went
    if plan.unknown:
        logger.warning("%d folders are nobody's and are left alone: %s, …", len(plan.unknown), plan.unknown[0])
    leftovers = list(cleanup.plan(pipeline))
    logger.info("%d bundles, receipts and records are older than their retention", len(leftovers))
    for leftover in leftovers:
        cleanup.carry_out(pipeline, leftover)
    _report(failed)


def measure_edges(pipeline: Pipeline) -> None:
    """How late what readers get is, of every index at every edge, as a metric."""
    if not pipeline.edges:
        return
    env = pipeline.environment
    found = status(env.artifacts, env.trust, edges=pipeline.edges, now=env.clock(), feature_id=None, limits=env.limits)
    _edges("remote-index", found.edges)
    for feature in found.features:
        _edges(feature.feature_id, feature.edges)


def _edges(index: str, edges: Mapping[str, Served]) -> None:
    for edge, served in edges.items():
        if served.error is not None:
            logger.warning("%s at %s: %s", index, edge, served.error)
            telemetry.edge_failed(edge, served.error.code)
        elif served.late is not None:
            telemetry.edge_serves(edge, index, served.late)


def _measure(pipeline: Pipeline, heads: Iterable[ReleaseIndex]) -> None:
    now = pipeline.environment.clock()
    for index in heads:
        telemetry.index_stands(index.feature_id, index.updated_at, index.expires_at, now)
    remote = remote_of(pipeline.environment).head()
    if remote is not None:
        telemetry.index_stands("remote-index", remote.index.generated_at, remote.index.expires_at, now)
    for name, queue in (("changes", pipeline.changes), ("purges", pipeline.purges), ("poison", pipeline.poison)):
        telemetry.queue_waits(name, queue.oldest(), now)


def _report(failed: Mapping[str, DeliveryError]) -> None:
    """What is wrong with single features, and then that something is: the platform shows the run as failed."""
    for feature_id, error in failed.items():
        logger.error("%s: %s", feature_id, error)
    if failed:
        raise next(iter(failed.values()))
