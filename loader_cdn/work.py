"""What one pass has found out and done about one feature. A fault stays with its feature and harms no other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from artifact.errors import Code, DeliveryError
from artifact.manifest import VerifiedManifest
from artifact.releases import Entry, VerifiedReleases
from artifact.versions import Version
from loader_cdn.disk import FeatureOnDisk
from loader_cdn.durable import disk_error
from loader_cdn.registrations import Registration
from loader_cdn.report import Result, Row
from loader_cdn.state import ETag, FeatureMemory
from loader_cdn.transfer import NotModified, Response

_HOPELESS = frozenset({Code.TRANSPORT_FAILED, Code.TRANSPORT_SLOW, Code.STORAGE_FULL})
"""Faults that another try in the same pass would meet again."""


Answer: TypeAlias = Response | NotModified | DeliveryError


@dataclass(slots=True)
class Work:
    """One registered feature in one pass.

    `target` is the index to have in place at the end, `missing` what it lists and the disk does not have, `manifests`
    those of missing versions, verified; `etag` is that of the target. `answer` is the source's, where it was asked
    before; `bytes` came in files. `is_stale`: the list that names the feature could not be renewed.
    """

    registration: Registration
    disk: FeatureOnDisk
    memory: FeatureMemory
    answer: Answer | None = None
    target: VerifiedReleases | None = None
    etag: ETag | None = None
    missing: list[Entry] = field(default_factory=list)
    manifests: dict[Version, VerifiedManifest] = field(default_factory=dict)
    error: DeliveryError | None = None
    updated: bool = False
    is_stale: bool = False
    bytes: int = 0

    @property
    def feature_id(self) -> str:
        return self.registration.feature_id

    @property
    def is_wanted(self) -> bool:
        """Whether its target is still to be put in place."""
        return self.target is not None and (self.target is not self.disk.releases or not self.disk.is_in_place)

    def fail(self, error: DeliveryError) -> None:
        """Give up for this pass; the first fault is the one to tell."""
        self.target = None
        if self.error is None:
            self.error = error

    def fall_back(self) -> bool:
        """What was to come failed; what was accepted before is out of place, and may still be mended (L6)."""
        if self.error is None or self.error.code in _HOPELESS or self.disk.is_in_place or self.disk.releases is None:
            return False
        self.target, self.missing, self.etag = self.disk.releases, [], None
        return True

    @contextmanager
    def faults(self, where: Path | str = "") -> Iterator[None]:
        """What goes wrong in the block, about `where`, is this feature's fault and harms no other."""
        try:
            yield
        except DeliveryError as error:
            self.fail(error)
        except OSError as error:
            self.fail(disk_error(error, where))

    def row(self) -> Row:
        """C4; to be asked at the end of the pass."""
        if not self.disk.is_in_place or self.disk.releases is None:
            fault = next(iter(self.disk.faults), None)
            return Row(self.feature_id, Result.FAILED, None, self.error or fault, counts=self._counts)
        return Row(self.feature_id, self._result, self.disk.releases.index, self.error, counts=self._counts)

    @property
    def _counts(self) -> bool:
        """T20: what is wrong with a registration is told, and keeps no host from starting."""
        return self.registration.fault is None

    @property
    def _result(self) -> Result:
        if self.error is not None:
            return Result.KEPT
        if self.updated:
            return Result.UPDATED
        return Result.KEPT if self.is_stale else Result.UNCHANGED
