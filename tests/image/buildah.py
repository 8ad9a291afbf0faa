"""Builds the loader's image as users do, with buildah, on bases and with wheels that are on this machine."""

from __future__ import annotations

import functools
import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from tools.setup import image
from tools.setup.steps import ROOT

DOCKERFILE = ROOT / "infra" / "loader" / "Dockerfile"
BUILD_BASE, RUNTIME_BASE = "localhost/build", "localhost/runtime"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Buildah:
    """Images in a storage of their own below `folder`; needs root."""

    def __init__(self, folder: Path, command: Path) -> None:
        self._command = (command, "--storage-driver=vfs", f"--root={folder / 'storage'}", f"--runroot={folder / 'run'}")

    def import_base(self, name: str, archive: Path) -> None:
        """An image whose files are those of an archive."""
        container = self._said("from", "scratch")
        self._said("add", "--quiet", container, archive, "/")
        self._said("config", f"--env=PATH={PATH}", container)
        self._said("commit", "--quiet", "--rm", "--timestamp=0", container, name)

    def build(self, name: str, wheels: Path, **arguments: str) -> None:
        """The Dockerfile's image. pip finds its packages in the folder `wheels`, which is served on loopback."""
        with _served(wheels) as url:
            given = {
                "BUILD_BASE": BUILD_BASE,
                "RUNTIME_BASE": RUNTIME_BASE,
                "PIP_NO_INDEX": "1",
                "PIP_FIND_LINKS": url,
                **arguments,
            }
            offline = ("--isolation=chroot", "--pull-never", "--http-proxy=false")
            options = (*offline, "--timestamp=0", "--no-cache", f"--file={DOCKERFILE}")
            values = [f"--build-arg={key}={value}" for key, value in given.items()]
            self._said("bud", "--quiet", *options, *values, f"--tag={name}", ROOT)

    def inspect(self, name: str) -> Mapping[str, Any]:
        """The OCI configuration of an image, and its digest as `FromImageID`."""
        said: dict[str, Any] = json.loads(self._said("inspect", "--type=image", name))
        return {"id": said["FromImageID"], **said["OCIv1"]}

    def unpack(self, name: str) -> Path:
        """All files of an image, in a container that may be written to."""
        return Path(self._said("mount", self._said("from", "--pull-never", name)))

    def _said(self, *arguments: str | Path) -> str:
        done = subprocess.run([*self._command, *arguments], capture_output=True, text=True, check=False, timeout=240)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()


def with_bases(folder: Path, command: Path, bases: Path) -> Buildah:
    """A storage that has both bases."""
    made = Buildah(folder, command)
    made.import_base(BUILD_BASE, bases / image.BUILD)
    made.import_base(RUNTIME_BASE, bases / image.RUNTIME)
    return made


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """The URL of a list of a folder's files, which a build reaches: it has this machine's network."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
