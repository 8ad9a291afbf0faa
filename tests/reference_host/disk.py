"""Doing to a loader's directory what no loader does."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def alter(file: Path) -> None:
    """One newline more, in a file of its own: what a hard link shares stays as it was."""
    replace(file, file.read_bytes() + b"\n")


def replace(file: Path, data: bytes) -> None:
    """One rename, as the loader swaps."""
    part = file.with_name(f"{file.name}.part")
    part.write_bytes(data)
    os.replace(part, file)


def replace_index(root: Path, feature_id: str, **members: Any) -> None:
    """The release index says something else, under its old signature."""
    pointer = root / feature_id / "releases.json"
    replace(pointer, json.dumps({**json.loads(pointer.read_bytes()), **members}).encode())
