"""C1, C3: the `feature-loader` command: flags in, one use case, its report and its exit status out."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

from artifact.errors import ConfigurationError
from loader_cdn import logs
from loader_cdn.board import Board
from loader_cdn.progress import Silent, shown
from loader_cdn.report import Report
from loader_cdn.settings import (
    SELECTOR,
    Address,
    Settings,
    StartWith,
    address,
    features,
    hook,
    min_sequences,
    remote_index_url,
)
from loader_cdn.signals import Signals, StopSignal
from loader_cdn.sync import sync as sync_root
from loader_cdn.transfer import TransferSettings
from loader_cdn.verify import verify as verify_root
from loader_cdn.watch import watch as watch_root

log = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])

_PREFIX = "FEATURE_LOADER_"


def _option(flag: str, *names: str, also: tuple[str, ...] = (), **settings: Any) -> Callable[[F], F]:
    """A flag with its environment variable: the flag's name in capitals (C1), or one of `also`."""
    variable = _PREFIX + flag.lstrip("-").replace("-", "_").upper()
    return click.option(flag, *names, envvar=[variable, *also], show_envvar=True, **settings)


_TRUST_KEYS = _option(
    "--trust-keys", required=True, metavar="FILE|JSON", help="Public keys and what each may sign: a file, or JSON."
)
_JSON = _option("--json", "as_json", is_flag=True, help="Print one JSON document.")


_RUN = (
    _option(
        "--root", required=True, metavar="DIR", type=click.Path(path_type=Path), help="Where the host reads features."
    ),
    _TRUST_KEYS,
    _option("--feature", multiple=True, metavar="ID=URL", help="One feature and its base URL; repeatable."),
    _option(
        "--remote-index", also=("FEATURE_REMOTE_INDEX_URL",), metavar="URL", help="All features that this index lists."
    ),
    _option(
        "--kubernetes", is_flag=True,
        help="Features that ConfigMaps register; by the pod's service account, else by KUBECONFIG.",
    ),
    _option("--selector", default=SELECTOR, metavar="LABELS", show_default=True, help="Which ConfigMaps register."),
    _option(
        "--namespace", multiple=True, metavar="NAME",
        help="Where ConfigMaps are looked for; repeatable.  [default: the pod's own]",
    ),
    _option(
        "--registrations", metavar="DIR", type=click.Path(path_type=Path),
        help="ConfigMaps that are mounted below a directory, where the API is out of reach.",
    ),
    _option(
        "--min-sequence", multiple=True, metavar="ID=N", help="Refuse older release indexes of a feature; repeatable."
    ),
    _option(
        "--ready-file", metavar="PATH", type=click.Path(path_type=Path), help="Written when every feature was tried."
    ),
    _option(
        "--timeout", type=click.FloatRange(min=0), default=300.0, metavar="SECONDS", show_default=True,
        help="For a whole pass.",
    ),
    _option(
        "--grace", type=click.FloatRange(min=0), default=600.0, metavar="SECONDS", show_default=True,
        help="How long what is not listed any more stays for hosts that still read it.",
    ),
    _option(
        "--start-with", type=click.Choice([str(each) for each in StartWith]),
        help="What a host needs to start: all as published now, something of each feature (also from an earlier run), "
        "or whatever is there.  [default: current for sync, any for watch]",
    ),
    _option("--allow-http", is_flag=True, help="Plain http to other hosts than loopback."),
    _option("--allow-expired", is_flag=True, help="Accept expired indexes as new."),
)  # fmt: skip


def _run_options(function: F) -> F:
    """The flags of every command that brings features."""
    for option in reversed(_RUN):
        function = option(function)
    return function


def _settings(
    *,
    feature: tuple[str, ...],
    remote_index: str | None,
    namespace: tuple[str, ...],
    min_sequence: tuple[str, ...],
    start_with: str | None,
    grace: float,
    allow_http: bool,
    **plain: Any,
) -> Settings:
    """Raises ConfigurationError."""
    return Settings(
        features=features(feature),
        remote_index=None if remote_index is None else remote_index_url(remote_index),
        namespaces=namespace,
        min_sequence=min_sequences(min_sequence),
        start_with=None if start_with is None else StartWith(start_with),
        grace=timedelta(seconds=grace),
        transfer=TransferSettings(allow_http=allow_http),
        **plain,
    )


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="favn-delivery", prog_name="feature-loader")
def main() -> None:
    """Bring signed features to the directory that a host serves them from."""
    logs.start()


