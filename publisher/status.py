"""What is released, and what readers see of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from artifact.documents import RELEASES_LIMIT
from artifact.errors import DeliveryError
from artifact.fields import format_time
from artifact.paths import Limits
from artifact.releases import ReleaseIndex, parse_releases, verify_releases
from artifact.remote_index import RemoteIndex
from artifact.trust import TrustStore
from publisher.indexes import releases_chain, remote_chain
from publisher.ports import Reader, Store

WORKERS = 16


@dataclass(frozen=True, slots=True)
class Serving:
    """What the edge serves of a feature: the sequence, or what is wrong with it."""

    sequence: int | None
    error: DeliveryError | None = None


@dataclass(frozen=True, slots=True)
class FeatureStatus:
    """One feature. `listed_sequence` is what the remote index says, None where it does not list the feature."""

    feature_id: str
    index: ReleaseIndex | None
    error: DeliveryError | None
    listed_sequence: int | None
    edge: Serving | None

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
        if self.edge is not None:
            error = None if self.edge.error is None else self.edge.error.as_json()
            document["edge"] = {"sequence": self.edge.sequence, "error": error}
        return document


@dataclass(frozen=True, slots=True)
class Status:
    """An environment at a glance."""

    remote: RemoteIndex | None
    features: tuple[FeatureStatus, ...]


def status(
    store: Store, trust: TrustStore, *, edge: Reader | None, now: datetime, feature_id: str | None, limits: Limits
) -> Status:
    """The state of every feature of the remote index, or of one feature, listed or not."""
    head = remote_chain(store, trust, limits).head()
    remote = None if head is None else head.index
    listed = {} if remote is None else {entry.feature_id: entry.sequence for entry in remote.entries}
    wanted = sorted(listed) if feature_id is None else [feature_id]

    def look(name: str) -> FeatureStatus:
        index, error = _index(store, trust, name, limits)
        serving = None if edge is None else _serving(edge, trust, name, now, limits)
        return FeatureStatus(name, index, error, listed.get(name), serving)

    with ThreadPoolExecutor(WORKERS, thread_name_prefix="status") as pool:
        return Status(remote, tuple(pool.map(look, wanted)))


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)


def _index(
    store: Store, trust: TrustStore, feature_id: str, limits: Limits
) -> tuple[ReleaseIndex | None, DeliveryError | None]:
    try:
        head = releases_chain(store, feature_id, trust, limits).head()
    except DeliveryError as error:
        return None, error
    return (None if head is None else head.index), None


def _serving(edge: Reader, trust: TrustStore, feature_id: str, now: datetime, limits: Limits) -> Serving:
    name = f"{feature_id}/releases.json"
    try:
        found = edge.read(name, limit=RELEASES_LIMIT)
        if found is None:
            return Serving(None)
        parsed = parse_releases(found.data, where=name, limits=limits)
        return Serving(verify_releases(parsed, trust, feature_id=feature_id, at=now).index.sequence)
    except DeliveryError as error:
        return Serving(None, error)
