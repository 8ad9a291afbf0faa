"""What a loader that watches knows of a source between two visits: what it has left, when it is due, how it went."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from artifact.documents import RELEASES_LIMIT
from artifact.errors import DeliveryError
from artifact.remote_index import RemoteIndex, VerifiedRemoteIndex
from loader_cdn.board import FeatureStatus, RemoteStatus
from loader_cdn.passes import Pass
from loader_cdn.registrations import Registration, by_remote_index
from loader_cdn.remote import read_remote_index
from loader_cdn.still import Still, after
from loader_cdn.transfer import NotModified, Transfer
from loader_cdn.work import Answer, Work

Clock = Callable[[], datetime]


@dataclass(slots=True)
class Tracked:
    """One feature. `due` is a moment of the watching loop; `failures` counts those in a row."""

    registration: Registration
    due: float
    failures: int = 0
    is_busy: bool = False
    still: Still | None = None
    status: FeatureStatus | None = None
    _is_looked_at_again: bool = False
    _judged: object = None
    """The registration that was judged last: its floor counts, too, and whether the list that names it was stale."""

    def is_due(self, now: float) -> bool:
        return self.due <= now and not self.is_busy

    def look_again(self) -> None:
        """Whatever a visit has found so far, or is finding now, counts for nothing."""
        self.still, self._is_looked_at_again = None, self.is_busy

    def takes_another_look(self) -> bool:
        """Whether `look_again` was said during the visit that has ended."""
        again, self._is_looked_at_again = self._is_looked_at_again, False
        if again:
            self.still = None
        return again

    def follow(self, registration: Registration, now: float) -> None:
        """Another registration is looked into at once."""
        if registration != self.registration:
            self.registration, self.due, self.failures = registration, now, 0

    def is_settled(self, now: datetime, *, is_stale: bool) -> bool:
        """Whether nobody needs to be asked: what a remote index pins stands, as it was judged."""
        if self.still is None or self.registration.pinned is None or self._judged != (self.registration, is_stale):
            return False
        if self.registration.pinned.releases_sha256 != self.still.sha256 or not self.still.is_so(now):
            return False
        self._is_unchanged(now)
        return True

    async def visit(self, made: Pass, clock: Clock, *, is_stale: bool) -> bool:
        """Ask the source, if only that could have changed; do what is to be done. Whether something else stands now."""
        registration, began = self.registration, time.monotonic()
        answer: Answer | None = None
        if self.still is not None and self.still.is_so(made.around.now) and registration.fault is None:
            answer = await _ask(registration, self.still, made.around.transfer)
            if isinstance(answer, NotModified) and self._judged == (registration, is_stale):
                self._is_unchanged(clock())
                return False
        self._judged = (registration, is_stale)
        stood = self.status is not None and self.status.row.standing is not None
        work = await made.visit(registration, answer=answer, is_stale=is_stale)
        self._was_visited(work, made, clock(), time.monotonic() - began)
        return work.updated or (stood and work.row().standing is None)

    def _is_unchanged(self, now: datetime) -> None:
        assert self.status is not None
        self.failures = 0
        self.status = self.status.unchanged(now)

    def _was_visited(self, work: Work, made: Pass, now: datetime, seconds: float) -> None:
        row = work.row()
        before = self.status or FeatureStatus(row)
        self.still = after(work, made)
        self.failures = 0 if row.error is None else self.failures + 1
        self.status = before.visited(work, row, now, seconds)


@dataclass(slots=True)
class RemoteSource:
    """A remote index."""

    url: str
    due: float
    is_busy: bool = False
    held: VerifiedRemoteIndex | None = None
    error: DeliveryError | None = None
    status: RemoteStatus | None = None

    def is_due(self, now: float) -> bool:
        return self.due <= now and not self.is_busy

    def forget(self) -> None:
        """What was verified with another trust store counts for nothing."""
        self.held, self.status = None, None

    @property
    def index(self) -> RemoteIndex | None:
        """The one accepted last."""
        return None if self.held is None else self.held.index

    def registrations(self) -> Sequence[Registration]:
        """All that it lists."""
        return () if self.held is None else by_remote_index(self.held.index, self.url)

    async def ask(self, made: Pass, clock: Clock) -> None:
        """Renew it, if it is another one."""
        root = made.root
        remote = await read_remote_index(
            self.url, root.layout, root.memory.remote_index, made.judge, made.around.transfer, held=self.held
        )
        made.is_touched = remote.index is not self.held
        self.held, self.error = remote.index, remote.error
        checked = None if self.status is None else self.status.checked
        if remote.error is None:
            checked = clock()
        else:
            made.fail(remote.error)
        self.status = RemoteStatus(self.url, self.index, checked, remote.error)


async def _ask(registration: Registration, still: Still, transfer: Transfer) -> Answer | None:
    """The source's answer; where a remote index vouches for what stands, that is one. None: it is to be asked."""
    if registration.pinned is not None:
        is_same = registration.pinned.releases_sha256 == still.sha256
        return NotModified(registration.index_url) if is_same else None
    try:
        return await transfer.get(registration.index_url, limit=RELEASES_LIMIT, etag=still.etag)
    except DeliveryError as error:
        return error
