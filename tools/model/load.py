"""The closed form: requests and bytes a second of readers that poll, and what they cost a month.

Readers poll on their own, at random phases. An edge keeps its copy of a pointer for max-age and fetches it again at the
next request after that. Commits come at random (Poisson).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from tools.model.prices import LIST, MONTH, Prices
from tools.model.sizes import HEAD_200, HEAD_304, RELEASE_INDEX, REMOTE_INDEX, TLS_RECORD, Size, Update

DAY = 86_400.0
_JITTER_STEPS = 200


@dataclass(frozen=True, slots=True)
class Setting:
    """An environment and its readers. Times in seconds; the defaults are the base case.

    `remote`: readers follow the remote index; otherwise the `releases.json` of each feature that they carry.
    `publishes` are a day, at random moments, each of one feature by chance; `train` of them share one commit of the
    remote index (I3). `purge` is how late a purge reaches the edges, None: never; `reach` is the share of edges that
    it reaches.
    """

    remote: bool = True
    readers: int = 50_000
    publishes: float = 1_000.0
    train: float = 1.0
    features: int = 100
    carried: int = 100
    poll: float = 30.0
    jitter: float = 0.1
    max_age: float = 30.0
    edges: int = 100
    purge: float | None = None
    reach: float = 1.0

    @property
    def rate(self) -> float:
        """Commits a second of one pointer that readers follow."""
        return self.publishes / DAY / (self.train if self.remote else self.features)

    @property
    def release_rate(self) -> float:
        """Commits a second of one feature's release index."""
        return self.publishes / DAY / self.features

    @property
    def cycle(self) -> float:
        """Seconds from one fetch of a pointer by an edge to the next, without purge: max-age, then the next request."""
        readers = self.readers if self.remote else self.readers * self.carried / self.features
        return self.max_age + self.edges * self.poll / readers

    @property
    def is_purged(self) -> bool:
        """Whether a purge comes before max-age is over."""
        return self.purge is not None and self.purge < self.cycle


@dataclass(frozen=True, slots=True)
class Load:
    """All readers together, a second. `unchanged` are 304s, `pointers` 200s of a pointer, `releases` 200s of immutable
    release indexes; `index_bytes` is the part of `edge_bytes` that is remote indexes.
    """

    unchanged: float = 0.0
    pointers: float = 0.0
    releases: float = 0.0
    files: float = 0.0
    edge_bytes: float = 0.0
    index_bytes: float = 0.0
    origin_requests: float = 0.0
    origin_bytes: float = 0.0

    @property
    def edge_requests(self) -> float:
        """Requests that edges answer."""
        return self.unchanged + self.pointers + self.releases + self.files


@dataclass(frozen=True, slots=True)
class Refreshes:
    """Fetches a second of one pointer by all edges: answered 304, or with all of it."""

    unchanged: float
    whole: float

    @property
    def total(self) -> float:
        return self.unchanged + self.whole

    def bytes(self, size: Size) -> float:
        """What the origin sends: it does not pack."""
        return self.unchanged * HEAD_304 + self.whole * (HEAD_200 + size.plain)


@dataclass(frozen=True, slots=True)
class Bill:
    """Dollars a month, without the base price."""

    requests: float
    egress: float
    origin: float

    @property
    def total(self) -> float:
        return self.requests + self.egress + self.origin


def seen_changed(setting: Setting, rate: float) -> float:
    """The share of polls that find a pointer changed which is committed `rate` times a second."""
    gaps = _gaps(setting)
    unpurged = math.fsum(_changed_after(gap, setting.cycle, rate) for gap in gaps) / len(gaps)
    if setting.purge is None or not setting.is_purged:
        return unpurged
    # A commit waits at edges for the purge or for max-age, and those that come meanwhile ride along: a renewal process
    # whose intervals are that wait and the time to the next commit.
    wait = setting.purge - setting.purge**2 / (2 * setting.cycle)
    visible = 1 / (1 / rate + wait)
    if setting.poll < wait:
        purged = visible * setting.poll
    else:
        purged = 1 - visible / rate * math.exp(-rate * (setting.poll - wait))
    return setting.reach * purged + (1 - setting.reach) * unpurged


def asking(setting: Setting) -> Load:
    """Pointers and release indexes: what readers ask, whatever the features weigh."""
    polls = setting.readers / setting.poll
    return _following(setting, polls) if setting.remote else _asking_each(setting, polls)


