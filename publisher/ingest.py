"""B2-B4: what happens to one bundle in `incoming`, from its name to its receipt."""

from __future__ import annotations

import logging

from artifact.errors import Code, ContentError, DeliveryError
from artifact.versions import Version, check_feature_id
from publisher import logs, telemetry
from publisher.chain import StoredStateError
from publisher.changes import announce
from publisher.pipeline import Pipeline
from publisher.ports import Stream
from publisher.publish import Name, Published, publish
from publisher.receipts import FINAL, PUBLISHED, BundleName, published, read_receipt, refused, write_receipt
from publisher.sources import BundleSource
from publisher.spool import Spool

SUFFIX = ".tar.gz"
ACTOR = "ingest"

logger = logging.getLogger("favn.publisher.ingest")


def ingest(pipeline: Pipeline, name: str) -> Published | None:
    """Publish the bundle `<featureId>/<version>.tar.gz` of `incoming`, and answer with a receipt.

    A bundle whose content is wrong is moved to `quarantine` and costs no retry: the answer is None, as it is where the
    bundle is gone already, or has its final receipt (B5). Anything else that fails is raised, after a receipt that says
    so, for the platform to retry.
    """
    stream = pipeline.incoming.stream(name)
    if stream is None:
        logger.info("incoming/%s: gone already", name)
        return None
    bundle = bundle_name(name, stream.etag)
    answer = None if bundle is None else read_receipt(pipeline.receipts, bundle)
    if answer is not None and answer["status"] in FINAL:
        _follow_up(pipeline, name, stream, str(answer["status"]))
        return None
    try:
        result = _publish(pipeline, name, stream)
    except DeliveryError as error:
        if isinstance(error, ContentError) and not isinstance(error, StoredStateError):
            _reject(pipeline, name, bundle, stream.etag, error)
            return None
        _answer(pipeline, bundle, "failed", error)
        telemetry.retried("ingest")
        raise
    if bundle is not None:
        write_receipt(pipeline.receipts, bundle, published(bundle, result, pipeline.environment.clock()))
    announce(pipeline, result.feature_id, since=stream.last_modified)
    with logs.bound(feature=result.feature_id, version=result.version, sequence=result.sequence):
        logger.info("incoming/%s: published, active is %s", name, result.active)
    return result


def _follow_up(pipeline: Pipeline, name: str, stream: Stream, status: str) -> None:
    """What comes after the receipt, once more: the app may have died between the two."""
    logger.info("incoming/%s: was %s before", name, status)
    if status == PUBLISHED:
        announce(pipeline, name.partition("/")[0], since=stream.last_modified)
    else:
        pipeline.incoming.move(name, pipeline.quarantine, f"{name}.{stream.etag}", etag=stream.etag)


def _publish(pipeline: Pipeline, name: str, stream: Stream) -> Published:
    expected = _expected(name)
    environment = pipeline.environment
    with Spool() as spool:
        source = BundleSource(stream, spool, where=f"incoming/{name}", limits=environment.limits)
        return publish(environment, source, actor=ACTOR, expected=expected)


def _expected(name: str) -> Name:
    """What the bundle's name promises (B1). Raises ContentError."""
    where = f"incoming/{name}"
    feature_id, slash, file = name.partition("/")
    if not slash or not file.endswith(SUFFIX):
        raise ContentError(
            Code.BUNDLE_INVALID, "B1", "bad name", where=where, expected="<featureId>/<version>.tar.gz", seen=name
        )
    check_feature_id(feature_id, where=where)
    return Name(feature_id, Version(file.removesuffix(SUFFIX), where=where))


def bundle_name(name: str, etag: str) -> BundleName | None:
    """Where the receipt stands; None with a bad feature id, which gets none (B4)."""
    feature_id, _, file = name.partition("/")
    try:
        check_feature_id(feature_id, where=name)
    except ContentError:
        return None
    return BundleName(feature_id, file.removesuffix(SUFFIX), f"incoming/{name}", etag) if file else None


def _reject(pipeline: Pipeline, name: str, bundle: BundleName | None, etag: str, error: ContentError) -> None:
    # One line: the rule's number, what is wrong, and where the bundle went.
    logger.error("incoming/%s: rejected: %s; moved to quarantine", name, error)
    telemetry.rejected(error.code)
    _answer(pipeline, bundle, "rejected", error)
    pipeline.incoming.move(name, pipeline.quarantine, f"{name}.{etag}", etag=etag)


def _answer(pipeline: Pipeline, bundle: BundleName | None, status: str, error: DeliveryError) -> None:
    if bundle is not None:
        write_receipt(pipeline.receipts, bundle, refused(bundle, status, error, pipeline.environment.clock()))
