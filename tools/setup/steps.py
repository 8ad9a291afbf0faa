"""Steps that are done once: a step's stamp holds the digest of its inputs, and the same inputs again do nothing."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"


class SetupError(Exception):
    """The set-up cannot go on; `str()` says why and what to do."""


def cache() -> Path:
    """The user's cache for what is built once for all trees."""
    home = os.environ.get("HOME")
    place = os.environ.get("XDG_CACHE_HOME") or (f"{home}/.cache" if home else ROOT / ".local" / "cache")
    return Path(place) / "favn-delivery"


def digest(*inputs: Path | str) -> str:
    """The SHA-256, in hex, over strings and the contents of files, in order."""
    sha = hashlib.sha256()
    for item in inputs:
        data = item.read_bytes() if isinstance(item, Path) else item.encode()
        sha.update(len(data).to_bytes(8, "big") + data)
    return sha.hexdigest()


def once(stamp: Path, inputs: str, title: str, action: Callable[[], None]) -> None:
    """Run `action` unless `stamp` says that it was done with `inputs` (a digest); one line says what is done.

    The stamp lives inside what the action makes, so that both go together.
    """
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == inputs:
        return
    print(f"{title} ...", end=" ", flush=True)
    began = time.monotonic()
    stamp.unlink(missing_ok=True)
    action()
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(inputs, encoding="utf-8")
    print(f"{time.monotonic() - began:.0f} s", flush=True)


def run(*command: str | Path, cwd: Path = ROOT, environment: Mapping[str, str] | None = None) -> None:
    """Run a command in silence. SetupError with all it said where it fails."""
    words: Sequence[str] = [str(word) for word in command]
    try:
        done = subprocess.run(
            words, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    except OSError as error:
        raise SetupError(f"{words[0]}: {error.strerror}") from error
    if done.returncode != 0:
        raise SetupError(f"failed with status {done.returncode}: {' '.join(words)}\n{done.stdout.rstrip()}")


@contextmanager
def alone() -> Iterator[None]:
    """One set-up at a time for this tree; a second one waits. The kernel frees the lock of a killed one."""
    folder = ROOT / ".local"
    folder.mkdir(exist_ok=True)
    with (folder / "setup.lock").open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another set-up of this tree is running; waiting for it", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
