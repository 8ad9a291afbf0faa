"""Runs an image's command as a cluster would: process 1, without rights, on a read-only root file system."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.loader_cdn.command import Ended, end

MOUNTED = "/artifacts"
USER = 65532

_START = """
set -e
mount --bind "$1" "$1"
mount --bind "$2" "$1$3"
mount -o remount,bind,ro "$1"
exec chroot --userspec="$4:$4" --groups= "$1" "${@:5}"
"""


@dataclass(frozen=True, slots=True)
class Container:
    """The unpacked files of an image, with its environment and its entrypoint. It has this machine's network."""

    files: Path
    environment: dict[str, str]
    entrypoint: Sequence[str]

    def run(self, *arguments: str | Path, mounted: Path, user: int = USER) -> Ended:
        """The entrypoint with `arguments`, to its end. The folder `mounted` is at MOUNTED, and is the user's."""
        return end(self.start(*self.entrypoint, *arguments, mounted=mounted, user=user))

    def start(self, *command: str | Path, mounted: Path, user: int = USER) -> subprocess.Popen[str]:
        """Any command in the image; to be ended with `end`."""
        (self.files / MOUNTED[1:]).mkdir(exist_ok=True)
        mounted.mkdir(exist_ok=True)
        os.chown(mounted, user, user)
        isolated = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-c", _START, "container")
        return subprocess.Popen(
            [*isolated, self.files, mounted, MOUNTED, str(user), *command],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def terminate(process: subprocess.Popen[str]) -> None:
    """SIGTERM for the command of a started container, as a cluster sends it to process 1."""
    (first,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
    os.kill(int(first), signal.SIGTERM)
