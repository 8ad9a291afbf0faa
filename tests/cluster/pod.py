"""A loader that follows the registrations of a namespace, as a process of its own, and what it answers over HTTP."""

from __future__ import annotations

import json
import signal
import subprocess
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.kubernetes.api import Answer
from tests.kubernetes.control_plane import ControlPlane, ServiceAccount
from tests.loader_cdn.command import Ended, end, start
from tests.simulator.environment import Delivery
from tests.waiting import wait_until
from tools.local.ports import free_port

READ = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}
"""The rights that the loader's chart gives, and no others."""
LABEL = {"favn.io/feature-registration": "true"}


@dataclass
class Namespace:
    """A namespace of a real API server, in which registrations are made."""

    control_plane: ControlPlane
    name: str
    account: ServiceAccount
    kubeconfig: Path

    def register(self, name: str, *, labels: Any = None, **data: str) -> Any:
        """A new ConfigMap with this data."""
        metadata = {"name": name, "labels": LABEL if labels is None else labels}
        return self.control_plane.admin.create(self._path(), {"metadata": metadata, "data": data})

    def patch(self, name: str, change: Any) -> Answer:
        """A JSON merge patch."""
        return self.control_plane.admin.patch(self._path(name), change)

    def unregister(self, name: str) -> None:
        self.control_plane.admin.delete(self._path(name))

    def _path(self, name: str = "") -> str:
        return f"/api/v1/namespaces/{self.name}/configmaps" + (f"/{name}" if name else "")


def new_namespace(control_plane: ControlPlane, *rules: Any) -> Namespace:
    """A new one, with an account that may do what `rules` say, else what the loader's chart gives."""
    name = control_plane.namespace()
    account = control_plane.service_account(name, *(rules or (READ,)))
    return Namespace(control_plane, name, account, control_plane.kubeconfig(account))


@dataclass
class Pod:
    """A running `feature-loader watch`."""

    process: subprocess.Popen[str]
    port: int
    log: Path

    def get(self, path: str, accept: str = "*/*") -> tuple[int, str]:
        """Status and text of an answer."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={"Accept": accept})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def status(self) -> Any:
        """`/status`, once somebody answers."""
        return json.loads(self.get("/status")[1])

    def feature(self, feature_id: str) -> Any:
        """What `/status` says of a feature; None for each member, and no truth, where it says nothing yet."""
        found = [one for one in self.status()["features"] if one["featureId"] == feature_id]
        return defaultdict(lambda: None, *found)

    def answers(self) -> bool:
        """Whether it listens already."""
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.get("/healthz")[0] == 200
        except OSError:
            return False

    def is_ready(self) -> bool:
        return self.get("/readyz")[0] == 200

    def logged(self) -> str:
        return self.log.read_text()


@contextmanager
def running(site: Delivery, folder: Path, *more: str | Path, **environment: str) -> Iterator[Pod]:
    """A loader on the site's root, until the end of the block; then it has to end by itself, with 0."""
    port, log = free_port(), folder / "loader.log"
    trust = json.dumps(site.world.keys.trust_document())
    arguments = ["watch", "--root", site.root, "--trust-keys", trust, "--listen", f"127.0.0.1:{port}", *more]
    with log.open("a") as errors:
        process = start(*arguments, stderr=errors, environment=environment)
    pod = Pod(process, port, log)
    try:
        wait_until(pod.answers)
        yield pod
        process.send_signal(signal.SIGTERM)
        ended: Ended = end(process)
        assert ended.status == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
