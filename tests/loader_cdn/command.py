"""The `feature-loader` command, as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from tests.simulator.environment import Delivery

COMMAND = Path(sys.executable).with_name("feature-loader")


@dataclass(frozen=True, slots=True)
class Ended:
    """How it ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which is one JSON document."""
        return json.loads(self.out)


def run(*arguments: str | Path, **environment: str) -> Ended:
    """Run the command to its end."""
    done = subprocess.run(
        [COMMAND, *arguments], capture_output=True, text=True, env=_environment(environment), check=False, timeout=60
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def start(
    *arguments: str | Path,
    before: Sequence[str | Path] = (),
    stderr: int | IO[str] = subprocess.PIPE,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[str]:
    """Start the command, behind another one where `before` is given; to be ended with `end`."""
    return subprocess.Popen(
        [*before, COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        env=_environment(environment or {}),
    )


def end(process: subprocess.Popen[str]) -> Ended:
    """Wait for a started command."""
    out, err = process.communicate(timeout=60)
    return Ended(process.returncode, out, err)


def sync_arguments(site: Delivery, *more: str | Path) -> list[str | Path]:
    """`sync --json` of all that the site's remote index lists. The command has no clock of the tests' making, so the
    site's is set to the real one."""
    site.world.clock.now = datetime.now(UTC)
    trust = json.dumps(site.world.keys.trust_document())
    remote_index = site.cdn.url + "remote-index.json"
    return ["sync", "--json", "--root", site.root, "--trust-keys", trust, "--remote-index", remote_index, *more]


def _environment(added: Mapping[str, str]) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("FEATURE_")}
    return {**own, **added}
