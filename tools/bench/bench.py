"""What all races share: sets, keys, certificates, a folder to work in, and our own two commands."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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
    """`runs` rounds a race. `work` is emptied at the start."""

    runs: int
    work: Path
    keys: SigningKeys
    sets: dict[str, Set]
    tls: Certificates

    @classmethod
    def open(cls, folder: Path, runs: int) -> Bench:
        """With what `folder` keeps of earlier runs."""
        work = folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        keys = signing_keys(folder / "keys")
        tls = certificates(work / "tls", ("127.0.0.1", SERVER))
        return cls(runs, work, keys, make(folder / "sets", keys), tls)

    @property
    def target(self) -> Path:
        """Where everybody writes what is fetched."""
        return self.work / "target"

    def sign(self, files: Set) -> list[str | Path]:
        return [VENV / "bin" / PUBLISHER, "sign", files.folder, "--key", self.keys.build, "--key-id", BUILD_KEY_ID]

    def publish(self, files: Set, to: str) -> list[str | Path]:
        keys = ("--trust-keys", self.keys.trust, "--key", self.keys.release, "--key-id", RELEASE_KEY_ID)
        return [VENV / "bin" / PUBLISHER, "publish", files.folder, "--to", to, *keys]

    def sync(self, *sources: str) -> list[str | Path]:
        return [VENV / "bin" / LOADER, "sync", "--root", self.target, "--trust-keys", self.keys.trust, *sources]

    def loader(self, sources: Sequence[str], **more: Callable[[], None]) -> Contestant:
        """`feature-loader sync` from `sources`, which are its flags."""
        return Contestant(LOADER, [self.sync(*sources)], {"SSL_CERT_FILE": str(self.tls.authority)}, **more)

    def published(self, files: Set, tree: Path) -> None:
        """Put a set into a folder, as a web server serves it. BenchError where that fails."""
        run(Contestant(PUBLISHER, [self.publish(files, tree.as_uri())]))

    def empty_target(self) -> None:
        shutil.rmtree(self.target, ignore_errors=True)
        self.target.mkdir()

    def check_target(self, files: Set, folder: Path) -> None:
        """All of the set is in `folder`, where versions are, by its sizes. BenchError where it is not."""
        for path, size in files.files.items():
            file = folder / files.version / path
            if not file.is_file() or file.stat().st_size != size:
                raise BenchError(f"{path} was not fetched whole")
        for file in (folder / files.version / MANIFEST, folder / POINTER):
            json.loads(file.read_bytes())


def feature_flag(server: str) -> tuple[str, str]:
    """The loader's flags for the sets' feature behind `server`."""
    return ("--feature", f"{FEATURE}={server}/{FEATURE}/")