def _following(setting: Setting, polls: float) -> Load:
    """One conditional request a pass; where the index changed, it and the release indexes that it names anew."""
    index = REMOTE_INDEX[setting.features]
    pointers = polls * seen_changed(setting, setting.rate)
    releases = polls * setting.carried * seen_changed(setting, setting.release_rate)
    refreshed = refreshes(setting)
    first_fetches = setting.edges * setting.publishes / DAY
    return Load(
        unchanged=polls - pointers,
        pointers=pointers,
        releases=releases,
        edge_bytes=(polls - pointers) * _head(HEAD_304) + pointers * _sent(index) + releases * _sent(RELEASE_INDEX),
        index_bytes=pointers * _sent(index),
        origin_requests=refreshed.total + first_fetches,
        origin_bytes=refreshed.bytes(index) + first_fetches * (HEAD_200 + RELEASE_INDEX.plain),
    )


def _asking_each(setting: Setting, polls: float) -> Load:
    """One conditional request a feature and pass."""
    pointers = polls * setting.carried * seen_changed(setting, setting.rate)
    unchanged = polls * setting.carried - pointers
    refreshed = refreshes(setting)
    return Load(
        unchanged=unchanged,
        pointers=pointers,
        edge_bytes=unchanged * _head(HEAD_304) + pointers * _sent(RELEASE_INDEX),
        origin_requests=refreshed.total * setting.features,
        origin_bytes=refreshed.bytes(RELEASE_INDEX) * setting.features,
    )


def updating(setting: Setting, update: Update) -> Load:
    """Manifests and changed files of every publish. Neither poll interval nor kind of
    index changes it: every listed version is brought.
    """
    publishes = setting.publishes / DAY
    versions = setting.readers * publishes * setting.carried / setting.features
    version_bytes = _sent(update.manifest) + update.files * _head(HEAD_200) + update.bytes
    stored = update.manifest.plain + update.bytes + (1 + update.files) * HEAD_200
    return Load(
        files=versions * (1 + update.files),
        edge_bytes=versions * version_bytes,
        origin_requests=setting.edges * publishes * (1 + update.files),
        origin_bytes=setting.edges * publishes * stored,
    )


def refreshes(setting: Setting) -> Refreshes:
    """How often edges ask the origin for one pointer."""
    rate, edges = setting.rate, setting.edges
    often = edges / setting.cycle
    changed = often * (1 - math.exp(-rate * setting.cycle))
    unpurged = Refreshes(often - changed, changed)
    if setting.purge is None:
        return unpurged
    often = edges * rate / (1 - math.exp(-rate * setting.cycle))
    # Each purge makes an edge fetch all of it, also where max-age has brought the commit before.
    whole = min(often, edges * rate * (1 + min(1.0, setting.purge / setting.cycle)))
    reached, rest = setting.reach, 1 - setting.reach
    return Refreshes(reached * (often - whole) + rest * unpurged.unchanged, reached * whole + rest * unpurged.whole)


def bill(load: Load, prices: Prices = LIST) -> Bill:
    """What a load costs that lasts a month."""
    return Bill(
        requests=load.edge_requests * MONTH * prices.edge_request,
        egress=load.edge_bytes * MONTH * prices.edge_byte,
        origin=load.origin_requests * MONTH * prices.origin_request,
    )


def break_even(setting: Setting) -> int:
    """From how many carried features on following the remote index costs less than asking for each."""
    low, high = 0, setting.features
    while high - low > 1:
        middle = (low + high) // 2
        remote, each = (bill(asking(replace(setting, remote=kind, carried=middle))).total for kind in (True, False))
        low, high = (low, middle) if remote < each else (middle, high)
    return high


def _gaps(setting: Setting) -> list[float]:
    """Times between two polls of a reader, each as likely as the others."""
    steps = ((2 * step + 1) / _JITTER_STEPS - 1 for step in range(_JITTER_STEPS))
    return [setting.poll * (1 + setting.jitter * step) for step in steps]


def _changed_after(gap: float, cycle: float, rate: float) -> float:
    """The share of gaps in which a copy that is fetched again each `cycle` became another.

    A gap holds a whole number of fetches, and one more in a share of the cases.
    """
    fetches = math.floor(gap / cycle)
    one_more = gap / cycle - fetches
    fewer, more = (1 - math.exp(-rate * cycle * count) for count in (fetches, fetches + 1))
    return fewer * (1 - one_more) + more * one_more


def _head(head: int) -> int:
    return head + TLS_RECORD


def _sent(size: Size) -> int:
    return _head(HEAD_200) + size.gzip
