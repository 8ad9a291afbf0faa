"""`cdn-release` as a user runs it: a process, a folder as destination, keys in files."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.versions import Keys, version_directory

COMMAND = [sys.executable, "-c", "from publisher.cli.main import main; main()"]


@dataclass
class Shell:
    """A folder to work in, and the command."""

    folder: Path
    keys: Keys
    destination: str

    def run(self, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """One call, with the destination and the release key as variables."""
        environment = {
            "PATH": "/usr/bin:/bin",
            "CDN_RELEASE_TO": self.destination,
            "CDN_RELEASE_TRUST_KEYS": str(self.folder / "keys" / "trust.json"),
            "CDN_RELEASE_KEY": str(self.folder / "keys" / "release.pem"),
            "CDN_RELEASE_KEY_ID": "release-test",
            "CDN_RELEASE_ACTOR": "tester",
            **variables,
        }
        given = [str(argument) for argument in arguments]
        return subprocess.run(
            [*COMMAND, *given], env=environment, cwd=self.folder, capture_output=True, text=True, check=False
        )

    def json(self, *arguments: str | Path, status: int = 0, **variables: str) -> dict[str, Any]:
        """The document of `--json`."""
        answer = self.run(*arguments, "--json", **variables)
        assert answer.returncode == status, answer.stderr
        document: dict[str, Any] = json.loads(answer.stdout)
        return document

    def directory(self, version: str = "1.0.0", **settings: Any) -> Path:
        return version_directory(self.folder / "dist", self.keys.build, version=version, **settings)
