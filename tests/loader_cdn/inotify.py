"""Linux's own word on what happens in a tree: every event, in the kernel's order."""

from __future__ import annotations

import ctypes
import os
import select
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_EVENT = struct.Struct("iIII")
_DIRECTORY = 0x40000000
_KINDS = {
    0x2: "modified", 0x4: "attributes", 0x8: "written", 0x40: "left", 0x80: "appeared", 0x100: "created",
    0x200: "deleted",
}  # fmt: skip
"""IN_MODIFY, IN_ATTRIB, IN_CLOSE_WRITE, IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE."""


@dataclass(frozen=True, slots=True)
class Event:
    """`path` is below the root; `kind` as in `_KINDS`."""

    path: str
    kind: str


class Watcher:
    """Follows a tree but for names with a dot in front; a context manager. `seen` is called with each event, at once.

    A folder that leaves is followed no more. What is in a folder when it appears is no event of its own.
    """

    def __init__(self, root: Path, seen: Callable[[Event], None]) -> None:
        self.events: list[Event] = []
        self._root, self._seen = root, seen
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._libc.inotify_init1(os.O_CLOEXEC)
        self._folders: dict[int, str] = {}
        self._done, self._end = os.pipe()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._follow("")
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        os.write(self._end, b".")
        self._thread.join()
        for descriptor in (self._descriptor, self._done, self._end):
            os.close(descriptor)

    def _follow(self, folder: str) -> None:
        mask = sum(_KINDS)
        for found, names, _ in os.walk(self._root / folder):
            names[:] = [name for name in names if not name.startswith(".")]
            number = self._libc.inotify_add_watch(self._descriptor, os.fsencode(found), mask)
            assert number >= 0, os.strerror(ctypes.get_errno())
            self._folders[number] = "" if Path(found) == self._root else str(Path(found).relative_to(self._root))

    def _forget(self, folder: str) -> None:
        for number, path in list(self._folders.items()):
            if path == folder or path.startswith(f"{folder}/"):
                del self._folders[number]

    def _run(self) -> None:
        while self._descriptor in select.select([self._descriptor, self._done], [], [])[0]:
            data = os.read(self._descriptor, 1 << 16)
            while data:
                number, mask, _, length = _EVENT.unpack_from(data)
                name = os.fsdecode(data[_EVENT.size : _EVENT.size + length].rstrip(b"\0"))
                data = data[_EVENT.size + length :]
                if number in self._folders and not name.startswith("."):
                    self._event("/".join(filter(None, (self._folders[number], name))), mask)

    def _event(self, path: str, mask: int) -> None:
        kind = next((kind for bit, kind in _KINDS.items() if mask & bit), "")
        if not kind:  # the kernel's word that a watch has ended
            return
        self.events.append(Event(path, kind))
        self._seen(self.events[-1])
        if mask & _DIRECTORY:
            self._forget(path)
            if kind in ("appeared", "created"):
                self._follow(path)
