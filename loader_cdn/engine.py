"""The loop that carries many fetches at once: lanes, retries, least rate, deadlines (L9).

One thread, libcurl's multi interface. A consumer may take its time between results, and an iterable that is being
consumed may itself use the same engine: whoever turns the loop moves everybody's exchanges on.
"""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from random import SystemRandom
from typing import Any, TypeVar

import pycurl

from artifact.errors import Code, DeliveryError, TransientError
from loader_cdn.authorities import Authorities
from loader_cdn.exchange import Ended, Fetch, Lane
from loader_cdn.origin import shown

T = TypeVar("T")

_TURN_SECONDS = 0.25
"""The longest wait for the network, so that a stop and a deadline are seen in time."""
_AWAY_SECONDS = 0.005
"""How long a consumer may keep results coming before the network is looked after again."""


@dataclass(frozen=True, slots=True)
class TransferSettings:
    """Bounds of one transfer and of all together. Seconds are seconds, rates are bytes a second."""

    allow_http: bool = False
    """Plain http to other hosts than loopback (C3)."""
    connections: int = 64
    """Where the server is far away; near ones are kept busy by `near_connections`, and each costs a TLS handshake."""
    near_connections: int = 16
    near_seconds: float = 0.02
    """From the request to the first byte of its answer, at most, where the server is near."""
    in_flight: int = 100
    """Transfers begun and not ended, those that wait for their next attempt included."""
    attempts: int = 3
    backoff_seconds: float = 0.5
    """The first ceiling of the random pause before a retry; it doubles up to `backoff_limit`."""
    backoff_limit: float = 10.0
    retry_after_limit: float = 30.0
    """The longest pause that a server may ask for."""
    connect_seconds: float = 10.0
    least_rate: int = 1024
    least_rate_seconds: float = 10.0
    total_seconds: float = 60.0
    """The total deadline of a transfer with all its attempts is this, plus its bytes at `total_rate`: a fixed one would
    let a large file never arrive over a slow link, or a small one be dripped for as long as a large one."""
    total_rate: int = 128 * 1024
    user_agent: str = "feature-loader"


@dataclass(slots=True)
class TransferStats:
    """What was transferred so far, failures and retries included."""

    requests: int = 0
    retries: int = 0
    connections: int = 0
    decoded_bytes: int = 0
    """Of bodies, after decoding."""
    wire_bytes: int = 0
    """Of heads and bodies as HTTP carries them, encoded; without TLS."""


@dataclass(slots=True, eq=False)
class _Batch:
    """What one caller waits for."""

    source: Iterator[Fetch[Any]]
    open: int = 0
    exhausted: bool = False
    done: deque[Fetch[Any]] = field(default_factory=deque)


