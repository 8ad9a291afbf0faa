"""L1, T37: the ConfigMaps of one namespace that have the label, listed and then watched for as long as it takes.

What is listed is all there is, so that what was deleted in a gap goes, too. The version to go on from is the list's,
carried forward by events and bookmarks; after 410, in either of its shapes, and after any end that is not the server's
clean one, all is listed again.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from artifact.errors import Code, DeliveryError, TransientError
from loader_cdn.cluster.access import Access
from loader_cdn.cluster.api import Api, RefusedError
from loader_cdn.registrations.configmaps import KEYS, ConfigMap

WATCH_SECONDS = 240
"""After which the server ends a watch, plus up to a quarter, so that not all pods come together."""
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 20.0
"""Seconds between two tries: doubled from the first to the longest one, with jitter."""
LASTING_SECONDS = 5.0
"""A watch that ends sooner has not worked: all is listed again, after a pause that grows."""

log = logging.getLogger(__name__)


class _GoneError(Exception):
    """410: this version is too old to go on from."""


class Watcher:
    """A thread of its own from `start` on. `changed` is called in it, when there is something new to read.

    `config_maps` is None until they were listed once; later a server that is away leaves them as they are (L8).
    `error` is what is wrong now, `revision` moves with both; `heard` is when a list or a watch last proved to work
    (`time.monotonic`).
    """

    def __init__(self, access: Access, namespace: str, selector: str, changed: Callable[[], None]) -> None:
        self.namespace = namespace
        self.config_maps: tuple[ConfigMap, ...] | None = None
        self.error: DeliveryError | None = None
        self.revision = 0
        self.heard: float | None = None
        self.failure: BaseException | None = None
        """A fault of this program's: whoever looks has to raise it."""
        self._path = f"/api/v1/namespaces/{quote(namespace, safe='')}/configmaps?labelSelector={quote(selector)}"
        self._changed = changed
        self._found: dict[str, ConfigMap] = {}
        self._version = ""
        self._pause = FIRST_PAUSE
        self._stop = threading.Event()
        self._api = Api(access, self._stop.is_set)
        self._thread = threading.Thread(target=self._run, name=f"watch {namespace}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Tell the thread to end, which it does within about a second."""
        self._stop.set()

    def join(self, deadline: float) -> None:
        """Wait until it has, up to a moment of `time.monotonic`; then it is left behind."""
        self._thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        try:
            self._follow()
        except BaseException as error:  # noqa: BLE001
            self.failure = error
            self._changed()

    def _follow(self) -> None:
        self._pause = FIRST_PAUSE
        while not self._stop.is_set():
            try:
                self._list()
                while True:
                    self._watch()
            except _GoneError:
                log.info("registrations in %s: the watch cannot go on from its version; all are listed", self.namespace)
            except (RefusedError, TransientError) as error:
                if self._stop.is_set():
                    return
                self._fail(error.error if isinstance(error, RefusedError) else error)
            self._stop.wait(self._pause * random.uniform(0.5, 1))  # noqa: S311 (no secret)
            self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def _list(self) -> None:
        """All there are now. No resourceVersion: any other kind of list may be from a cache that is behind."""
        document = self._api.get(self._path)
        with _as_the_api_says():
            self._found = {}
            for item in document["items"] or ():
                self._put(item)
            self._version = str(document["metadata"]["resourceVersion"])
            self._publish()

    def _watch(self) -> None:
        seconds = int(WATCH_SECONDS * random.uniform(1, 1.25))  # noqa: S311 (no secret)
        options = f"&watch=true&allowWatchBookmarks=true&timeoutSeconds={seconds}&resourceVersion={self._version}"
        began = time.monotonic()
        try:
            self._api.watch(self._path + options, self._take)
        except RefusedError as refused:
            if refused.status == 410:
                raise _GoneError from refused
            raise
        finally:
            if time.monotonic() - began >= LASTING_SECONDS:
                self._pause = FIRST_PAUSE
        if time.monotonic() - began < LASTING_SECONDS:
            raise TransientError(Code.TRANSPORT_FAILED, "L1", "the API server ended the watch at once")
        self.heard = time.monotonic()

    def _take(self, event: Any) -> None:
        with _as_the_api_says():
            self._take_one(event["type"], event["object"])

    def _take_one(self, kind: str, item: Any) -> None:
        if kind == "ERROR":
            if item.get("code") == 410 or item.get("reason") in ("Expired", "Gone"):
                raise _GoneError
            what = "the API server ended the watch"
            raise TransientError(Code.TRANSPORT_FAILED, "L1", what, seen=item.get("message"))
        self._version = str(item["metadata"]["resourceVersion"])
        self.heard = time.monotonic()
        if kind == "BOOKMARK":
            return
        if kind == "DELETED":
            self._found.pop(item["metadata"]["name"], None)
        else:
            self._put(item)
        self._publish()

    def _put(self, item: Any) -> None:
        metadata = item["metadata"]
        data = item.get("data") or {}
        name = str(metadata["name"])
        self._found[name] = ConfigMap(
            self.namespace,
            name,
            {key: str(data[key]) for key in KEYS if key in data},
            str(metadata.get("creationTimestamp") or ""),
            str(metadata.get("uid", "")),
            str(metadata["resourceVersion"]),
        )

    def _publish(self) -> None:
        if self.error is not None:
            log.info("registrations in %s are read again", self.namespace)
        found = tuple(self._found[name] for name in sorted(self._found))
        is_new = found != self.config_maps or self.error is not None
        self.config_maps, self.error, self.heard = found, None, time.monotonic()
        if is_new:
            self.revision += 1
            self._changed()

    def _fail(self, error: DeliveryError) -> None:
        if self.error is None or self.error.message != error.message:
            log.error("registrations in %s cannot be read; those of before stand: %s", self.namespace, error)
            self.error = error
            self.revision += 1
            self._changed()


@contextmanager
def _as_the_api_says() -> Iterator[None]:
    """What answers in the API server's place, a proxy for one, may answer anything."""
    try:
        yield
    except (KeyError, TypeError, AttributeError) as error:
        what = "the API server's answer has another form than the API's"
        raise TransientError(Code.TRANSPORT_FAILED, "L1", what, seen=repr(error)) from error
