"""The closed form as tables, in text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tools.model import sizes
from tools.model.freshness import bound, quantile
from tools.model.load import Load, Setting, asking, bill, break_even, updating
from tools.model.prices import LIST, MONTH

POLLS = (10.0, 30.0, 60.0, 300.0, 900.0)
FEATURES = (20, 100, 1_000, 10_000)
_TERM_POLLS = (30.0, 300.0)
PURGES = (None, 10.0, 120.0)


@dataclass(frozen=True, slots=True)
class Table:
    """A title, names of columns, and rows of text."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def closed_form() -> list[Table]:
    """All tables that need no simulation."""
    return [stated(), by_term(), by_poll(), by_size(), of_updates(), changed_one_by_one(), by_freshness()]


def stated() -> Table:
    """What everything else is computed from."""
    rows = [
        ("readers", f"{Setting().readers:,}: 10,000 clusters of 5 pods, a loader in each"),
        ("publishes a day", f"{Setting().publishes:,.0f}, at random moments, each of one feature"),
        ("edges", f"{Setting().edges}, each with a cache of its own"),
        ("poll interval", f"30 s unless another is named, ± {Setting().jitter * 100:.0f} %, at a random phase"),
        ("a month", f"730 hours, {MONTH / 1e6:.3f} million seconds"),
        ("base price", f"${LIST.base:.0f} a month, not in the sums below"),
        ("a request to an edge", f"$0.009 for 10,000 ({_micro(LIST.edge_request)})"),
        ("a GB from an edge to a reader", f"${LIST.edge_byte * 1e9:.3f}"),
        ("a read of a blob", f"$0.0044 for 10,000 ({_micro(LIST.origin_request)}); its bytes to the edge are free"),
        ("what Blob Storage serves at most", "500 requests/s a blob, 20,000 an account"),
        ("an unchanged answer (304)", f"{sizes.HEAD_304 + sizes.TLS_RECORD} bytes"),
        ("an answer's head (200)", f"{sizes.HEAD_200 + sizes.TLS_RECORD} bytes"),
        *((f"remote index of {count:,} features", _size(size)) for count, size in sizes.REMOTE_INDEX.items()),
        ("release index of 5 versions", _size(sizes.RELEASE_INDEX)),
        *((f"update: {update.what}", _update(update)) for update in (sizes.SMALL_UPDATE, sizes.LARGE_UPDATE)),
    ]
    return Table("Stated and measured", ("what", "value"), tuple(rows))


def by_poll() -> Table:
    """What asking costs, with and without a remote index."""
    columns = (
        "index", "poll s", "edge requests/s", "requests a month", "polls that find a change", "origin requests/s",
        "edge TB a month", "origin GB a month", "$ requests", "$ egress", "$ origin", "$ a month",
    )  # fmt: skip
    rows = []
    for setting in (Setting(poll=poll, remote=remote) for remote in (True, False) for poll in POLLS):
        load = asking(setting)
        cost = bill(load)
        rows.append((
            "remote" if setting.remote else "each feature",
            f"{setting.poll:.0f}",
            f"{load.edge_requests:,.0f}",
            f"{load.edge_requests * MONTH / 1e9:,.2f} billion",
            f"{load.pointers / (load.pointers + load.unchanged) * 100:.1f} %",
            f"{load.origin_requests:,.1f}",
            f"{load.edge_bytes * MONTH / 1e12:,.1f}",
            f"{load.origin_bytes * MONTH / 1e9:,.0f}",
            *(_dollars(amount) for amount in (cost.requests, cost.egress, cost.origin, cost.total)),
        ))  # fmt: skip
    return Table("Asking: 100 features, all of them in every cluster, no purge", columns, tuple(rows))


def by_term() -> Table:
    """Where the money goes."""
    columns = ("term", *(f"poll {poll:.0f} s: {what}" for poll in _TERM_POLLS for what in ("requests", "TB", "$")))
    by_interval = [_terms(Setting(poll=poll)) for poll in _TERM_POLLS]
    rows = [(name, *(text for terms in by_interval for text in _term(terms[name]))) for name in by_interval[0]]
    return Table(
        "Where the money goes: remote index, 100 features, all in every cluster, a month", columns, tuple(rows)
    )


def _terms(setting: Setting) -> dict[str, Load]:
    load = asking(setting)
    polls = load.unchanged + load.pointers
    heads = load.unchanged * (sizes.HEAD_304 + sizes.TLS_RECORD)
    return {
        "polls, all as if unchanged": Load(unchanged=polls, edge_bytes=heads),
        "the remote index, where it changed": Load(edge_bytes=load.index_bytes),
        "release indexes that changed": Load(
            releases=load.releases, edge_bytes=load.edge_bytes - heads - load.index_bytes
        ),
        "reads at the origin": Load(origin_requests=load.origin_requests),
        "small updates: manifests and files": updating(setting, sizes.SMALL_UPDATE),
    }


def _term(load: Load) -> tuple[str, str, str]:
    requests = load.edge_requests * MONTH / 1e9
    return (
        f"{requests:,.2f} billion" if requests else "",
        f"{load.edge_bytes * MONTH / 1e12:,.1f}" if load.edge_bytes else "",
        _dollars(bill(load).total),
    )


