"""What the host is told after a swap: a POST to a URL, or a file whose time of change moves."""

from __future__ import annotations

import json
import logging
import queue
import threading
from pathlib import Path

import pycurl

from loader_cdn.board import Board
from loader_cdn.origin import shown

SECONDS = 10
"""For one POST."""

log = logging.getLogger(__name__)


class Hook:
    """Fired from a thread of its own: what takes its time there delays no feature. What was swapped meanwhile is told
    in one go. A failure is logged and counted; the next swap tells again.
    """

    def __init__(self, target: str, board: Board) -> None:
        self._target, self._board = target, board
        self._waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def fire(self, feature_id: str) -> None:
        """This feature is another one now, or gone."""
        self._waiting.put(feature_id)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="hook", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            changed = {self._waiting.get()}
            while not self._waiting.empty():
                changed.add(self._waiting.get())
            try:
                self._tell(sorted(changed))
            except (OSError, pycurl.error) as error:
                self._board.hook_failures += 1
                log.error("the hook %s failed: %s", shown(self._target), error)

    def _tell(self, changed: list[str]) -> None:
        if "://" in self._target:
            _post(self._target, json.dumps({"features": changed}).encode())
        else:
            Path(self._target).touch()


def _post(url: str, body: bytes) -> None:
    """Raises pycurl.error, also for a status of 400 or more."""
    curl = pycurl.Curl()
    try:
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.POSTFIELDS, body)
        curl.setopt(pycurl.HTTPHEADER, ["Content-Type: application/json"])
        curl.setopt(pycurl.FAILONERROR, 1)
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.TIMEOUT, SECONDS)
        curl.setopt(pycurl.WRITEFUNCTION, len)
        curl.perform()
    finally:
        curl.close()
