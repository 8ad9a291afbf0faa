"""The Node that tests of the host run, and whether the examples are built."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests import parts
from tools.setup import node

EXAMPLES = Path(__file__).parents[2] / "examples"
HOST = EXAMPLES / "host"


def found() -> Path:
    """Node; without it the test is skipped, and with CI=true it fails."""
    chosen = node.find()
    return chosen.node if chosen is not None else parts.missing("Node", "make install")


def built() -> Path:
    """examples/dist, as `make examples` leaves it beside the packages that the host uses; missing as above."""
    dist = EXAMPLES / "dist"
    if not dist.is_dir() or not (EXAMPLES / "node_modules" / "chokidar").is_dir():
        parts.missing("examples/dist", "make examples")
    return dist


def run(*words: str | Path, folder: Path = EXAMPLES) -> str:
    """What a program in Node writes to standard output; it must end well."""
    done = subprocess.run(
        [found(), *words], cwd=folder, env={**os.environ, "NODE_NO_WARNINGS": "1"}, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
