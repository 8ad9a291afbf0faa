"""`/metrics`, in Prometheus' text format, made from the board when it is asked for."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from loader_cdn.board import Board, FeatureStatus

CONTENT_TYPE = CONTENT_TYPE_LATEST

_PREFIX = "feature_loader_"
_FEATURE = ("feature",)


class Metrics:
    """All families of one loader."""

    def __init__(self, board: Board) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Collector(board))

    def text(self) -> bytes:
        return generate_latest(self._registry)


class _Collector(Collector):
    def __init__(self, board: Board) -> None:
        self._board = board

    def collect(self) -> Iterable[Metric]:
        board, now = self._board, datetime.now(UTC)
        yield from _loader(board)
        yield from _sources(board, now)
        features = sorted(board.features.items())
        yield from _states(features, now)
        yield from _counts(features)


def _loader(board: Board) -> Iterable[Metric]:
    yield _gauge("ready", "Whether the first full pass has ended (0 or 1).", board.is_ready)
    yield _gauge("started_timestamp_seconds", "When this process began.", board.started.timestamp())
    since = 0.0 if board.beat is None else time.monotonic() - board.beat
    yield _gauge("loop_age_seconds", "Since the loop last turned.", since)
    yield _counter("requests", "Requests to sources, retries included.", board.stats.requests)
    yield _counter("retries", "Requests that were tried again.", board.stats.retries)
    yield _counter("received_bytes", "Bytes of answers, as HTTP carries them.", board.stats.wire_bytes)
    yield _counter("hook_failures", "Calls of the hook that failed.", board.hook_failures)


def _sources(board: Board, now: datetime) -> Iterable[Metric]:
    is_known = board.registrations_known and board.registrations_error is None
    yield _gauge("registrations_readable", "Whether registrations can be read now (0 or 1).", is_known)
    age = board.registrations_age()
    if age is not None:
        yield _gauge("registrations_age_seconds", "Since the API server last proved to tell.", age)
    wrong = GaugeMetricFamily(
        _PREFIX + "registration_problem", "A ConfigMap that is wrong.", labels=("config_map", "code")
    )
    for problem in board.problems:
        wrong.add_metric((problem.config_map.reference, str(problem.error.code)), 1)
    yield wrong
    remote = board.remote
    if remote is None:
        return
    yield _gauge(
        "remote_index_failing", "Whether the remote index could not be renewed (0 or 1).", remote.error is not None
    )
    if remote.index is not None:
        yield _gauge("remote_index_sequence", "Of the remote index accepted last.", remote.index.sequence)
        if remote.index.expires_at is not None:
            left = (remote.index.expires_at - now).total_seconds()
            yield _gauge("remote_index_expiry_seconds", "Until it expires; negative when it has.", left)


def _states(features: list[tuple[str, FeatureStatus]], now: datetime) -> Iterable[Metric]:
    version = GaugeMetricFamily(_PREFIX + "active_version", "Always 1.", labels=("feature", "version"))
    sequence = _family("sequence", "Of the release index that stands.")
    failing = _family("failing", "Whether the last visit failed (0 or 1).")
    success = _family("last_success_timestamp_seconds", "When the source last answered well.")
    age = _family("index_age_seconds", "Since the index that stands was accepted.")
    expiry = _family("index_expiry_seconds", "Until the index that stands expires; negative when it has.")
    for feature_id, one in features:
        label, standing = (feature_id,), one.row.standing
        failing.add_metric(label, float(one.row.error is not None))
        if standing is not None:
            version.add_metric((feature_id, standing.active.text), 1)
            sequence.add_metric(label, standing.sequence)
            if standing.expires_at is not None:
                expiry.add_metric(label, (standing.expires_at - now).total_seconds())
        if one.checked is not None:
            success.add_metric(label, one.checked.timestamp())
        if one.accepted is not None:
            age.add_metric(label, (now - one.accepted).total_seconds())
    return version, sequence, failing, success, age, expiry


def _counts(features: list[tuple[str, FeatureStatus]]) -> Iterable[Metric]:
    failures = CounterMetricFamily(_PREFIX + "failures", "Visits that failed.", labels=("feature", "code"))
    updates = CounterMetricFamily(_PREFIX + "updates", "Swaps.", labels=_FEATURE)
    fetched = CounterMetricFamily(_PREFIX + "fetched_bytes", "Of files that were fetched.", labels=_FEATURE)
    seconds = _family("update_seconds", "What the last update took.")
    for feature_id, one in features:
        label = (feature_id,)
        for code, count in sorted(one.failures.items()):
            failures.add_metric((feature_id, code), count)
        updates.add_metric(label, one.updates)
        fetched.add_metric(label, one.bytes)
        if one.seconds is not None:
            seconds.add_metric(label, one.seconds)
    return failures, updates, fetched, seconds


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, help_text, value=value)


def _counter(name: str, help_text: str, value: float) -> Metric:
    return CounterMetricFamily(_PREFIX + name, help_text, value=value)


def _family(name: str, help_text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(_PREFIX + name, help_text, labels=_FEATURE)
