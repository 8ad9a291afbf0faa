"""L14: a feature in which nothing changed costs one conditional request, and next to nothing else.

After a visit that left it in place there is nothing to do until its source answers otherwise, something on disk is
another one, or time itself makes a difference. Then it is visited again, with the answer that is there already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from loader_cdn.known import Identity, identity
from loader_cdn.passes import Pass
from loader_cdn.work import Work


@dataclass(frozen=True, slots=True)
class Still:
    """What a visit has left. `etag` is what the source is asked by, and `sha256` that of the index that stands;
    `standing` are paths and what shows that they are the same; `until` says when time makes a difference at the latest.
    """

    sha256: str
    etag: str | None
    standing: Mapping[Path, Identity | None]
    since: datetime
    until: datetime | None

    def is_so(self, now: datetime) -> bool:
        """Whether the disk and the time are as they were."""
        if now < self.since or (self.until is not None and now >= self.until):
            return False
        return all(identity(path) == seen for path, seen in self.standing.items())


def after(work: Work, made: Pass) -> Still | None:
    """What a visit has left; None where it has left something to do."""
    releases = work.disk.releases
    if releases is None or work.row().error is not None or work.memory.leaving is not None:
        return None
    root, around = made.root, made.around
    etag = work.memory.etag_for(work.registration.index_url, releases.sha256)
    folders = [root.layout.version(work.feature_id, version) for version in work.disk.versions]
    hashing = around.known.until(folders, around.now)
    if hashing is not None and hashing <= around.now:
        return None
    moments = [releases.index.expires_at, hashing]
    moments += [since + around.settings.grace for since in work.memory.left.values()]
    # What is over already, an expiry, was told at this visit.
    until = min((moment for moment in moments if moment is not None and moment > around.now), default=None)
    return Still(releases.sha256, etag, root.standing(work.feature_id), around.now, until)