def by_size() -> Table:
    """A change of any feature changes the remote index: what it costs that readers fetch it again."""
    columns = (
        "features", "poll s", "remote index TB a month", "$ for it", "$ requests",
        "cheaper from … carried features on", "origin requests/s", "the same, each asked for",
    )  # fmt: skip
    rows = []
    for features in FEATURES:
        for poll in (30.0, 300.0, 900.0):
            setting = Setting(features=features, carried=features, poll=poll)
            load = asking(setting)
            rows.append((
                f"{features:,}",
                f"{poll:.0f}",
                f"{load.index_bytes * MONTH / 1e12:,.1f}",
                _dollars(load.index_bytes * MONTH * LIST.edge_byte),
                _dollars(bill(load).requests),
                f"{break_even(setting)}",
                f"{load.origin_requests:,.1f}",
                f"{asking(replace(setting, remote=False)).origin_requests:,.0f}",
            ))  # fmt: skip
    return Table("The remote index by its size", columns, tuple(rows))


def of_updates() -> Table:
    """What no poll interval changes: new versions."""
    columns = (
        "every publish is",
        "in clusters",
        "requests a month",
        "edge TB a month",
        "origin GB a month",
        "$ a month",
    )
    rows = []
    for update in (sizes.SMALL_UPDATE, sizes.LARGE_UPDATE):
        for carried in (100, 10, 1):
            load = updating(Setting(carried=carried), update)
            rows.append((
                update.what,
                f"{carried} of 100 features",
                f"{load.edge_requests * MONTH / 1e9:,.2f} billion",
                f"{load.edge_bytes * MONTH / 1e12:,.0f}",
                f"{load.origin_bytes * MONTH / 1e9:,.0f}",
                _dollars(bill(load).total),
            ))  # fmt: skip
    return Table("Updates: manifests and changed files, at any poll interval", columns, tuple(rows))


def changed_one_by_one() -> Table:
    """One thing other than in the base case, and what comes of it."""
    columns = ("what is changed", "edge requests/s", "origin requests/s", "$ a month", "of it remote index", "p99 s")
    rows = []
    for what, setting in _variants():
        load = asking(setting)
        rows.append((
            what,
            f"{load.edge_requests:,.0f}",
            f"{load.origin_requests:,.1f}",
            _dollars(bill(load).total),
            _dollars(load.index_bytes * MONTH * LIST.edge_byte),
            f"{quantile(setting, 0.99):.0f}",
        ))  # fmt: skip
    polls = Setting().readers / Setting().poll
    handshakes = bill(Load(edge_bytes=polls * sizes.HANDSHAKE)).egress
    rows.append(("a new TLS connection for each poll, if billed", "", "", f"+ {_dollars(handshakes)}", "", ""))
    return Table("Asking, one change at a time from: remote index, 100 features, 30 s", columns, tuple(rows))


def by_freshness() -> Table:
    """Seconds after a commit at which readers ask an edge that knows of it."""
    columns = ("poll s", "purge reaches edges", "p50 s", "p99 s", "bound s")
    rows = [
        (
            f"{poll:.0f}",
            "never" if purge is None else f"after {purge:.0f} s",
            f"{quantile(setting, 0.5):.1f}",
            f"{quantile(setting, 0.99):.1f}",
            f"{bound(setting):.1f}",
        )
        for poll in POLLS
        for purge in PURGES
        for setting in [Setting(poll=poll, purge=purge)]
    ]
    return Table("How late readers are, max-age 30 s", columns, tuple(rows))


def _variants() -> Iterator[tuple[str, Setting]]:
    base = Setting()
    each = replace(base, remote=False)
    few = replace(base, carried=10)
    yield "nothing", base
    yield "poll 300 s", replace(base, poll=300.0)
    yield "max-age 5 s", replace(base, max_age=5.0)
    yield "max-age 300 s", replace(base, max_age=300.0)
    yield "max-age 300 s, purge after 10 s", replace(base, max_age=300.0, purge=10.0)
    yield "purge after 10 s", replace(base, purge=10.0)
    yield "no jitter", replace(base, jitter=0.0)
    yield "1,000 edges", replace(base, edges=1_000)
    yield "one loader for the 5 pods of a cluster", replace(base, readers=10_000)
    yield "the same, poll 300 s", replace(base, readers=10_000, poll=300.0)
    yield "publishes in trains of 200, 7 commits a train", replace(base, train=200 / 7)
    yield "clusters carry 10 of 100 features, remote index", few
    yield "clusters carry 10 of 100 features, each asked for", replace(few, remote=False)
    yield "clusters carry 1 of 100 features, each asked for", replace(each, carried=1)
    yield "1,000 features in one environment, all carried", replace(base, features=1_000, carried=1_000)


def _dollars(amount: float) -> str:
    return f"{amount:,.0f}"


def _micro(price: float) -> str:
    return f"{price * 1e6:.2f} millionths of a dollar"


def _size(size: sizes.Size) -> str:
    return f"{size.plain:,} bytes, {size.gzip:,} with gzip"


def _update(update: sizes.Update) -> str:
    return f"{update.files} files, {update.bytes:,} bytes, and a manifest of {_size(update.manifest)}"
