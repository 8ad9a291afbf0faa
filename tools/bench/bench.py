"""What all races share: sets, keys, certificates, a folder to work in, and our own two commands."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from artifact.paths import MANIFEST
from artifact.releases import POINTER
from tools.bench.link import SERVER
from tools.bench.measure import BenchError, Contestant, Results, run
from tools.bench.sets import FEATURE, Set, make
from tools.bench.tls import Certificates, certificates
from tools.local.keys import BUILD_KEY_ID, RELEASE_KEY_ID, SigningKeys, signing_keys
from tools.setup.steps import VENV

PUBLISHER = "cdn-release"
LOADER = "feature-loader"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, and the most it should be; `goal` is None where there is none, `value` where it was not measured."""

    what: str
    value: float | None
    goal: float | None = None
    unit: str = "×"

    @property
    def is_missed(self) -> bool:
        return self.value is not None and self.goal is not None and self.value > self.goal


@dataclass(slots=True)
class Measured:
    """What one race gave. `title` says what was done, over what."""

    title: str
    results: Results = field(default_factory=Results)
    figures: list[Figure] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Bench:
    """`runs` rounds a race. `work` goes at the end, and not before: ext4 does not use the inodes of files again that
    were deleted in the last minutes, and looks through all of them for each file that is made.
    """

    runs: int
    work: Path
    keys: SigningKeys
    sets: dict[str, Set]
    tls: Certificates
    _numbers: Iterator[int] = field(default_factory=count)

    @classmethod
    @contextmanager
    def open(cls, folder: Path, runs: int) -> Iterator[Bench]:
        """With what `folder` keeps of earlier runs."""
        work = folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        keys = signing_keys(folder / "keys")
        tls = certificates(work / "tls", ("127.0.0.1", SERVER))
        yield cls(runs, work, keys, make(folder / "sets", keys), tls)
        shutil.rmtree(work)

    def new_folder(self, name: str) -> Path:
        """An empty folder that nothing was in before."""
        folder = self.work / f"{name}-{next(self._numbers)}"
        folder.mkdir()
        return folder

    def sign(self, files: Set) -> list[str | Path]:
        return [VENV / "bin" / PUBLISHER, "sign", files.folder, "--key", self.keys.build, "--key-id", BUILD_KEY_ID]

    def publish(self, files: Set, to: str) -> list[str | Path]:
        keys = ("--trust-keys", self.keys.trust, "--key", self.keys.release, "--key-id", RELEASE_KEY_ID)
        return [VENV / "bin" / PUBLISHER, "publish", files.folder, "--to", to, *keys]

    def loader(self, root: Path, sources: Sequence[str], **more: Callable[[], None]) -> Contestant:
        """`feature-loader sync` from `sources`, which are its flags, to `root`."""
        command: list[str | Path] = [VENV / "bin" / LOADER, "sync", "--root", root]
        command += ["--trust-keys", self.keys.trust, *sources]
        return Contestant(LOADER, [command], {"SSL_CERT_FILE": str(self.tls.authority)}, **more)

    def published(self, files: Set, tree: Path) -> None:
        """Put a set into a folder, as a web server serves it. BenchError where that fails."""
        run(Contestant(PUBLISHER, [self.publish(files, tree.as_uri())]))


def check_fetched(files: Set, folder: Path) -> None:
    """All of the set is in `folder`, where versions are, by its sizes. BenchError where it is not."""
    for path, size in files.files.items():
        file = folder / files.version / path
        if not file.is_file() or file.stat().st_size != size:
            raise BenchError(f"{path} was not fetched whole")
    for file in (folder / files.version / MANIFEST, folder / POINTER):
        json.loads(file.read_bytes())


def drop(folder: Path) -> None:
    """Give back the space of all files; they go with the work folder."""
    for file in folder.rglob("*"):
        if file.is_file():
            os.truncate(file, 0)


def feature_flag(server: str) -> tuple[str, str]:
    """The loader's flags for the sets' feature behind `server`."""
    return ("--feature", f"{FEATURE}={server}/{FEATURE}/")
