"""`python -m tools.bench`: the races, one after the other, and their tables."""

from __future__ import annotations

import fcntl
import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType

import click
from rich.console import Console

from artifact.errors import DeliveryError
from tools.bench import fetching, following, publishing, resting, table
from tools.bench.bench import Bench, Measured
from tools.bench.link import obstacle
from tools.bench.measure import BenchError
from tools.local.children import ChildError
from tools.setup.steps import ROOT, SetupError

FOLDER = ROOT / ".local" / "bench"
DOCUMENT = ROOT / "docs" / "BENCHMARKS.md"

RACES: dict[str, Callable[[Bench], Measured]] = {
    "publish-a": partial(publishing.publish, name="a"),
    "publish-b": partial(publishing.publish, name="b"),
    "publish-c": partial(publishing.publish, name="c"),
    "sync-a": partial(fetching.sync, name="a", tls=False),
    "sync-b": partial(fetching.sync, name="b", tls=True),
    "sync-c": partial(fetching.sync, name="c", tls=True),
    "wide": partial(fetching.wide, loss=False),
    "wide-loss": partial(fetching.wide, loss=True),
    "update": following.update,
    "unchanged": following.unchanged,
    "remote-index": following.remote_index,
    "rest": resting.rest,
}
_ON_A_LINK = ("wide", "wide-loss")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--runs", type=click.IntRange(min=1), default=5, show_default=True, help="Rounds of each race.")
@click.option("--only", multiple=True, type=click.Choice([*RACES]), help="One race; repeatable. All by default.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of tables.")
@click.option("--write", is_flag=True, help="Put the tables into docs/BENCHMARKS.md too; not with --only.")
def main(runs: int, only: tuple[str, ...], as_json: bool, write: bool) -> None:
    """Measure both commands beside the other programs that are installed, over real servers on this machine."""
    if write and only:
        raise click.UsageError("--write is for all races of one run: leave out --only")
    signal.signal(signal.SIGTERM, _end)
    said = Console(stderr=True)
    facts = table.machine() | {"load before": table.load()}
    try:
        with _alone():
            races = _measure(runs, [name for name in RACES if name in (only or RACES)], said)
        facts["load after"] = table.load()
        if write:
            table.write(races, runs, facts, DOCUMENT)
    except (BenchError, ChildError, SetupError, DeliveryError) as error:
        said.print(f"bench: {error}", markup=False, highlight=False)
        sys.exit(1)
    if as_json:
        click.echo(json.dumps(table.as_json(races, runs, facts), ensure_ascii=False))
    else:
        out = Console()
        table.print_tables(races, out if out.is_terminal else Console(width=130))


@contextmanager
def _alone() -> Iterator[None]:
    """One benchmark at a time in this tree: they would measure each other. BenchError for a second one."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BenchError("another benchmark of this tree is running") from None
        yield


def _measure(runs: int, names: list[str], said: Console) -> dict[str, Measured]:
    measured: dict[str, Measured] = {}
    with Bench.open(FOLDER, runs) as bench:
        for name in names:
            reason = obstacle() if name in _ON_A_LINK else None
            said.print(f"{name} …" if reason is None else f"{name} is left out: {reason}", highlight=False)
            if reason is None:
                measured[name] = RACES[name](bench)
    return measured


def _end(number: int, frame: FrameType | None) -> None:
    """SIGTERM is Ctrl-C: servers and namespaces are taken away first."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