@main.command(
    epilog="""\b
Examples:
  feature-loader sync --root /artifacts --trust-keys trust.json \\
      --remote-index https://cdn.example.org/remote-index.json
  feature-loader sync --root ./features --trust-keys trust.json \\
      --feature feature-patientlist=https://cdn.example.org/feature-patientlist/
"""
)
@_run_options
@_option("--allow-missing", is_flag=True, help="End with 0 though features are missing that a retry may bring.")
@_option("--wait", is_flag=True, help="Make passes until --start-with is fulfilled, instead of ending with 1.")
@_JSON
def sync(*, allow_missing: bool, as_json: bool, **values: Any) -> None:
    """Make one pass over all registered features, and end.

    Every file is verified against signed manifests; a feature appears or changes as a whole, or not at all. Ends with
    0 when all is done or --start-with is fulfilled, 1 when a retry may help, 2 for a wrong setting, 3 when content was
    refused.
    """
    try:
        settings = _settings(**values, allow_missing=allow_missing)
    except ConfigurationError as error:
        log.error("%s", error)
        _end(Report(str(values["root"]), error), as_json=as_json)
    signal = StopSignal()
    with shown(quiet=as_json) as progress:
        report = sync_root(settings, progress=progress, stop=lambda: signal.is_told_to_end)
    _end(report, as_json=as_json, allow_missing=allow_missing, start_with=settings.start_with)


@main.command(
    epilog="""\b
Example:
  feature-loader watch --root /artifacts --trust-keys trust.json --ready-file /artifacts/.ready \\
      --remote-index https://cdn.example.org/remote-index.json
"""
)
@_run_options
@_option(
    "--poll", type=click.FloatRange(min=1), default=30.0, metavar="SECONDS", show_default=True,
    help="Between two times that a source is asked, ± 10 %.",
)  # fmt: skip
@_option(
    "--listen", metavar="[HOST:]PORT",
    help="Answer /healthz, /readyz, /metrics and /status over HTTP; without a host on all interfaces.  [default: off]",
)  # fmt: skip
@_option("--on-swap", metavar="URL|FILE", help="After a swap, POST to this URL or touch this file.")
def watch(*, poll: float, listen: str | None, on_swap: str | None, **values: Any) -> None:
    """Bring features, and go on following them until it is told to end; what runs beside the host.

    A new registration is followed at once, a source is asked every --poll seconds: one conditional request where
    nothing changed. SIGHUP, or another trust store, makes it verify everything at once. What fails is logged and tried
    again, and the last good state stays. SIGTERM ends it with 0; a wrong setting at its start with 2.
    """
    try:
        given = None if listen is None else address(listen)
        settings = _settings(**values, poll=poll, listen=given, on_swap=hook(on_swap))
        board = Board(str(settings.root), datetime.now(UTC))
        with _served(board, settings.listen):
            error_at_start = watch_root(settings, Signals(), progress=Silent(), board=board)
    except ConfigurationError as error:
        log.error("%s", error)
        sys.exit(error.exit_status)
    sys.exit(0 if error_at_start is None else error_at_start.exit_status)


def _served(board: Board, address: Address | None) -> AbstractContextManager[object]:
    """Whoever does not listen does without 6 MiB of server and metrics."""
    if address is None:
        return nullcontext()
    from loader_cdn.http.server import served  # noqa: PLC0415

    return served(board, address)


@main.command(
    epilog="""\b
Example:
  feature-loader verify --trust-keys trust.json /artifacts
"""
)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@_TRUST_KEYS
@_JSON
def verify(directory: Path, trust_keys: str, as_json: bool) -> None:
    """Check a root on disk, offline: every index, manifest and file.

    Answers as `sync` does: 0 when all is right, 3 when something is wrong, 2 for a wrong setting.
    """
    _end(verify_root(directory, trust_keys, now=datetime.now(UTC)), as_json=as_json)


def _end(report: Report, *, as_json: bool, allow_missing: bool = False, start_with: StartWith | None = None) -> None:
    if as_json:
        click.echo(json.dumps(report.as_json()))
    else:
        for line in report.lines():
            click.echo(line)
    is_enough = start_with is not None and report.lets_start(start_with)
    sys.exit(0 if is_enough else report.exit_status(allow_missing=allow_missing))