class Engine:
    """Runs fetches. Of one thread."""

    def __init__(
        self,
        settings: TransferSettings,
        authorities: Authorities,
        deadline: float | None,
        stop: Callable[[], bool] | None,
    ) -> None:
        self.deadline = deadline
        self.stats = TransferStats()
        self._settings = settings
        self._authorities = authorities
        self._stop = stop
        self._tick = min(_TURN_SECONDS, settings.least_rate_seconds / 10)
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, settings.connections)
        self._idle: list[Lane] = []
        self._active: dict[pycurl.Curl, tuple[Lane, _Batch]] = {}
        self._rates: dict[pycurl.Curl, tuple[float, int]] = {}
        """Since when, and from which count of bytes on, a lane's rate is measured."""
        self._waiting: list[tuple[float, int, Fetch[Any], _Batch]] = []
        self._lanes = min(settings.near_connections, settings.connections)
        """How many exchanges may be on their way at once: few until an answer shows that the server is far."""
        self._numbers = count()
        self._random = SystemRandom()
        self._away = 0.0
        """Seconds that consumers kept for themselves: no sender is slow because nobody listened."""
        self._left = time.monotonic()
        self._watched = 0.0

    def run(self, fetches: Iterable[Fetch[T]]) -> Iterator[Fetch[T]]:
        """Take fetches as there is room and yield each when it has ended, in any order; a failed one has its `error`.

        Closing the iterator ends what it began.
        """
        batch = _Batch(iter(fetches))
        try:
            while True:
                self._fill(batch)
                if batch.done and time.monotonic() - self._left < _AWAY_SECONDS:
                    yield batch.done.popleft()
                elif batch.done or batch.open:
                    self._turn(wait=not batch.done)
                elif batch.exhausted:
                    return
                else:  # others have all the room
                    self._turn(wait=True)
        finally:
            self._abandon(batch)

    def close(self) -> None:
        """End everything, leaving no temporary file and no connection."""
        for _, batch in list(self._active.values()):
            self._abandon(batch)
        self._waiting.clear()
        self._multi.close()
        for lane in self._idle:
            lane.curl.close()
        self._idle.clear()

    # What enters

    def _fill(self, batch: _Batch) -> None:
        now = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now and self._has_lane:
            _, _, fetch, owner = heapq.heappop(self._waiting)
            self.stats.retries += 1
            self._begin(fetch, owner)
        limit = self._settings.in_flight
        while not batch.exhausted and self._has_lane and batch.open + len(batch.done) < limit:
            try:
                fetch = next(batch.source)
            except StopIteration:
                batch.exhausted = True
                return
            fetch.error = fetch.error or self._over(fetch)
            if fetch.error is not None:
                batch.done.append(fetch)
                continue
            batch.open += 1
            allowance = fetch.receiver.budget / self._settings.total_rate
            fetch.ends = self._clock + self._settings.total_seconds + allowance
            self._begin(fetch, batch)

    @property
    def _has_lane(self) -> bool:
        return len(self._active) < self._lanes

    def _begin(self, fetch: Fetch[Any], batch: _Batch) -> None:
        fetch.attempts += 1
        lane = self._idle.pop() if self._idle else Lane(self._settings, self._authorities)
        self._send(lane, fetch, batch)

    def _send(self, lane: Lane, fetch: Fetch[Any], batch: _Batch) -> None:
        lane.begin(fetch)
        self._active[lane.curl] = (lane, batch)
        self._rates[lane.curl] = (self._clock, 0)
        self._multi.add_handle(lane.curl)
        self.stats.requests += 1

    # What moves

    def _turn(self, *, wait: bool) -> None:
        """Let libcurl do what it can; where nothing ended, wait for the network a little."""
        now = time.monotonic()
        self._away += now - self._left
        self._left = now
        self._multi.perform()
        ended = False
        queued = 1
        while queued:
            queued, well, badly = self._multi.info_read()
            for curl in well:
                self._ended(curl, pycurl.E_OK, "")
            for curl, code, message in badly:
                self._ended(curl, code, message)
            ended = ended or bool(well or badly)
        if wait and not ended:
            self._sleep()
        self._left = time.monotonic()
        self._watch()

    def _sleep(self) -> None:
        seconds = self._tick
        if self._waiting and self._has_lane:
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
        for curl, (lane, _) in list(self._active.items()):
            since, counted = self._rates[curl]
            error = self._over(lane.fetch)
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
            error = self._over(item[2])
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

    def _release(self, curl: pycurl.Curl) -> tuple[Lane, _Batch]:
        self._multi.remove_handle(curl)
        lane, batch = self._active.pop(curl)
        del self._rates[curl]
        self.stats.connections += int(curl.getinfo(pycurl.NUM_CONNECTS))
        if (
            curl.getinfo(pycurl.STARTTRANSFER_TIME) - curl.getinfo(pycurl.PRETRANSFER_TIME)
            > self._settings.near_seconds
        ):
            self._lanes = self._settings.connections
        self.stats.decoded_bytes += lane.body_bytes
        self.stats.wire_bytes += int(curl.getinfo(pycurl.SIZE_DOWNLOAD_T)) + int(curl.getinfo(pycurl.HEADER_SIZE))
        return lane, batch

    def _settle(self, lane: Lane, batch: _Batch, ended: Ended) -> None:
        fetch = lane.fetch
        if ended.redirected:
            self._send(lane, fetch, batch)
            return
        self._idle.append(lane)
        if ended.may_retry and fetch.attempts < self._settings.attempts and self._over(fetch) is None:
            pause = self._pause(fetch, ended)
            if self._clock + pause < fetch.ends:
                fetch.restart()
                heapq.heappush(self._waiting, (time.monotonic() + pause, next(self._numbers), fetch, batch))
                return
        self._finish(fetch, batch, ended.error)

    def _finish(self, fetch: Fetch[Any], batch: _Batch, error: DeliveryError | None) -> None:
        fetch.error = error
        batch.open -= 1
        batch.done.append(fetch)

    def _abandon(self, batch: _Batch) -> None:
        for curl, (_, owner) in list(self._active.items()):
            if owner is batch:
                lane, _ = self._release(curl)
                lane.discard()
                self._idle.append(lane)
        self._waiting = [item for item in self._waiting if item[3] is not batch]
        heapq.heapify(self._waiting)

    # When

    @property
    def _clock(self) -> float:
        """Seconds spent on the network; it stands still while a consumer keeps the results coming."""
        return self._left - self._away

    def _pause(self, fetch: Fetch[Any], ended: Ended) -> float:
        """Exponential backoff with full jitter; longer where the server asks for it."""
        ceiling = min(self._settings.backoff_limit, self._settings.backoff_seconds * 2 ** (fetch.attempts - 1))
        asked = min(ended.retry_after or 0.0, self._settings.retry_after_limit)
        return asked + self._random.uniform(0.0, ceiling)

    def _over(self, fetch: Fetch[Any]) -> DeliveryError | None:
        if self._stop is not None and self._stop():
            what = "stopped before it was transferred"
            return TransientError(Code.TRANSPORT_FAILED, "L11", what, where=shown(fetch.url))
        if self.deadline is not None and time.monotonic() >= self.deadline:
            return _slow(fetch, "the deadline of the whole pass is over")
        return None


def _slow(fetch: Fetch[Any], what: str, seen: object = None) -> DeliveryError:
    return TransientError(Code.TRANSPORT_SLOW, "L9", what, where=shown(fetch.url), seen=seen)
