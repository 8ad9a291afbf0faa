"""All that a run needs, standing: the API server, the edge, the publisher, and three loaders with a root each."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import yaml

from tests.kubernetes.control_plane import ControlPlane, ServiceAccount
from tests.simulator.cdn import State
from tests.soak.edge import Edge
from tests.soak.loaders import Loader
from tests.soak.proxy import Proxy
from tests.soak.reader import Reader
from tests.soak.registrations import Registrations
from tests.soak.releases import FEATURES, Releases
from tests.soak.tally import Tally

READS = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}
"""What the chart grants."""
STEADY, RESTLESS, SMALL = "steady", "restless", "small"
"""The loaders: one that nothing is done to, so that its memory tells of the whole run; one whose process and files are
meddled with; and one on a small file system besides, which can be full.
"""
SMALL_BYTES = 48 * 1024 * 1024


@dataclass
class Stage:
    """`small` is the mount point of the small file system, or None; `earlier` is what the edge served some time ago."""

    control_plane: ControlPlane
    account: ServiceAccount
    token: Path
    releases: Releases
    registrations: Registrations
    edge: Edge
    way_to_api: Proxy
    way_to_edge: Proxy
    loaders: dict[str, Loader]
    readers: dict[str, Reader]
    folder: Path
    tally: Tally
    small: Path | None
    earlier: State

    @property
    def steady(self) -> Loader:
        return self.loaders[STEADY]

    @property
    def trust(self) -> Path:
        return self.folder / "trust.json"

    def rotate_token(self) -> None:
        """As the kubelet does it: another token in the same file."""
        new = self.token.with_suffix(".new")
        new.write_text(self.control_plane.token(self.account), "ascii")
        new.replace(self.token)


@contextmanager
def staged(folder: Path, control_plane: ControlPlane, seed: int, tally: Tally) -> Iterator[Stage]:
    """Everything runs, half of the features are registered, no loader is started yet. All ends with the block."""
    with ExitStack() as stack:
        releases = Releases(folder / "dist")
        releases.world.keys.write(folder)
        edge = stack.enter_context(Edge(releases.world.store))
        way_to_edge = stack.enter_context(Proxy(_port(edge.url)))
        way_to_api = stack.enter_context(Proxy(_port(control_plane.url)))
        namespace = control_plane.namespace()
        account = control_plane.service_account(namespace, READS)
        token = folder / "token"
        kubeconfig = _kubeconfig(folder, control_plane, namespace, way_to_api.port)
        small = _small_file_system(folder / "small", stack, tally)
        roots = {STEADY: folder / STEADY, RESTLESS: folder / RESTLESS, SMALL: (small or folder) / "root"}
        loaders = {
            name: Loader(name, root, folder / "trust.json", kubeconfig, folder / f"{name}.log", tally)
            for name, root in roots.items()
        }
        stack.callback(_end_all, loaders)

        def is_heard(feature_id: str, by: str) -> bool:
            return all(loader.heard.get(feature_id) == by for loader in loaders.values())

        registrations = Registrations(control_plane.admin, namespace, way_to_edge.port, is_heard)
        readers = {name: _reader(loader, registrations, tally) for name, loader in loaders.items()}
        made = Stage(
            control_plane, account, token, releases, registrations, edge, way_to_api, way_to_edge, loaders, readers,
            folder, tally, small, edge.state(),
        )  # fmt: skip
        made.rotate_token()
        for feature_id in FEATURES[::2]:
            registrations.register(feature_id, Random(seed))
        yield made


def _reader(loader: Loader, registrations: Registrations, tally: Tally) -> Reader:
    def must_stand(feature_id: str) -> bool:
        """A registration that this loader knows holds, and did so ever since."""
        return loader.heard.get(feature_id, "") in registrations.names.get(feature_id, ())

    return Reader(loader.name, loader.root, tally, must_stand)


def _small_file_system(place: Path, stack: ExitStack, tally: Tally) -> Path | None:
    place.mkdir()
    can_mount = os.geteuid() == 0 and shutil.which("mount") is not None
    if not can_mount or not _ran("mount", "-t", "tmpfs", "-o", f"size={SMALL_BYTES}", "soak", place):
        tally.left_out.append("a full disk: only root can mount a small file system")
        return None
    stack.callback(_ran, "umount", "--lazy", place)
    return place


def _ran(*command: str | Path) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def _kubeconfig(folder: Path, control_plane: ControlPlane, namespace: str, port: int) -> Path:
    """Through the proxy, with a token in a file, as in a pod."""
    document = yaml.safe_load(control_plane.kubeconfig().read_text("utf-8"))
    document["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
    document["users"][0]["user"] = {"tokenFile": "token"}
    document["contexts"][0]["context"]["namespace"] = namespace
    path = folder / "kubeconfig.json"
    path.write_text(json.dumps(document), "utf-8")
    return path


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def _end_all(loaders: dict[str, Loader]) -> None:
    """Those that still run because something went wrong."""
    for loader in loaders.values():
        if loader.process is not None:
            loader.kill()
