"""What is done to one loader: to its process, its clock, its disk, and the files below its root."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

from tests.soak.faults import Begin, Fault
from tests.soak.loaders import Loader
from tests.soak.releases import FEATURES
from tests.soak.stage import RESTLESS, SMALL, Stage

AWAIT_SECONDS = 30.0
DAY = 86400

Meddle = Callable[[Loader, Random], Iterator[None]]


def _with(name: str, meddle: Meddle) -> Begin:
    @contextmanager
    def begin(stage: Stage, rng: Random) -> Iterator[None]:
        yield from meddle(stage.loaders[name], rng)

    return begin


# The process


def _killed(loader: Loader, rng: Random) -> Iterator[None]:
    loader.kill()
    yield
    loader.start()


def _told_to_end(loader: Loader, rng: Random) -> Iterator[None]:
    loader.end()
    yield
    loader.start()


def _paused(loader: Loader, rng: Random) -> Iterator[None]:
    loader.pause()
    yield
    loader.resume()


def _succeeded(loader: Loader, rng: Random) -> Iterator[None]:
    """L11: of two on the same root one waits, the first where it had only just begun; the second goes on alone."""
    second = Loader(loader.name, loader.root, loader.trust, loader.kubeconfig, loader.log, loader.tally)
    second.start()
    try:
        if _until(lambda: _waits(loader) != _waits(second)):
            loader.tally.checked("second loaders on a root, of which one waited")
        else:
            loader.tally.offend(f"{loader.name}: of two loaders on its root not exactly one waits")
        yield
        loader.kill() if rng.random() < 0.5 else loader.end()
    except BaseException:
        second.kill()
        raise
    loader.succeed(second)


def _waits(loader: Loader) -> bool:
    return b"another loader" in loader.ask("/readyz")[1]


# The clock


def _wrong_clock(stage: Stage, name: str, rng: Random) -> Iterator[None]:
    """Started anew with a clock that jumps; and started anew with the right one. What left its list goes too early."""
    loader, reader, moment = stage.loaders[name], stage.readers[name], stage.folder / f"{name}.clock"
    reader.excuse(*FEATURES)
    moment.write_text(_offset(rng), "ascii")
    loader.end()
    loader.start([sys.executable, "-m", "tests.soak.clock", moment])
    over = threading.Event()
    jumps = threading.Thread(target=_jump, args=(moment, over, rng), daemon=True)
    jumps.start()
    yield
    over.set()
    jumps.join()
    loader.end()
    loader.start()
    reader.expect(*FEATURES)


def _jump(moment: Path, over: threading.Event, rng: Random) -> None:
    while not over.wait(rng.uniform(1, 4)):
        moment.write_text(_offset(rng), "ascii")


def _offset(rng: Random) -> str:
    """Seconds: some days or minutes, forward or back."""
    return str(rng.choice((-3 * DAY, 3 * DAY, -2400, 2400, -60, 60, 0)))


# The disk


def _full_disk(stage: Stage, rng: Random) -> Iterator[None]:
    """Not a byte is left for a while."""
    assert stage.small is not None
    filler = stage.small / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(64 * 1024)):
            continue
    yield
    filler.unlink()


def _damaged(stage: Stage, name: str, rng: Random) -> Iterator[None]:
    """Somebody's hand below the root, and SIGHUP."""
    loader, reader = stage.loaders[name], stage.readers[name]
    standing = sorted(path.parent.name for path in loader.root.glob("*/releases.json"))
    if standing and loader.is_ready:
        feature_id = rng.choice(standing)
        reader.excuse(feature_id)
        with suppress(FileNotFoundError):  # the loader itself took it away just now
            rng.choice(_DAMAGES)(loader.root / feature_id, rng)
        loader.look_again()
        reader.expect(feature_id)
    yield


def _some_version(feature: Path, rng: Random) -> Path:
    return rng.choice(sorted(path for path in feature.iterdir() if path.is_dir()))


def _delete_a_file(feature: Path, rng: Random) -> None:
    (_some_version(feature, rng) / "assets/shared.bin").unlink()


def _edit_a_file(feature: Path, rng: Random) -> None:
    with (_some_version(feature, rng) / "own.bin").open("r+b") as file:
        file.write(b"edited")


def _cut_a_manifest(feature: Path, rng: Random) -> None:
    with (_some_version(feature, rng) / "manifest.json").open("r+b") as file:
        file.truncate(100)


def _add_a_file(feature: Path, rng: Random) -> None:
    (_some_version(feature, rng) / "stranger.txt").write_text("hello")


def _delete_a_version(feature: Path, rng: Random) -> None:
    shutil.rmtree(_some_version(feature, rng))


def _delete_the_index(feature: Path, rng: Random) -> None:
    (feature / "releases.json").unlink()


def _empty_the_index(feature: Path, rng: Random) -> None:
    (feature / "releases.json").write_bytes(b"")


def _delete_all(feature: Path, rng: Random) -> None:
    shutil.rmtree(feature)


_DAMAGES = (
    _delete_a_file, _edit_a_file, _cut_a_manifest, _add_a_file, _delete_a_version, _delete_the_index, _empty_the_index,
    _delete_all,
)  # fmt: skip


def meddling(stage: Stage) -> Mapping[str, Fault]:
    """By name: what can be done here; what cannot is told to the tally."""
    found: dict[str, Fault] = {}
    for name in (RESTLESS, SMALL):
        found[f"loader {name}: SIGKILL, later started"] = Fault(name, _with(name, _killed), 0, 10, 3)
        found[f"loader {name}: SIGTERM, later started"] = Fault(name, _with(name, _told_to_end), 0, 10, 2)
        found[f"loader {name}: SIGSTOP, later SIGCONT"] = Fault(name, _with(name, _paused), 1, 15, 2)
        found[f"loader {name}: a second one on its root, then its death"] = Fault(
            name, _with(name, _succeeded), 1, 5, 2
        )
        found[f"loader {name}: files damaged"] = Fault(name, _at(name, _damaged), 0, 0, 4)
        found[f"loader {name}: its clock jumps"] = Fault(name, _at(name, _wrong_clock), 5, 20, 1)
    if stage.small is not None:
        found[f"loader {SMALL}: its disk is full"] = Fault(SMALL, contextmanager(_full_disk), 1, 15, 3)
    stage.tally.left_out.append("rights taken from directories: nothing is denied to a loader that runs as root")
    return found


def _at(name: str, meddle: Callable[[Stage, str, Random], Iterator[None]]) -> Begin:
    @contextmanager
    def begin(stage: Stage, rng: Random) -> Iterator[None]:
        yield from meddle(stage, name, rng)

    return begin


def _until(is_so: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + AWAIT_SECONDS
    while time.monotonic() < deadline:
        if is_so():
            return True
        time.sleep(0.1)
    return False
