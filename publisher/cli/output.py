"""What people and scripts see: tables and progress bars, or one JSON document; errors and exit statuses (C1)."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from artifact.errors import Code, ConfigurationError, ContentError, DeliveryError, TransientError

PIPE_WIDTH = 240
"""Columns of a table that no terminal shows: a script or a log wants each row on one line."""

NO_ROOM = {errno.ENOSPC, errno.EDQUOT}

HINTS: Mapping[Code, str] = {
    Code.KEY_UNKNOWN: "Add the key to the trust store, or sign with a key that is in it.",
    Code.KEY_NOT_ALLOWED: "Use a key whose role and features cover this, or widen its entry in the trust store.",
    Code.VERSION_EXISTS: "A version is immutable: publish the change under a new version.",
    Code.VERSION_WITHDRAWN: "Publish under a new version.",
    Code.FILE_UNDECLARED: "Run `cdn-release sign` again after the last change to the directory.",
    Code.FILE_MISSING: "Run `cdn-release sign` again after the last change to the directory.",
    Code.INTEGRITY_MISMATCH: "If a version directory was changed on purpose, run `cdn-release sign` again.",
    Code.SCHEMA_INVALID: "If it is a build's draft, `cdn-release sign` completes it.",
    Code.UNAUTHORIZED: "Check the credential, and that it may read and write this place.",
    Code.STORAGE_FULL: "Make room, then run the command again: it goes on where it stopped.",
    Code.TRANSPORT_FAILED: "Check the address and the network, then run the command again.",
}


class ReportedError(Exception):
    """An error that the command's own report shows already: only its line and its exit status are missing."""

    def __init__(self, error: DeliveryError) -> None:
        super().__init__(str(error))
        self.error = error


def emit(document: Mapping[str, Any], as_json: bool, text: Callable[[Console], None]) -> None:
    """The result: the document with `--json`, otherwise what `text` prints."""
    if as_json:
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        console = Console(highlight=False, soft_wrap=True)
        if not console.is_terminal:
            console.width = PIPE_WIDTH
        text(console)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A plain table; what it holds is never taken for markup."""
    result = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        result.add_column(column, overflow="fold", no_wrap=column == columns[0])
    for row in rows:
        result.add_row(*(_escaped(cell) for cell in row))
    return result


def _escaped(cell: str) -> str:
    return cell.replace("[", "\\[")


BYTES = (DownloadColumn(), TransferSpeedColumn())
COUNT = (MofNCompleteColumn(),)


@contextmanager
def progress_bar(label: str, counted: Sequence[ProgressColumn] = BYTES) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error while it is a terminal, else nothing; called with (done, total)."""
    columns = (TextColumn(label), BarColumn(), *counted, TimeRemainingColumn())
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda done, total: None
        return
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(label, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def waiting(label: str) -> Iterator[Callable[[str], None]]:
    """A spinner on standard error while it is a terminal, else nothing; called with what is awaited."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda text: None
        return
    with console.status(label) as status:
        yield lambda text: status.update(f"{label}: {_escaped(text)}")


def fail(error: DeliveryError, as_json: bool) -> int:
    """Tell what went wrong, and what to do; the exit status."""
    if as_json:
        click.echo(json.dumps({"error": error.as_json()}, indent=2, ensure_ascii=False))
    verdict = "refused" if isinstance(error, ContentError) else "failed"
    click.echo(f"cdn-release: {verdict}: {error}", err=True)
    hint = HINTS.get(error.code)
    if hint is not None:
        click.echo(hint, err=True)
    return error.exit_status


def from_os(error: OSError) -> DeliveryError:
    """The local disk's own errors, as C5 names them."""
    where = str(error.filename or "")
    reason = error.strerror or str(error)
    if error.errno in NO_ROOM:
        return TransientError(Code.STORAGE_FULL, "C5", f"no room: {reason}", where=where)
    return ConfigurationError(reason, where=where)


def is_json(arguments: Sequence[str]) -> bool:
    """Whether `--json` was asked for, for errors that come before options are parsed."""
    return "--json" in arguments
