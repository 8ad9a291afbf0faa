"""A disk that loses, at a power cut, what was not synced: what it may hold afterwards.

The calls of a real run are replayed. The model is more pessimistic than any file system in use; only this is certain:

- what a file held when it was synced (fsync, or syncfs on its file system), and
- what names a folder held when the folder was synced.

All else may have reached the disk or not, each thing for itself and in any order. Since its folder was synced last, a
name may stand for any of the things that it stood for in between, or for nothing where there was nothing; a rename is
two such changes, of which one may be there without the other. A file written since may hold what was synced before
(nothing, where nothing was), half of it, as many zeros, or all. That a file is synced says nothing of its name, and
that a folder is synced nothing of the files in it.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from tests.loader_cdn.system_calls import Call

Content = Mapping[str, bytes | None]
"""A whole tree: a file's bytes by its path below the root, None for a folder."""


@dataclass(eq=False, slots=True)
class File:
    """`synced` is certain, `written` is what programs read."""

    written: bytes = b""
    synced: bytes = b""

    @property
    def may_hold(self) -> list[bytes]:
        """The last one is what programs read."""
        if self.written == self.synced:
            return [self.written]
        lost = [self.synced, self.written[: len(self.written) // 2], bytes(len(self.written))]
        return [*(data for data in dict.fromkeys(lost) if data != self.written), self.written]


@dataclass(eq=False, slots=True)
class Folder:
    """For each name what it stood for since the last sync, the certain one first; None is nothing."""

    names: dict[str, list[Node | None]] = field(default_factory=dict)

    def get(self, name: str) -> Node | None:
        return self.names.get(name, [None])[-1]

    def put(self, name: str, node: Node | None) -> None:
        self.names.setdefault(name, [None]).append(node)

    def sync(self) -> None:
        self.names = {name: [nodes[-1]] for name, nodes in self.names.items() if nodes[-1] is not None}


Node: TypeAlias = File | Folder
Choice = Callable[[object, int], int]
"""Which of so many possibilities comes true for one uncertain thing; the last one is that nothing was lost."""


class Disk:
    """The tree below `root`, as a run changes it. In the beginning all of it is certain."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._nodes: list[Node] = []
        self._top = self._read(root, {})

    def apply(self, call: Call) -> None:
        """One call that was made."""
        paths = call.paths
        match call.name:
            case "mkdir" | "mkdirat":
                self._put(paths[0], self._made(Folder()))
            case "openat":
                self._open(paths[0], is_emptied="O_TRUNC" in call.flags)
            case "write" | "writev":
                self._file(paths[0]).written += call.data
            case "rename" | "renameat" | "renameat2":
                node = self._node(paths[0])
                self._put(paths[0], None)
                self._put(paths[1], node)
            case "link" | "linkat":
                self._put(paths[1], self._node(paths[0]))
            case "unlink" | "unlinkat" | "rmdir":
                self._put(paths[0], None)
            case "fsync" | "fdatasync":
                _sync(self._node(paths[0]))
            case "syncfs":
                for node in self._nodes:
                    _sync(node)
            case "utimensat":
                pass
            case _:
                raise AssertionError(f"the model does not know what {call.name} does: a sync has begun to use it")

    def after_cut(self, seed: int, samples: int) -> Iterator[Content]:
        """What the disk may hold if the power is cut now: all lost, nothing lost, each single thing lost and each
        single thing kept, in each way; only data or only names lost; and so many random mixtures of everything.
        """
        uncertain = dict(self._uncertain())
        yield self._content(lambda thing, count: 0)
        yield self._content(lambda thing, count: count - 1)
        for kind in (bytes, str):  # of files' data, of names
            yield self._content(lambda thing, count, kind=kind: 0 if _kind(thing) is kind else count - 1)  # type: ignore[misc]
        for one, possible in uncertain.items():
            yield self._content(lambda thing, count, one=one: count - 1 if thing == one else 0)  # type: ignore[misc]
            for way in range(possible - 1):
                yield self._content(lambda thing, count, one=one, way=way: way if thing == one else count - 1)  # type: ignore[misc]
        for number in range(samples):
            source = random.Random(f"{seed} {number}")
            mixture = {thing: source.randrange(possible) for thing, possible in uncertain.items()}
            yield self._content(lambda thing, count, mixture=mixture: mixture.get(thing, count - 1))  # type: ignore[misc]

    def _uncertain(self) -> Iterator[tuple[object, int]]:
        for node in self._nodes:
            if isinstance(node, File):
                if node.written != node.synced:
                    yield node, len(node.may_hold)
            else:
                yield from (((node, name), len(nodes)) for name, nodes in node.names.items() if len(nodes) > 1)

    def _content(self, choice: Choice) -> Content:
        found: dict[str, bytes | None] = {}

        def walk(folder: Folder, prefix: str) -> None:
            for name, nodes in folder.names.items():
                node = nodes[choice((folder, name), len(nodes))]
                if isinstance(node, File):
                    may_hold = node.may_hold
                    found[prefix + name] = may_hold[choice(node, len(may_hold))]
                elif node is not None:
                    found[prefix + name] = None
                    walk(node, f"{prefix}{name}/")

        walk(self._top, "")
        return found

    def _open(self, path: str, *, is_emptied: bool) -> None:
        if self._node(path) is None:
            self._put(path, self._made(File()))
        elif is_emptied:
            self._file(path).written = b""

    def _read(self, folder: Path, files: dict[int, File]) -> Folder:
        """What is on a real disk. Hard links are one file."""
        found = Folder()
        self._nodes.append(found)
        for entry in os.scandir(folder) if folder.exists() else ():
            if entry.is_dir():
                found.names[entry.name] = [self._read(Path(entry), files)]
            else:
                data = Path(entry).read_bytes()
                if entry.inode() not in files:
                    files[entry.inode()] = File(data, data)
                    self._nodes.append(files[entry.inode()])
                found.names[entry.name] = [files[entry.inode()]]
        return found

    def _made(self, node: Node) -> Node:
        self._nodes.append(node)
        return node

    def _split(self, path: str) -> tuple[Folder, str]:
        *folders, name = Path(path).relative_to(self._root).parts
        folder = self._top
        for part in folders:
            below = folder.get(part)
            assert isinstance(below, Folder), path
            folder = below
        return folder, name

    def _node(self, path: str) -> Node | None:
        if Path(path) == self._root:
            return self._top
        folder, name = self._split(path)
        return folder.get(name)

    def _file(self, path: str) -> File:
        node = self._node(path)
        assert isinstance(node, File), path
        return node

    def _put(self, path: str, node: Node | None) -> None:
        if Path(path) != self._root:  # the root itself is there
            folder, name = self._split(path)
            folder.put(name, node)


def _sync(node: Node | None) -> None:
    if isinstance(node, File):
        node.synced = node.written
    elif node is not None:
        node.sync()


def _kind(thing: object) -> type:
    return bytes if isinstance(thing, File) else str


def cuts(root: Path, made: Iterable[Call], samples: int) -> Iterator[tuple[str, Content]]:
    """What may be on the disk after a cut before each of these calls, and after the last; and which one that was."""
    disk = Disk(root)
    for number, call in enumerate(made):
        for content in disk.after_cut(number, samples):
            yield f"before {call}", content
        disk.apply(call)
    for content in disk.after_cut(-1, samples):
        yield "at the end", content


def materialise(content: Content, root: Path) -> None:
    """Make it real. `root` must not be there."""
    root.mkdir()
    for path, data in content.items():
        if data is None:
            (root / path).mkdir()
        else:
            (root / path).write_bytes(data)
