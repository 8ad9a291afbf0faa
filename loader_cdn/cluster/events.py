"""L1: what is wrong with a ConfigMap is told on it, as a Kubernetes Event, where that is permitted."""

from __future__ import annotations

import hashlib
import logging
import queue
import threading
from datetime import UTC, datetime
from typing import Any

from artifact.errors import TransientError
from artifact.fields import format_time
from loader_cdn.cluster.access import Access
from loader_cdn.cluster.api import Api, RefusedError
from loader_cdn.registrations.configmaps import Problem

REASON = "RegistrationRefused"
MESSAGE_LENGTH = 1024
"""What the API takes at most."""

log = logging.getLogger(__name__)


class Events:
    """Sends each problem once, from a thread that begins with the first one. Where it may not, it says so once."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._told: set[str] = set()
        self._forbidden: set[str] = set()
        self._waiting: queue.SimpleQueue[Problem] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def tell(self, problem: Problem) -> None:
        """Queue it, unless it was told before."""
        name = _name(problem)
        if name in self._told:
            return
        self._told.add(name)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="events", daemon=True)
            self._thread.start()
        self._waiting.put(problem)

    def _run(self) -> None:
        api = Api(self._access, lambda: False)
        while True:
            problem = self._waiting.get()
            namespace = problem.config_map.namespace
            if namespace not in self._forbidden:
                self._send(api, problem, namespace)

    def _send(self, api: Api, problem: Problem, namespace: str) -> None:
        try:
            api.post(f"/api/v1/namespaces/{namespace}/events", event(problem, datetime.now(UTC)))
        except RefusedError as refused:
            if refused.status == 403:
                self._forbidden.add(namespace)
                log.info("events in %s are not permitted; what is wrong with a registration is only logged", namespace)
            elif refused.status != 409:  # another pod has told it
                log.warning("an event was not taken: %s", refused.error)
        except TransientError as error:
            log.warning("an event was not sent: %s", error)


def event(problem: Problem, now: datetime) -> dict[str, Any]:
    """A core/v1 Event. Its name follows from what it says, so that all pods together make one."""
    config_map, moment = problem.config_map, format_time(now)
    return {
        "metadata": {"name": _name(problem), "namespace": config_map.namespace},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "namespace": config_map.namespace,
            "name": config_map.name,
            "uid": config_map.uid,
            "resourceVersion": config_map.version,
        },
        "reason": REASON,
        "message": problem.error.message[:MESSAGE_LENGTH],
        "type": "Warning",
        "source": {"component": "feature-loader"},
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }


def _name(problem: Problem) -> str:
    config_map = problem.config_map
    told = f"{config_map.uid} {config_map.version} {problem.error.message}"
    return f"{config_map.name[:200]}.{hashlib.sha256(told.encode()).hexdigest()[:16]}"
