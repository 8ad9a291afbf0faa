"""`watch` as a process of its own that meets an update."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.loader_cdn.command import start, sync_arguments
from tests.loader_cdn.scenarios import INDEX, Scenario
from tests.reference_host.asking import eventually
from tests.simulator.environment import Delivery

Process = subprocess.Popen[str]


@contextmanager
def watching(site: Delivery, ready: Path, *more: str, before: Sequence[str | Path] = ()) -> Iterator[Process]:
    """`watch`, from the end of its first pass to the end of the block."""
    ready.unlink(missing_ok=True)
    arguments = [one for one in sync_arguments(site)[1:] if one != "--json"]
    process = start("watch", *arguments, "--poll", "1", "--ready-file", ready, *more, before=before)
    try:
        await_(process, ready.exists)
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)


@contextmanager
def sidecar(scenario: Scenario, ready: Path, before: Sequence[str | Path] = ()) -> Iterator[Process]:
    """`watch` on a root where nothing was to be done in its first pass, and that is told now to look again."""
    scenario.restart()
    scenario.site.cdn.replay(scenario.earlier)
    with watching(scenario.site, ready, before=before) as process:
        scenario.site.cdn.heal()
        process.send_signal(signal.SIGHUP)
        yield process


def await_update(scenario: Scenario, process: Process) -> None:
    """Until the index is the new one, and what it withdrew is gone."""
    root = scenario.site.root
    gone = {root.joinpath(*path.split("/")[:2]) for path in scenario.old.keys() - scenario.new.keys()}
    await_(process, lambda: (root / INDEX).read_bytes() == scenario.new[INDEX])
    await_(process, lambda: not any(folder.exists() for folder in gone))


def await_(process: Process, look: Callable[[], bool]) -> None:
    """Until it is so; the process must live on."""
    assert eventually(lambda: look() or process.poll() is not None)
    assert process.poll() is None, "it has ended"
