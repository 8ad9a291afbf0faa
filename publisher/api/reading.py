"""The routes that read: features, receipts, purge operations."""

from __future__ import annotations

import json
import logging
import re
from http import HTTPStatus
from typing import Any

from artifact.errors import Code, ContentError, TransientError
from artifact.versions import check_feature_id
from publisher import purge
from publisher.api.messages import Request, Response
from publisher.api.problems import told
from publisher.operations import Operation
from publisher.pipeline import Pipeline
from publisher.receipts import FINAL, RECEIPT_LIMIT
from publisher.status import FeatureStatus, status

MOST_RECEIPTS = 100
_RAW_VERSION = re.compile(r"[!-.0-~]{1,200}")
"""A receipt stands under the raw name where that is no version (B4); it never holds a `/`."""

logger = logging.getLogger("favn.publisher.api")


def features(pipeline: Pipeline, request: Request) -> Response:
    """All features of the remote index."""
    env = pipeline.environment
    found = status(env.artifacts, env.trust, edges={}, now=env.clock(), feature_id=None, limits=env.limits)
    sequence = None if found.remote is None else found.remote.sequence
    return Response(
        HTTPStatus.OK, {"remoteIndexSequence": sequence, "features": [_feature(one) for one in found.features]}
    )


def feature(pipeline: Pipeline, request: Request) -> Response:
    """One feature; its ETag is the sequence, for `If-Match`."""
    env, feature_id = pipeline.environment, check_feature_id(request.parameters["id"], where="path")
    found = status(env.artifacts, env.trust, edges={}, now=env.clock(), feature_id=feature_id, limits=env.limits)
    (one,) = found.features
    if one.error is not None:
        raise one.error
    if one.index is None:
        raise _not_found("no version of this feature was ever published", feature_id)
    return Response(HTTPStatus.OK, _feature(one), {"ETag": f'"{one.index.sequence}"'})


def receipts(pipeline: Pipeline, request: Request) -> Response:
    """The receipts of a version's bundles, newest first; none is an empty list: nothing has answered yet."""
    feature_id, version = check_feature_id(request.parameters["id"], where="path"), request.parameters["version"]
    if _RAW_VERSION.fullmatch(version) is None or version in {".", ".."}:
        raise ContentError(Code.SCHEMA_INVALID, "P2", "bad version", where="path", seen=version)
    there = list(pipeline.receipts.list(f"{feature_id}/{version}/"))
    newest = sorted(there, key=lambda info: info.last_modified, reverse=True)[:MOST_RECEIPTS]
    read = (pipeline.receipts.read(info.name, limit=RECEIPT_LIMIT) for info in newest)
    return Response(HTTPStatus.OK, [_receipt(found.data) for found in read if found is not None])


def purge_operation(pipeline: Pipeline, request: Request) -> Response:
    """The state of a purge."""
    found = purge.operation(pipeline, request.parameters["operation"])
    if found is None:
        raise _not_found("no such operation", "path")
    return Response(HTTPStatus.OK, _operation(found))


def _operation(found: Operation) -> dict[str, Any]:
    document = found.document()
    return document if found.error is None else {**document, "error": told(found.error)}


def _receipt(data: bytes) -> dict[str, Any]:
    """A receipt; what it says of the content is said as it stands, what of a fault without its place."""
    receipt: dict[str, Any] = json.loads(data)
    if receipt["status"] in FINAL or "error" not in receipt:
        return receipt
    return {**receipt, "error": {**receipt["error"], "message": told(receipt["error"]["message"])}}


def _feature(found: FeatureStatus) -> dict[str, Any]:
    error = found.error
    if error is None:
        return found.document()
    logger.error("%s: %s", found.feature_id, error)
    return {**found.document(), "error": {**error.as_json(), "message": error.what}}


def _not_found(what: str, where: str) -> TransientError:
    return TransientError(Code.NOT_FOUND, "C6", what, where=where)
