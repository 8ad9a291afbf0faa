"""L1: the registrations of one or several namespaces, each watched by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from artifact.errors import DeliveryError
from loader_cdn.cluster.access import Access, find
from loader_cdn.cluster.events import Events
from loader_cdn.cluster.watcher import Watcher
from loader_cdn.registrations.configmaps import ConfigMap, Problem

END_SECONDS = 1.0
"""How long the threads of all watchers together are waited for."""


class Namespaces:
    """What all of them register. Raises whatever a watcher's thread died of, when it is asked."""

    def __init__(self, access: Access, names: Sequence[str], selector: str, changed: Callable[[], None]) -> None:
        self.watchers = [
            Watcher(access, name, selector, changed) for name in dict.fromkeys(names) or (access.namespace,)
        ]
        self._events = Events(access)

    @property
    def config_maps(self) -> Sequence[ConfigMap]:
        """All that are known: those of a namespace that was not listed yet are missing."""
        self._raise_failure()
        return [config_map for watcher in self.watchers for config_map in watcher.config_maps or ()]

    @property
    def is_known(self) -> bool:
        """Whether each namespace was listed once."""
        return all(watcher.config_maps is not None for watcher in self.watchers)

    @property
    def error(self) -> DeliveryError | None:
        """Why one of them cannot be read now."""
        self._raise_failure()
        return next((watcher.error for watcher in self.watchers if watcher.error is not None), None)

    @property
    def seconds_since_heard(self) -> float | None:
        """Since a list or a watch last proved to work, of the namespace that was heard least lately."""
        heard = [watcher.heard for watcher in self.watchers]
        if any(moment is None for moment in heard):
            return None
        return time.monotonic() - min(moment for moment in heard if moment is not None)

    def state(self) -> object:
        """Another value when there is something new to read."""
        self._raise_failure()
        return [watcher.revision for watcher in self.watchers]

    def tell(self, problem: Problem) -> None:
        self._events.tell(problem)

    def _raise_failure(self) -> None:
        for watcher in self.watchers:
            if watcher.failure is not None:
                raise watcher.failure


@contextmanager
def watched(
    *, wanted: bool, names: Sequence[str], selector: str, changed: Callable[[], None]
) -> Iterator[Namespaces | None]:
    """Watch these namespaces, if it is `wanted`. Raises ConfigurationError where no API server is known."""
    if not wanted:
        yield None
        return
    namespaces = Namespaces(find(), names, selector, changed)
    for watcher in namespaces.watchers:
        watcher.start()
    try:
        yield namespaces
    finally:
        deadline = time.monotonic() + END_SECONDS
        for watcher in namespaces.watchers:
            watcher.stop()
        for watcher in namespaces.watchers:
            watcher.join(deadline)
