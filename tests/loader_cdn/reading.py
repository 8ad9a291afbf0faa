"""A host that reads: the index, and all that it lists."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from artifact.manifest import parse_manifest
from artifact.paths import MANIFEST, Limits
from artifact.releases import POINTER, parse_releases


@dataclass
class Reads:
    """How often all was read, and what was missing or partial."""

    rounds: int = 0
    faults: list[str] = field(default_factory=list)


@contextmanager
def reading(folder: Path) -> Iterator[Reads]:
    """Reads a feature without pause while the block runs (T33)."""
    reads = Reads()
    done = threading.Event()

    def read() -> None:
        while not done.is_set() and not reads.faults:
            reads.faults += faults_of(folder)
            reads.rounds += 1

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield reads
    finally:
        done.set()
        reader.join()


def listed(folder: Path) -> list[str]:
    """The versions that the index of a feature lists."""
    data = (folder / POINTER).read_bytes()
    return [entry.version.text for entry in parse_releases(data, where="", limits=Limits()).index.entries]


def faults_of(folder: Path) -> list[str]:
    """What is not whole of a listed version; one that is not listed any more by now does not count."""
    return [version for version in listed(folder) if not is_whole(folder / version) and version in listed(folder)]


def is_whole(version: Path) -> bool:
    """Whether all that its manifest declares is there, byte for byte."""
    try:
        manifest = parse_manifest((version / MANIFEST).read_bytes(), where="", limits=Limits()).manifest
        return all(
            hashlib.sha256((version / path).read_bytes()).digest() == file.sha256
            for path, file in manifest.files.items()
        )
    except FileNotFoundError:
        return False
