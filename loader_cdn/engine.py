"""What carries many fetches at once: lanes, retries, least rate, deadlines (L9).

One thread, libcurl's multi interface. Whoever turns it moves everybody's exchanges on. Each origin has lanes of its
own, and those who wait for one take turns, so that a slow server or a large version delays nobody else (L8).
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator
from itertools import count
from random import SystemRandom
from typing import Any, TypeVar

import pycurl

from artifact.errors import Code, DeliveryError, TransientError
from loader_cdn.authorities import Authorities
from loader_cdn.batches import Batch, Line, next_of
from loader_cdn.bounds import TransferSettings, TransferStats
from loader_cdn.exchange import Ended, Fetch, Lane
from loader_cdn.origin import shown
from loader_cdn.tasks import Tasks

T = TypeVar("T")

_TURN_SECONDS = 0.25
"""The longest wait for the network, so that a stop and a deadline are seen in time."""
_UNANSWERED_SECONDS = 0.25
"""A server whose answer takes so long to begin is as good as far away."""
_ALL_LANES = 256
"""Exchanges with all origins together."""


class Engine:
    """Runs fetches. Of one thread."""

    def __init__(
        self, settings: TransferSettings, authorities: Authorities, tasks: Tasks, stop: Callable[[], bool] | None
    ) -> None:
        self.stats = TransferStats()
        self.tasks = tasks
        self._settings = settings
        self._authorities = authorities
        self._stop = stop
        self._tick = min(_TURN_SECONDS, settings.least_rate_seconds / 10)
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, settings.connections)
        self._idle: list[Lane] = []
        self._lines: dict[str, Line] = {}
        self._active: dict[pycurl.Curl, tuple[Lane, Batch[Any]]] = {}
        self._rates: dict[pycurl.Curl, tuple[float, int]] = {}
        """Since when, and from which count of bytes on, a lane's rate is measured."""
        self._waiting: list[tuple[float, int, Fetch[Any], Batch[Any]]] = []
        self._numbers = count()
        self._random = SystemRandom()
        self._share = max(1, settings.connections - settings.connections // 8)
        """Lanes that one batch may take: a version whose files do not come leaves some to all others (L8)."""
        self._away = 0.0
        """Seconds that nobody turned it: no sender is slow because nobody listened."""
        self._left = time.monotonic()
        self._watched = 0.0

    def submit(
        self, fetches: Iterator[Fetch[T]], origin: str, *, urgent: bool = False, deadline: float | None = None
    ) -> Batch[T]:
        """Begin these, all of one origin, as there is room."""
        batch = Batch(self, fetches, origin, urgent=urgent, deadline=deadline)
        self.has_room(batch)
        return batch

    @property
    def is_busy(self) -> bool:
        """Whether there is anything to turn it for."""
        return bool(self._active or self._waiting) or any(line.urgent or line.others for line in self._lines.values())

    def turn(self, seconds: float | None = None) -> None:
        """Begin what there is room for, and let libcurl do what it can; where nothing ended, wait for the network a
        little, and no longer than `seconds`.
        """
        now = time.monotonic()
        self._away += now - self._left
        self._left = now
        self._fill()
        self._perform(seconds)
        self._left = time.monotonic()
        self._watch()

    def has_room(self, batch: Batch[Any]) -> None:
        """A batch may begin more of its fetches."""
        line = self._lines.get(batch.origin)
        if line is None:
            near = min(self._settings.near_connections, self._settings.connections)
            line = self._lines[batch.origin] = Line(near)
        if not batch.exhausted and not batch.is_queued:
            batch.is_queued = True
            line.queue(batch).append(batch)

    def abandon(self, batch: Batch[Any]) -> None:
        """End what a batch has in flight, leaving no temporary file, and begin no more of it."""
        for curl, (_, owner) in list(self._active.items()):
            if owner is batch:
                lane, _ = self._release(curl)
                lane.discard()
                self._idle.append(lane)
        self._waiting = [item for item in self._waiting if item[3] is not batch]
        heapq.heapify(self._waiting)
        batch.open, batch.exhausted = 0, True
        if batch.is_queued:
            batch.is_queued = False
            self._lines[batch.origin].queue(batch).remove(batch)

    def close(self) -> None:
        """End everything, leaving no temporary file and no connection."""
        for _, batch in list(self._active.values()):
            self.abandon(batch)
        self._waiting.clear()
        self._lines.clear()
        self._multi.close()
        for lane in self._idle:
            lane.curl.close()
        self._idle.clear()

    # What enters

    def _fill(self) -> None:
        now = time.monotonic()
        held = []
        while self._waiting and self._waiting[0][0] <= now:
            item = heapq.heappop(self._waiting)
            if self._has_lane(self._lines[item[3].origin]):
                self.stats.retries += 1
                self._begin(item[2], item[3])
            else:
                held.append(item)
        for item in held:
            heapq.heappush(self._waiting, item)
        for line in self._lines.values():
            self._fill_line(line)

    def _fill_line(self, line: Line) -> None:
        """Whoever waits for a lane of this origin takes turns: one fetch each."""
        while (line.urgent or line.others) and self._has_lane(line):
            queue = line.urgent or line.others
            batch = queue.popleft()
            batch.is_queued = False
            if batch.open + len(batch.done) >= self._settings.in_flight or batch.active >= self._share:
                continue  # it is here again when one of its own has ended, or was taken
            fetch = next_of(batch)
            if fetch is None:
                batch.wake()
                continue
            self.has_room(batch)
            fetch.error = fetch.error or self._over(fetch, batch)
            if fetch.error is not None:
                batch.ended(fetch)
                continue
            batch.open += 1
            allowance = fetch.receiver.budget / self._settings.total_rate
            fetch.ends = self._clock + self._settings.total_seconds + allowance
            self._begin(fetch, batch)

    def _has_lane(self, line: Line) -> bool:
        return line.active < line.lanes and len(self._active) < _ALL_LANES

    def _begin(self, fetch: Fetch[Any], batch: Batch[Any]) -> None:
        fetch.attempts += 1
        lane = self._idle.pop() if self._idle else Lane(self._settings, self._authorities)
        self._send(lane, fetch, batch)

    def _send(self, lane: Lane, fetch: Fetch[Any], batch: Batch[Any]) -> None:
        lane.begin(fetch)
        self._lines[batch.origin].active += 1
        batch.active += 1
        self._active[lane.curl] = (lane, batch)
        self._rates[lane.curl] = (self._clock, 0)
        self._multi.add_handle(lane.curl)
        self.stats.requests += 1

    # What moves

    def _perform(self, seconds: float | None) -> None:
        self._multi.perform()
        ended = bool(self.tasks.ready)
        queued = 1
        while queued:
            queued, well, badly = self._multi.info_read()
            for curl in well:
                self._ended(curl, pycurl.E_OK, "")
            for curl, code, message in badly:
                self._ended(curl, code, message)
            ended = ended or bool(well or badly)
        if not ended and not self.tasks.ready:
            self._sleep(self._tick if seconds is None else min(seconds, self._tick))

    def _sleep(self, seconds: float) -> None:
        if self._waiting and self._has_lane(self._lines[self._waiting[0][3].origin]):
            seconds = min(seconds, max(0.0, self._waiting[0][0] - time.monotonic()))
        if not self._active:
            time.sleep(seconds)
            return
        due = self._multi.timeout()
        if due >= 0:
            seconds = min(seconds, due / 1000)
        if seconds and self._multi.select(seconds) == 0:
            time.sleep(0.001)  # select returns at once while there is no socket yet: a name is being looked up

    def _watch(self) -> None:
        """End what is too slow, and everything at the deadline or at a stop."""
        now = self._clock
        window = self._settings.least_rate_seconds
        if now - self._watched < self._tick:
            return
        self._watched = now
        for curl, (lane, batch) in list(self._active.items()):
            since, counted = self._rates[curl]
            if lane.received == 0 and now - since > _UNANSWERED_SECONDS:  # near or not, others are not to wait for it
                self._lines[batch.origin].lanes = self._settings.connections
            error = self._over(lane.fetch, batch)
            if error is None and now >= lane.fetch.ends:
                error = _slow(lane.fetch, "the transfer took longer than its total deadline")
            if error is None and now - since >= window:
                received = lane.received
                self._rates[curl] = (now, received)
                if received - counted < self._settings.least_rate * window and lane.is_connected:
                    what = f"less than {self._settings.least_rate} bytes/s over {window:g} s"
                    error = _slow(lane.fetch, what, seen=f"{received - counted} bytes")
            if error is not None:
                self._cut(curl, error)
        self._drop_waiting()

    def _drop_waiting(self) -> None:
        """What waits for its next attempt waits no longer when everything is over."""
        kept = []
        for item in self._waiting:
            error = self._over(item[2], item[3])
            if error is None:
                kept.append(item)
            else:
                self._finish(item[2], item[3], error)
        if len(kept) < len(self._waiting):
            heapq.heapify(kept)
            self._waiting = kept

    # What leaves

    def _ended(self, curl: pycurl.Curl, code: int, message: str) -> None:
        lane, batch = self._release(curl)
        self._settle(lane, batch, lane.end(code, message))

    def _cut(self, curl: pycurl.Curl, error: DeliveryError) -> None:
        lane, batch = self._release(curl)
        lane.discard()
        self._settle(lane, batch, Ended(error))

    def _release(self, curl: pycurl.Curl) -> tuple[Lane, Batch[Any]]:
        self._multi.remove_handle(curl)
        lane, batch = self._active.pop(curl)
        line = self._lines[batch.origin]
        line.active -= 1
        batch.active -= 1
        self.has_room(batch)
        del self._rates[curl]
        self.stats.connections += int(curl.getinfo(pycurl.NUM_CONNECTS))
        if (
            curl.getinfo(pycurl.STARTTRANSFER_TIME) - curl.getinfo(pycurl.PRETRANSFER_TIME)
            > self._settings.near_seconds
        ):
            line.lanes = self._settings.connections
        self.stats.decoded_bytes += lane.body_bytes
        self.stats.wire_bytes += int(curl.getinfo(pycurl.SIZE_DOWNLOAD_T)) + int(curl.getinfo(pycurl.HEADER_SIZE))
        return lane, batch

    def _settle(self, lane: Lane, batch: Batch[Any], ended: Ended) -> None:
        fetch = lane.fetch
        if ended.redirected:
            self._send(lane, fetch, batch)
            return
        self._idle.append(lane)
        if ended.may_retry and fetch.attempts < self._settings.attempts and self._over(fetch, batch) is None:
            pause = self._pause(fetch, ended)
            if self._clock + pause < fetch.ends:
                fetch.restart()
                heapq.heappush(self._waiting, (time.monotonic() + pause, next(self._numbers), fetch, batch))
                return
        self._finish(fetch, batch, ended.error)

    def _finish(self, fetch: Fetch[Any], batch: Batch[Any], error: DeliveryError | None) -> None:
        fetch.error = error
        batch.open -= 1
        batch.ended(fetch)

    # When

    @property
    def _clock(self) -> float:
        """Seconds spent on the network; it stands still while the callers are at work."""
        return self._left - self._away

    def _pause(self, fetch: Fetch[Any], ended: Ended) -> float:
        """Exponential backoff with full jitter; longer where the server asks for it."""
        ceiling = min(self._settings.backoff_limit, self._settings.backoff_seconds * 2 ** (fetch.attempts - 1))
        asked = min(ended.retry_after or 0.0, self._settings.retry_after_limit)
        return asked + self._random.uniform(0.0, ceiling)

    def _over(self, fetch: Fetch[Any], batch: Batch[Any]) -> DeliveryError | None:
        if self._stop is not None and self._stop():
            what = "stopped before it was transferred"
            return TransientError(Code.TRANSPORT_FAILED, "L11", what, where=shown(fetch.url))
        if batch.deadline is not None and time.monotonic() >= batch.deadline:
            return _slow(fetch, "the deadline of the whole pass is over")
        return None


def _slow(fetch: Fetch[Any], what: str, seen: object = None) -> DeliveryError:
    return TransientError(Code.TRANSPORT_SLOW, "L9", what, where=shown(fetch.url), seen=seen)
