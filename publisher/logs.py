"""Log lines: what each belongs to, and nothing secret in them (T21).

Commands send them to standard error (C1). In the app the platform has its own handlers, and `install` is all.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

OURS = "favn"
"""The name that all our loggers begin with."""

_NOISY = {"azure": logging.WARNING, "urllib3": logging.ERROR}
"""They tell of every request, and of every try; what concerns us of it becomes an error of ours."""

_SECRETS = (
    re.compile(r"(?<=\bsig=)[^&\s\"']+"),
    re.compile(r"(?<=AccountKey=)[^;\s\"']+"),
    re.compile(r"(?<=[?&]code=)[^&\s\"']+"),
    re.compile(r"(?<=Bearer )[\w.~+/=-]+"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
)
"""Signatures of a SAS, keys of an account and of a function, tokens, and keys that sign."""

_facts: ContextVar[Mapping[str, str]] = ContextVar("facts", default={})  # noqa: B039 (never changed in place)


def without_secrets(text: str) -> str:
    """`text` with `***` where a secret was."""
    for pattern in _SECRETS:
        text = pattern.sub("***", text)
    return text


@contextmanager
def bound(**facts: object) -> Iterator[None]:
    """Every line of ours that is logged meanwhile belongs to these: bundle, feature, version, sequence.

    In this thread: a thread that is started meanwhile has facts of its own.
    """
    token = _facts.set({**_facts.get(), **{name: str(value) for name, value in facts.items()}})
    try:
        yield
    finally:
        _facts.reset(token)


def facts() -> Mapping[str, str]:
    """What a line belongs to that is logged now."""
    return _facts.get()


class Record(logging.LogRecord):
    """A line without secrets. One of ours has its facts as attributes, for collectors, and in its text."""

    __slots__ = ("facts",)  # beside the attributes, which collectors take all

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.facts = _facts.get() if str(self.name).partition(".")[0] == OURS else {}
        for name, value in self.facts.items():
            setattr(self, name, value)
        if self.exc_info and self.exc_info[0] is not None:
            told = "".join(traceback.format_exception(*self.exc_info)).rstrip()
            if (clean := without_secrets(told)) != told:
                # Every handler would write the exception's own words.
                self.exc_info, self.exc_text = None, clean

    @property
    def text(self) -> str:
        """The line alone."""
        return without_secrets(super().getMessage())

    def getMessage(self) -> str:  # noqa: N802 (the library's name)
        listed = " ".join(f"{name}={value}" for name, value in self.facts.items())
        return f"{self.text} [{listed}]" if listed else self.text


def install() -> None:
    """Make every line a Record, from now on."""
    logging.setLogRecordFactory(Record)
    logging.getLogger(OURS).setLevel(logging.INFO)
    for name, level in _NOISY.items():
        logging.getLogger(name).setLevel(level)


def start() -> None:
    """For a command: warnings go to standard error, as sentences on a terminal and else as JSON lines (C1)."""
    install()
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(
        logging.Formatter("%(levelname)s %(name)s: %(message)s") if sys.stderr.isatty() else _JsonLines()
    )
    logging.getLogger().addHandler(handler)


class _JsonLines(logging.Formatter):
    """One JSON object a line: `time`, `level`, `logger`, `message`, and what it belongs to."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        message, belongs = (record.text, record.facts) if isinstance(record, Record) else (record.getMessage(), {})
        told = record.exc_text or (self.formatException(record.exc_info) if record.exc_info else "")
        document = {
            "time": moment,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": f"{message}\n{told}" if told else message,
        }
        return json.dumps({**belongs, **document}, ensure_ascii=False)
