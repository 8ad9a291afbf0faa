"""The file-system calls of the unchanged command: seen, and made to fail or to kill, by strace."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

CHANGING = (
    "openat", "write", "writev", "pwrite64", "ftruncate", "utimensat", "copy_file_range", "sendfile",
    "mkdir", "mkdirat", "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat",
    "unlink", "unlinkat", "rmdir", "fsync", "fdatasync", "syncfs",
)  # fmt: skip
"""What may change or sync something on a disk, by the kernel's names."""

_LINE = re.compile(r"(\w+)\((.*)\)\s+= (-?\d+|\?)", re.DOTALL)
_TOKEN = re.compile(r'(?:AT_FDCWD|\d+)<([^>]*)>|"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Call:
    """One call that changes or syncs something below a root.

    `number` counts the calls of its name in its thread, as strace's `when` does. `paths` are absolute, that of a
    descriptor included; `data` is what is written; `is_done` is False where the kernel refused it.
    """

    name: str
    number: int
    paths: tuple[str, ...]
    flags: str
    data: bytes
    is_done: bool

    def __str__(self) -> str:
        return f"{self.name} {self.number} ({' '.join(self.paths)})"


def tracing(strace: Path, log: Path) -> list[str | Path]:
    """What to put before a command so that `calls` can read its log."""
    names = ",".join(CHANGING)
    return [*_strace(strace, log), "-y", "-s", "1000000", "-e", f"trace={names}"]


def failing(strace: Path, log: Path, **faults: str) -> list[str | Path]:
    """What to put before a command: calls of these names fail, as strace's `inject` says; `was_hit` tells whether."""
    injected = [word for name, fault in faults.items() for word in ("-e", f"inject={name}:{fault}")]
    return [*_strace(strace, log), "-e", f"trace={','.join(faults)}", *injected]


def was_hit(log: Path) -> bool:
    """Whether a call failed that was to fail."""
    return "(INJECTED)" in log.read_text("latin-1")


def killing(strace: Path, point: Call) -> list[str | Path]:
    """What to put before a command: it dies before this call. (Where seccomp is used, strace can send no signal.)"""
    kill = f"inject={point.name}:signal=KILL:when={point.number}"
    return [*_strace(strace, "/dev/null", "-f"), "-e", f"trace={point.name}", "-e", kill]


def _strace(strace: Path, log: Path | str, *options: str) -> list[str | Path]:
    """Beside the command, not above it: whoever starts it sees its own process id and status."""
    return [strace, "-D", "-qq", *(options or ("-f", "--seccomp-bpf")), "-o", log]


def calls(log: Path, root: Path) -> list[Call]:
    """What a traced command did below `root`, in order. It does all of it in one thread."""
    numbers: Counter[tuple[str, str]] = Counter()
    found = []
    threads = set()
    for thread, text in _lines(log):
        match = _LINE.match(text)
        if match is None:
            continue
        name, arguments, result = match.groups()
        numbers[thread, name] += 1
        paths, data = _paths(name, arguments)
        if not paths or not all(Path(path).is_relative_to(root) for path in paths):
            continue
        if name == "openat" and "O_CREAT" not in arguments:
            continue
        threads.add(thread)
        found.append(Call(name, numbers[thread, name], paths, arguments, data, not result.startswith("-")))
    assert len(threads) == 1, "strace counts by thread: `when` would hit another call"
    return found


def _lines(log: Path) -> Iterator[tuple[str, str]]:
    """Whole calls, with their thread: strace tells one that takes long in two halves."""
    halves: dict[str, str] = {}
    for line in log.read_text("latin-1").splitlines():
        thread, text = line.split(maxsplit=1)
        if text.endswith("<unfinished ...>"):
            halves[thread] = text.removesuffix("<unfinished ...>").rstrip()
            continue
        if text.startswith("<... "):
            text = halves.pop(thread) + text.partition(" resumed>")[2]
        yield thread, text


def _paths(name: str, arguments: str) -> tuple[tuple[str, ...], bytes]:
    """The paths that a call names, and what it writes."""
    tokens = [(descriptor, _unescaped(text)) for descriptor, text in _TOKEN.findall(arguments)]
    if name in ("write", "writev", "pwrite64"):
        return (tokens[0][0],), b"".join(text for _, text in tokens[1:])
    paths: list[str] = []
    folder: str | None = None
    for descriptor, text in tokens:
        if descriptor:
            folder = descriptor
        else:
            paths.append(os.path.join(folder or "", os.fsdecode(text)))  # noqa: PTH118
            folder = None
    return tuple(paths) if paths or folder is None else (folder,), b""


def _unescaped(text: str) -> bytes:
    return text.encode("latin-1").decode("unicode_escape").encode("latin-1")


def from_here_on(made: Iterable[Call], point: Call, names: Iterable[str]) -> dict[str, int]:
    """For each of these names, the number of its first call that is not before `point`."""
    numbers = dict.fromkeys(names, 1)
    for call in made:
        if call is point:
            break
        if call.name in numbers:
            numbers[call.name] = call.number + 1
    return numbers


def copy(source: Path, target: Path) -> None:
    """`target` becomes what `source` is, hard links and times too."""
    subprocess.run(["rm", "-rf", target], check=True)
    if source.exists():
        subprocess.run(["cp", "-a", source, target], check=True)
