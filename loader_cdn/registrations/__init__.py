"""L1: which features are wanted, and where from: by flags, by registrations in the cluster, and by all that a remote
index lists. Flags win, then the cluster.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urljoin

from artifact.errors import DeliveryError
from artifact.releases import POINTER
from artifact.remote_index import RemoteEntry, RemoteIndex
from loader_cdn.brought import Origin


@dataclass(frozen=True, slots=True)
class Registration:
    """One wanted feature. `base_url` ends in `/`. `pinned` is the state that a remote index vouches for: then only
    exactly that one will do, and `index_url` is immutable.

    `by` are the ConfigMaps that register it, as `<namespace>/<name>`, the one that holds first; none where something
    else does. With a `fault` no source is asked: what stands is kept.
    """

    feature_id: str
    base_url: str
    index_url: str
    min_sequence: int
    origin: Origin
    pinned: RemoteEntry | None = None
    by: tuple[str, ...] = ()
    fault: DeliveryError | None = None


def from_base_url(
    feature_id: str, base_url: str, origin: Origin, *, min_sequence: int = 0, by: tuple[str, ...] = ()
) -> Registration:
    """A feature whose own release index is asked for. `base_url` ends in `/`."""
    return Registration(feature_id, base_url, base_url + POINTER, min_sequence, origin, by=by)


def by_flags(features: Mapping[str, str]) -> list[Registration]:
    """`--feature`: base URLs by feature id."""
    return [from_base_url(feature_id, url, Origin.FLAG) for feature_id, url in features.items()]


def by_remote_index(index: RemoteIndex, url: str) -> list[Registration]:
    """All that a remote index at `url` lists."""
    return [
        Registration(
            entry.feature_id,
            urljoin(url, entry.base_url),
            urljoin(url, entry.releases_url),
            0,
            Origin.REMOTE_INDEX,
            entry,
        )
        for entry in index.entries
    ]


def resolve(*sources: Iterable[Registration], min_sequence: Mapping[str, int]) -> list[Registration]:
    """All registrations, one a feature, by feature id: an earlier source wins. `min_sequence` are further floors."""
    found: dict[str, Registration] = {}
    for source in sources:
        for registration in source:
            found.setdefault(registration.feature_id, registration)
    return [_with_floor(found[feature_id], min_sequence.get(feature_id, 0)) for feature_id in sorted(found)]


def _with_floor(registration: Registration, minimum: int) -> Registration:
    return replace(registration, min_sequence=max(registration.min_sequence, minimum))
