"""What is released, and what readers see of it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from artifact.errors import DeliveryError
from artifact.fields import format_time
from artifact.paths import Limits
from artifact.releases import ReleaseIndex
from artifact.remote_index import RemoteIndex
from artifact.trust import TrustStore
from publisher.indexes import releases_chain, remote_chain
from publisher.lateness import Served, served_releases, served_remote_index
from publisher.ports import Reader, Store

WORKERS = 16


@dataclass(frozen=True, slots=True)
class FeatureStatus:
    """One feature. `listed_sequence` is what the remote index says, None where it does not list the feature. `edges`:
    what each edge serves, by its URL.
    """

    feature_id: str
    index: ReleaseIndex | None
    error: DeliveryError | None
    listed_sequence: int | None
    edges: Mapping[str, Served]

    def document(self) -> dict[str, Any]:
        """As `--json` and the HTTP API show it."""
        index = self.index
        document: dict[str, Any] = {
            "featureId": self.feature_id,
            "sequence": None if index is None else index.sequence,
            "activeVersion": None if index is None else index.active.text,
            "channels": {} if index is None else index.channels,
            "versions": [] if index is None else [entry.version.text for entry in index.entries],
            "updatedAt": None if index is None else _time(index.updated_at),
            "expiresAt": None if index is None else _time(index.expires_at),
            "change": None if index is None or index.change is None else asdict(index.change),
            "listedSequence": self.listed_sequence,
            "error": None if self.error is None else self.error.as_json(),
        }
        return {**document, **edges_document(self.edges)}


@dataclass(frozen=True, slots=True)
class Status:
    """An environment at a glance. `edges`: what each serves of the remote index."""

    remote: RemoteIndex | None
    features: tuple[FeatureStatus, ...]
    edges: Mapping[str, Served]


def edges_document(edges: Mapping[str, Served]) -> dict[str, Any]:
    """The member `edges`, where there are any."""
    return {"edges": [{"url": url, **served.document()} for url, served in edges.items()]} if edges else {}


def status(
    store: Store,
    trust: TrustStore,
    *,
    edges: Mapping[str, Reader],
    now: datetime,
    feature_id: str | None,
    limits: Limits,
) -> Status:
    """The state of every feature of the remote index, or of one feature, listed or not."""
    remote = remote_chain(store, trust, limits)
    head = remote.head()
    listed = {} if head is None else {entry.feature_id: entry.sequence for entry in head.index.entries}
    wanted = sorted(listed) if feature_id is None else [feature_id]

    def look(name: str) -> FeatureStatus:
        chain = releases_chain(store, name, trust, limits)
        try:
            newest = chain.head()
        except DeliveryError as error:
            return FeatureStatus(name, None, error, listed.get(name), {})
        if newest is None:
            return FeatureStatus(name, None, None, listed.get(name), {})
        served = {url: served_releases(edge, chain, newest, now) for url, edge in edges.items()}
        return FeatureStatus(name, newest.index, None, listed.get(name), served)

    with ThreadPoolExecutor(WORKERS, thread_name_prefix="status") as pool:
        features = tuple(pool.map(look, wanted))
    if head is None:
        return Status(None, features, {})
    served = {url: served_remote_index(edge, remote, head, now) for url, edge in edges.items()}
    return Status(head.index, features, served)


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)
