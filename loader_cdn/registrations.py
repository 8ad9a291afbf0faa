"""L1: which features are wanted, and where from: by flags, and by all that a remote index lists; flags win."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urljoin

from artifact.releases import POINTER
from artifact.remote_index import RemoteEntry, RemoteIndex
from loader_cdn.brought import Origin
from loader_cdn.settings import Settings


@dataclass(frozen=True, slots=True)
class Registration:
    """One wanted feature. `base_url` ends in `/`. `pinned` is the state that a remote index vouches for: then only
    exactly that one will do, and `index_url` is immutable.
    """

    feature_id: str
    base_url: str
    index_url: str
    min_sequence: int
    origin: Origin
    pinned: RemoteEntry | None = None


def resolve(settings: Settings, remote: RemoteIndex | None) -> list[Registration]:
    """All registrations, by feature id. `remote` is the remote index accepted last, if there is one."""
    found = {feature_id: _by_flag(feature_id, url, settings) for feature_id, url in settings.features.items()}
    if remote is not None and settings.remote_index is not None:
        for entry in remote.entries:
            if entry.feature_id not in found:
                found[entry.feature_id] = _by_remote_index(entry, settings.remote_index, settings.min_sequence)
    return [found[feature_id] for feature_id in sorted(found)]


def _by_flag(feature_id: str, base_url: str, settings: Settings) -> Registration:
    minimum = settings.min_sequence.get(feature_id, 0)
    return Registration(feature_id, base_url, base_url + POINTER, minimum, Origin.FLAG)


def _by_remote_index(entry: RemoteEntry, url: str, min_sequence: Mapping[str, int]) -> Registration:
    return Registration(
        entry.feature_id,
        urljoin(url, entry.base_url),
        urljoin(url, entry.releases_url),
        min_sequence.get(entry.feature_id, 0),
        Origin.REMOTE_INDEX,
        entry,
    )
