"""What operators see from outside: which line belongs to what, traces, and figures. Free while nobody collects them.

OpenTelemetry's API does nothing until an SDK is configured (adapters/azure_monitor.py).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any

from opentelemetry import metrics, trace

OURS = "favn"
"""The name that all our loggers begin with; of the tracer and the meter."""

_facts: ContextVar[Mapping[str, str]] = ContextVar("facts", default={})  # noqa: B039 (never changed in place)

_tracer = trace.get_tracer(OURS)
_meter = metrics.get_meter(OURS)
_visible = _meter.create_histogram("favn.visible", "s", "from the upload of a bundle to the commit of the remote index")
_rejected = _meter.create_counter("favn.rejected", "{bundle}", "bundles refused, by code")
_retried = _meter.create_counter("favn.retried", "{attempt}", "what failed for now and comes again, by kind")
_purges = _meter.create_counter("favn.purges", "{operation}", "purges that ended, by state")
_queue_age = _meter.create_gauge("favn.queue.age", "s", "how long the oldest message has waited, by queue")
_index_age = _meter.create_gauge("favn.index.age", "s", "how long ago an index was signed")
_index_left = _meter.create_gauge("favn.index.left", "s", "how long an index is still valid")


class Record(logging.LogRecord):
    """A log line that knows what it belongs to: as attributes for collectors, and in its text for everybody."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._is_ours = self.name.partition(".")[0] == OURS
        self._facts = _facts.get() if self._is_ours else {}
        for name, value in self._facts.items():
            setattr(self, name, value)

    def getMessage(self) -> str:  # noqa: N802 (the library's name)
        facts = " ".join(f"{name}={value}" for name, value in self._facts.items())
        return f"{super().getMessage()} [{facts}]" if facts else super().getMessage()


def install() -> None:
    """Let every log line say what it belongs to."""
    logging.setLogRecordFactory(Record)


@contextmanager
def bound(**facts: object) -> Iterator[None]:
    """Every line that is logged meanwhile, in this thread, belongs to these: bundle, feature, version, sequence."""
    token = _facts.set({**_facts.get(), **{name: str(value) for name, value in facts.items()}})
    try:
        yield
    finally:
        _facts.reset(token)


@contextmanager
def invocation(function: str, invocation_id: str, **facts: object) -> Iterator[None]:
    """One run of a function: a span, and the platform's id in every line."""
    with _tracer.start_as_current_span(function) as span, bound(function=function, invocation=invocation_id, **facts):
        for name, value in _facts.get().items():
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
