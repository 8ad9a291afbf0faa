"""kubeconform, on the schemas of an API server."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Kubeconform:
    """The program, and where its schemas are."""

    program: Path
    schemas: str

    def faults(self, manifests: str) -> list[str]:
        """What is wrong with YAML documents, a sentence each."""
        options = ("-strict", "-output", "json", "-schema-location", self.schemas)
        done = subprocess.run([self.program, *options], input=manifests, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        return [one["msg"] for one in json.loads(done.stdout)["resources"]]
