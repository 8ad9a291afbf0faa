"""Helm, as a person or a GitOps controller runs it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHARTS = Path(__file__).resolve().parents[2] / "infra" / "charts"

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Helm:
    """The program; its caches and the values files that it is given are in `folder`."""

    program: Path
    folder: Path

    def run(self, *words: str | Path, values: tuple[Values, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Run a command to its end. Of two `values` the later one wins, member by member."""
        files: list[str | Path] = []
        for number, one in enumerate(values):
            file = self.folder / f"values-{number}.yaml"
            file.write_text(yaml.safe_dump(dict(one)), "utf-8")
            files += ["--values", file]
        environment = os.environ | {"HOME": str(self.folder)}
        command = [self.program, *words, *files]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def template(self, chart: Path, *values: Values, release: str = "test") -> list[Any]:
        """The objects that a chart makes. HelmError."""
        return list(yaml.safe_load_all(self.text(chart, *values, release=release)))

    def text(self, chart: Path, *values: Values, release: str = "test") -> str:
        """The same as text. HelmError."""
        return succeeded(self.run("template", release, chart, values=values))

    def refusal(self, chart: Path, *values: Values) -> str:
        """What a person is told who gives values that the chart does not take."""
        done = self.run("template", "test", chart, values=values)
        assert done.returncode != 0, done.stdout
        return done.stderr


class HelmError(Exception):
    """Helm failed; `str()` is what it said."""


def succeeded(done: subprocess.CompletedProcess[str]) -> str:
    """What a command wrote to standard output. HelmError."""
    if done.returncode != 0:
        raise HelmError(done.stderr)
    return done.stdout
