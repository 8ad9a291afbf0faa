"""L1: all that registers features beside a remote index: flags, ConfigMaps in the cluster, a mounted directory."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from artifact.errors import DeliveryError
from loader_cdn.brought import Inventory, Origin
from loader_cdn.registrations import Registration, by_flags, resolve
from loader_cdn.registrations.configmaps import ConfigMap, Problem, Registered, registered
from loader_cdn.registrations.mounted import MOUNTED, Mounted
from loader_cdn.settings import Settings

log = logging.getLogger(__name__)


OWN = frozenset({Origin.FLAG, Origin.CLUSTER, Origin.MOUNTED})
"""All sources beside a remote index."""


class Cluster(Protocol):
    """The registrations of a Kubernetes cluster, as they become known."""

    @property
    def config_maps(self) -> Sequence[ConfigMap]:
        """All that are known."""
        ...

    @property
    def is_known(self) -> bool:
        """Whether these are all there are."""
        ...

    @property
    def error(self) -> DeliveryError | None:
        """Why they cannot be read now."""
        ...

    def state(self) -> object:
        """Another value when any of these is."""
        ...

    def tell(self, problem: Problem) -> None:
        """Tell it on the ConfigMap, where that is permitted."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is registered now, one a feature, by feature id. `known` says of which sources that is all; `error` is why
    it may be out of date.
    """

    registrations: Sequence[Registration]
    problems: Sequence[Problem]
    known: frozenset[Origin]
    error: DeliveryError | None = None


class Registry:
    """What the settings name. What is wrong with a ConfigMap is told once, as long as it stays the same."""

    def __init__(self, settings: Settings, cluster: Cluster | None) -> None:
        self._settings, self._cluster = settings, cluster
        self._mounted = None if settings.registrations is None else Mounted(settings.registrations)
        self._told: set[str] = set()

    def read(self, inventory: Inventory) -> Wanted:
        """All that is known now."""
        known = set(OWN)
        found: list[Registered] = []
        if self._cluster is not None:
            found.append(self._registered(self._cluster.config_maps, Origin.CLUSTER, inventory))
            if not self._cluster.is_known:
                known.discard(Origin.CLUSTER)
        if self._mounted is not None:
            mounted = self._mounted.read()
            found.append(self._registered(mounted or (), Origin.MOUNTED, inventory))
            if mounted is None:
                known.discard(Origin.MOUNTED)
        problems = [problem for one in found for problem in one.problems]
        self._tell(problems)
        sources = [by_flags(self._settings.features), *(one.registrations for one in found)]
        wanted = resolve(*sources, min_sequence=self._settings.min_sequence)
        error = self._error()
        return Wanted(wanted, problems, frozenset(known), error)

    def _error(self) -> DeliveryError | None:
        if self._cluster is not None and self._cluster.error is not None:
            return self._cluster.error
        return None if self._mounted is None else self._mounted.error

    def state(self) -> object:
        """Another value when there is something new to read."""
        of_cluster = None if self._cluster is None else self._cluster.state()
        return of_cluster, None if self._mounted is None else self._mounted.state()

    def _registered(self, config_maps: Sequence[ConfigMap], origin: Origin, inventory: Inventory) -> Registered:
        allow_http = self._settings.transfer.allow_http
        return registered(config_maps, origin, inventory.by_config_map(), allow_http=allow_http)

    def _tell(self, problems: Sequence[Problem]) -> None:
        now = {problem.error.message for problem in problems}
        for problem in problems:
            if problem.error.message not in self._told:
                log.error("%s", problem.error)
                if self._cluster is not None and problem.config_map.namespace != MOUNTED:
                    self._cluster.tell(problem)
        self._told = now
