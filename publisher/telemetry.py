"""Traces and figures for operators. Free while nobody collects them; log lines are in logs.py.

OpenTelemetry's API does nothing until an SDK is configured (adapters/azure_monitor.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from opentelemetry import metrics, trace

from publisher.logs import OURS, bound, facts

_tracer = trace.get_tracer(OURS)
_meter = metrics.get_meter(OURS)
_visible = _meter.create_histogram("favn.visible", "s", "from the upload of a bundle to the commit of the remote index")
_rejected = _meter.create_counter("favn.rejected", "{bundle}", "bundles refused, by code")
_retried = _meter.create_counter("favn.retried", "{attempt}", "what failed for now and comes again, by kind")
_purges = _meter.create_counter("favn.purges", "{operation}", "purges that ended, by state")
_queue_age = _meter.create_gauge("favn.queue.age", "s", "how long the oldest message has waited, by queue")
_index_age = _meter.create_gauge("favn.index.age", "s", "how long ago an index was signed")
_index_left = _meter.create_gauge("favn.index.left", "s", "how long an index is still valid")
_edge_late = _meter.create_gauge("favn.edge.late", "s", "since when an edge could have served something newer")
_edge_failed = _meter.create_counter(
    "favn.edge.failed", "{look}", "looks at an edge that showed nothing right, by code"
)


@contextmanager
def invocation(function: str, invocation_id: str, **more: object) -> Iterator[None]:
    """One run of a function: a span, and the platform's id in every line."""
    with _tracer.start_as_current_span(function) as span, bound(function=function, invocation=invocation_id, **more):
        for name, value in facts().items():
            span.set_attribute(f"{OURS}.{name}", value)
        yield


def visible_after(delay: timedelta) -> None:
    """A bundle is visible in the remote index, so long after its upload."""
    _visible.record(max(0.0, delay.total_seconds()))


def rejected(code: str) -> None:
    """A bundle was refused."""
    _rejected.add(1, {"code": code})


def retried(kind: str) -> None:
    """Something failed for now and comes again: `ingest`, `purge`, `change`."""
    _retried.add(1, {"kind": kind})


def purge_ended(state: str) -> None:
    """A purge succeeded or was given up."""
    _purges.add(1, {"state": state})


def queue_waits(queue: str, oldest: datetime | None, now: datetime) -> None:
    """How long the oldest message of a queue has waited; no message is no wait."""
    _queue_age.set(0.0 if oldest is None else (now - oldest).total_seconds(), {"queue": queue})


def index_stands(index: str, signed_at: datetime | None, expires_at: datetime | None, now: datetime) -> None:
    """Age and remaining validity of an index: a feature's id, or `remote-index`."""
    if signed_at is not None:
        _index_age.set((now - signed_at).total_seconds(), {"index": index})
    if expires_at is not None:
        _index_left.set((expires_at - now).total_seconds(), {"index": index})


def edge_serves(edge: str, index: str, late: timedelta) -> None:
    """How late an edge is with an index: a feature's id, or `remote-index`."""
    _edge_late.set(late.total_seconds(), {"edge": edge, "index": index})


def edge_failed(edge: str, code: str) -> None:
    """An edge did not answer, or not what was signed."""
    _edge_failed.add(1, {"edge": edge, "code": code})
