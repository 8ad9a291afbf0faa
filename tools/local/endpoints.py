"""`.local/endpoints.json` (C7): where the parts of a running local pipeline are."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = "endpoints.json"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What C7 names, in its order. Files by absolute path; `functions` is without `/api`."""

    blob_endpoint: str
    connection_string: str
    functions: str
    function_key: str
    function_keys: Mapping[str, str]
    edge: str
    remote_index: str
    trust_keys: Path
    build_key: Path
    build_key_id: str
    purge_log: Path
    pids: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """The document of C7."""
        return {
            "blobEndpoint": self.blob_endpoint,
            "connectionString": self.connection_string,
            "functions": self.functions,
            "functionKey": self.function_key,
            "functionKeys": dict(self.function_keys),
            "edge": self.edge,
            "remoteIndex": self.remote_index,
            "trustKeys": str(self.trust_keys),
            "buildKey": str(self.build_key),
            "buildKeyId": self.build_key_id,
            "purgeLog": str(self.purge_log),
            "pids": dict(self.pids),
        }

    def write(self, path: Path) -> None:
        """Put the document at `path`, readable by its owner alone; a reader sees all of it or nothing."""
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        write_private(partial, json.dumps(self.as_json(), indent=2) + "\n")
        partial.replace(path)

    @classmethod
    def read(cls, path: Path) -> Endpoints:
        """Read the document at `path`; FileNotFoundError where no pipeline runs."""
        document = json.loads(path.read_text("utf-8"))
        return cls(
            blob_endpoint=document["blobEndpoint"],
            connection_string=document["connectionString"],
            functions=document["functions"],
            function_key=document["functionKey"],
            function_keys=document["functionKeys"],
            edge=document["edge"],
            remote_index=document["remoteIndex"],
            trust_keys=Path(document["trustKeys"]),
            build_key=Path(document["buildKey"]),
            build_key_id=document["buildKeyId"],
            purge_log=Path(document["purgeLog"]),
            pids=document["pids"],
        )


def write_private(path: Path, text: str) -> None:
    """Write `text` to a file that only its owner may read, from its first byte on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
