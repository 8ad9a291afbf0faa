"""The commands of the others, each as its own manual says it is fast, and which of them are installed.

They verify nothing and bring nothing to the disk for good; curl, which is the least that has to be done, is the floor.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from artifact.paths import MANIFEST
from tools.bench.sets import FEATURE, Set

INSTALL = {
    "curl": "apt-get install curl",
    "aria2c": "apt-get install aria2",
    "rclone": "apt-get install rclone",
    "azcopy": "it is in the npm package @azure-tools/azcopy-linux, and needs libsecret-1-0",
}
"""How to get each."""

UPLOADS = 16
DOWNLOADS = 16
"""Transfers at once, for those who are told; on one machine more are no faster."""


def missing(names: Iterable[str]) -> dict[str, str]:
    """Those that are not installed, and how to get them."""
    return {name: f"not installed ({INSTALL[name]})" for name in names if shutil.which(name) is None}


@dataclass(frozen=True, slots=True)
class Upload:
    """Where a set goes: a container's URL, and a SAS for it without the question mark."""

    container: str
    sas: str

    def curl(self, files: Set, work: Path) -> list[str | Path]:
        """One PUT a file."""
        target = f"{self.container}/{FEATURE}/{files.version}"
        lines = [
            f"url = {_quoted(f'{target}/{path}?{self.sas}')}\nupload-file = {_quoted(files.folder / path)}"
            for path in (MANIFEST, *files.files)
        ]
        configuration = _written(work / "curl-upload.txt", lines)
        headers = ("-H", "x-ms-blob-type: BlockBlob", "-H", "Expect:")
        return [*_curl(UPLOADS), *headers, "--config", configuration]

    def rclone(self, files: Set) -> list[str | Path]:
        transfers = ("--transfers", str(UPLOADS), "--checkers", str(UPLOADS), "--no-traverse")
        remote = f":azureblob:{self.container.rpartition('/')[2]}/{FEATURE}/{files.version}"
        sas = f"{self.container}?{self.sas}"
        return ["rclone", "copy", files.folder, remote, "--azureblob-sas-url", sas, *transfers]

    def azcopy(self, files: Set) -> list[str | Path]:
        target = f"{self.container}/{FEATURE}/{files.version}?{self.sas}"
        quiet = ("--output-level", "quiet", "--log-level", "NONE", "--skip-version-check")
        return ["azcopy", "copy", f"{files.folder}/*", target, "--recursive", "--from-to", "LocalBlob", *quiet]


@dataclass(frozen=True, slots=True)
class Download:
    """Where a set comes from (the feature's URL, with a slash at its end), and whom to believe about it."""

    base: str
    authority: Path

    def curl(self, files: Set, target: Path, work: Path, *, at_once: int, packed: bool = False) -> list[str | Path]:
        """HTTP/1.1, one exchange at a time on each of `at_once` connections; `packed` asks for gzip."""
        configuration = self._curl_list(self._paths(files), target, work / "curl.txt")
        asked = ["--compressed"] if packed else []
        return [*self._curl(at_once), "--http1.1", *asked, "--config", configuration]

    def curl_h2(self, files: Set, target: Path, work: Path, *, connections: int) -> list[str | Path]:
        """HTTP/2 with gzip: each connection is a process with its share of the files."""
        paths = self._paths(files)
        words = [*map(str, self._curl(100)), "--http2", "--compressed", "--config"]
        program = " ".join(f"'{word}'" for word in words)
        lists = [
            self._curl_list(paths[number::connections], target, work / f"curl-h2-{number}.txt")
            for number in range(connections)
        ]
        started = " ".join(f'{program} "${number}" & p{number}=$!;' for number in range(1, connections + 1))
        awaited = " && ".join(f"wait $p{number}" for number in range(1, connections + 1))
        return ["sh", "-c", f"{started} {awaited}", "sh", *lists]

    def aria2c(self, files: Set, target: Path, work: Path) -> list[str | Path]:
        lines = [f"{self.base}{path}\n  dir={target}\n  out={path}" for path in self._paths(files)]
        listed = _written(work / "aria2c.txt", lines)
        plain = ("--no-conf", "--quiet", "--file-allocation=none", "--split=1", "--max-connection-per-server=16")
        return ["aria2c", *plain, f"-j{DOWNLOADS}", f"--ca-certificate={self.authority}", f"--input-file={listed}"]

    def rclone(self, target: Path) -> list[str | Path]:
        transfers = ("--transfers", str(DOWNLOADS), "--checkers", str(DOWNLOADS), "--http-no-head")
        return ["rclone", "copy", ":http:", target, "--http-url", self.base, "--ca-cert", self.authority, *transfers]

    def _curl(self, at_once: int) -> list[str | Path]:
        return [*_curl(at_once), "--create-dirs", "--cacert", self.authority]

    def _paths(self, files: Set) -> list[str]:
        return ["releases.json", *(f"{files.version}/{path}" for path in (MANIFEST, *files.files))]

    def _curl_list(self, paths: Iterable[str], target: Path, place: Path) -> Path:
        lines = [f"url = {_quoted(self.base + path)}\noutput = {_quoted(target / path)}" for path in paths]
        return _written(place, lines)


def environment(work: Path) -> Mapping[str, str]:
    """What keeps the others from this user's own settings and folders."""
    own = str(work / "peers")
    return {
        "RCLONE_CONFIG": os.devnull,
        "AZCOPY_LOG_LOCATION": own,
        "AZCOPY_JOB_PLAN_LOCATION": own,
        "AZCOPY_DISABLE_SYSLOG": "true",
    }


def _curl(at_once: int) -> list[str | Path]:
    return ["curl", "-q", "--fail", "--no-progress-meter", "--parallel", "--parallel-max", str(at_once)]


def _quoted(value: str | Path) -> str:
    """As curl's configuration files have it."""
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _written(path: Path, lines: Iterable[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
