"""L12, T11: features that nobody registers any more go, in time; what only vanished from a list stays."""

from __future__ import annotations

from collections.abc import Callable, Collection

from artifact.errors import Code, TransientError
from artifact.remote_index import RemoteIndex
from loader_cdn.brought import Brought, Origin
from loader_cdn.disk import FeatureOnDisk
from loader_cdn.passes import Pass
from loader_cdn.report import Result, Row
from loader_cdn.settings import Settings

MayGo = Callable[[str, Brought], bool]


def may_go(settings: Settings, remote: RemoteIndex | None, known: Collection[Origin]) -> MayGo:
    """Whether a feature that is not registered may be taken away. `known` says of which other sources it is known what
    they register; those that a remote index brought go only where it names them as withdrawn (I3).
    """
    withdrawn = set() if remote is None else {gone.feature_id for gone in remote.withdrawn}

    def decide(feature_id: str, brought: Brought) -> bool:
        if brought.origin is Origin.REMOTE_INDEX:
            return settings.remote_index is None or feature_id in withdrawn
        return brought.origin in known

    return decide


def leave(made: Pass, registered: Collection[str], decide: MayGo) -> list[Row]:
    """Take away what may go; the rows of what stays though nobody registers it."""
    root, made.is_touched = made.root, True
    gone = root.inventory.features.keys() - registered
    lost = {feature_id for feature_id in gone if not decide(feature_id, root.inventory.features[feature_id])}
    with made.faults(root.layout.root):
        root.tidy.features(sorted(gone - lost))
    for feature_id in sorted(gone):
        made.take_revoked_away(feature_id)
    with made.faults(root.layout.staging):
        root.tidy.abandoned_staging({*registered, *lost})
    return [_lost_row(root.feature(feature_id)) for feature_id in sorted(lost)]


LOST = "nobody is known to register it, and nobody withdraws it: it is kept"
"""What is to be said of a feature that stays."""


def _lost_row(standing: FeatureOnDisk) -> Row:
    """Where it does not stand any more, nobody says where it could come from."""
    if standing.releases is not None and standing.is_in_place:
        return Row(standing.feature_id, Result.KEPT, standing.releases.index)
    what = "nobody is known to register it any more, and what stood is gone or wrong"
    return Row(standing.feature_id, Result.FAILED, None, TransientError(Code.NOT_FOUND, "I3", what))
