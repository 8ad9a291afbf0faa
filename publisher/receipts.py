"""B4: the pipeline's answer to one bundle."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from artifact.documents import canonical
from artifact.errors import Code, DeliveryError, TransientError
from artifact.fields import format_time, whole_seconds
from publisher.content_types import private
from publisher.ports import Store
from publisher.publish import Published

RECEIPT_LIMIT = 64 * 1024
PUBLISHED, REJECTED = "published", "rejected"
FINAL = frozenset({PUBLISHED, REJECTED})
"""Statuses after which a bundle is not looked at again."""

ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class BundleName:
    """Which bundle a receipt answers: the names as CI gave them (raw where they are no valid version), and its ETag."""

    feature_id: str
    version: str
    bundle: str
    etag: str

    @property
    def receipt(self) -> str:
        """The receipt's object name."""
        return f"{self.feature_id}/{self.version}/{self.etag}.json"


def published(name: BundleName, result: Published, at: datetime) -> dict[str, Any]:
    """The receipt of a bundle that stands in the release index."""
    receipt = {
        **_common(name, "published", at),
        "sequence": result.sequence,
        "files": result.files,
        "bytes": result.bytes,
        "timings": result.timings,
    }
    return {**receipt, "unchanged": True} if result.unchanged else receipt


def refused(name: BundleName, status: str, error: DeliveryError, at: datetime) -> dict[str, Any]:
    """The receipt of a bundle that was `rejected` for its content, or `failed` for now."""
    return {**_common(name, status, at), "error": error.as_json()}


def write_receipt(store: Store, name: BundleName, receipt: dict[str, Any]) -> None:
    """Write the receipt over the one of an earlier attempt, counting attempts; a final one stands (B5): what another
    instance runs into after it, such as that the bundle is gone, is no answer to the bundle.
    """
    settings = private(name.receipt)
    etag, attempt = None, 1
    for _ in range(ATTEMPTS):
        if store.replace(name.receipt, canonical({**receipt, "attempt": attempt}), settings, etag=etag) is not None:
            return
        earlier = store.read(name.receipt, limit=RECEIPT_LIMIT)
        before = {} if earlier is None else json.loads(earlier.data)
        if before.get("status") in FINAL:
            return
        etag, attempt = None if earlier is None else earlier.etag, int(before.get("attempt", 0)) + 1
    raise TransientError(Code.CONFLICT, "B4", "the receipt is overwritten without end", where=name.receipt)


def read_receipt(store: Store, name: BundleName) -> dict[str, Any] | None:
    """The receipt, if the pipeline has answered."""
    found = store.read(name.receipt, limit=RECEIPT_LIMIT)
    return None if found is None else json.loads(found.data)


def _common(name: BundleName, status: str, at: datetime) -> dict[str, Any]:
    return {
        "featureId": name.feature_id,
        "version": name.version,
        "bundle": name.bundle,
        "status": status,
        "at": format_time(whole_seconds(at)),
    }
