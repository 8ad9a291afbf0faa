"""The whole system on this machine (C7): storage, the Functions app, the edge, and what takes purges for it."""

from __future__ import annotations

import fcntl
import os
import queue
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Literal

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient

from tools.setup.steps import ROOT

from . import core_tools
from .azurite import Azurite
from .children import Child, ChildError, wait_until_gone
from .endpoints import FILE, Endpoints
from .keys import BUILD_KEY_ID, RELEASE_KEY_ID, function_keys, signing_keys
from .ports import free_port
from .varnish import varnish

CONTAINERS = ("incoming", "artifacts", "receipts", "quarantine", "state")
"""W1, and the app's own."""

START_SECONDS = 60
FunctionsHost = Literal["auto", "devhost", "func"]
EdgeKind = Literal["auto", "varnish", "embedded"]


class LocalPipeline:
    """One running pipeline, from `with` to its end; several may run at once, each in a folder of its own.

    `folder` gets `keys/` and `storage/` (kept from run to run), `logs/`, `purge.log` (new at every run) and, while the
    pipeline answers, `endpoints.json`. `settings` are app settings for the Functions app, over those that it inherits
    from this process. Ports of 0 are free ones. `host` is `func` (Core Tools), `devhost`, or `auto`: `func` where it is
    installed. `edge` is `varnish`, `embedded`, or `auto`: `varnish` where it is installed. `show` sends what the
    app and the edge log to our standard error instead of `logs/`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        script: Path = ROOT / "function_app.py",
        settings: Mapping[str, str] | None = None,
        functions_port: int = 0,
        edge_port: int = 0,
        host: FunctionsHost = "auto",
        edge: EdgeKind = "auto",
        show: bool = False,
    ) -> None:
        self.folder = folder.absolute()
        self._script = script.absolute()
        self._settings = dict(settings or {})
        self._functions_port, self._edge_port = functions_port, edge_port
        self._host, self._edge, self._show = host, edge, show
        self._stack = ExitStack()
        self._ended: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._again: Callable[[ExitStack], tuple[Child, str]]

    def __enter__(self) -> Endpoints:
        """Start everything; returns when all of it answers. ChildError or SetupError where a part does not."""
        with ExitStack() as stack:
            endpoints = self._start(stack)
            self._stack = stack.pop_all()
        return endpoints

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def restart_functions(self) -> int:
        """Start the Functions host again after it was killed; its new process id. A free port is another one now."""
        return self._again(self._stack)[0].pid

    def wait(self) -> None:
        """Wait until a part ends by itself, which is a ChildError; any other end is an exception of the caller's."""
        raise ChildError(self._ended.get())

    def _start(self, stack: ExitStack) -> Endpoints:
        self._prepare(stack)
        storage = stack.enter_context(Azurite(self.folder / "storage"))
        self._watch("storage", storage.pid)
        _create_containers(storage.connection_string)
        shared = {"ArtifactsStorage": storage.connection_string, "AzureWebJobsStorage": storage.connection_string}
        edge, edge_url, purge_url = self._start_edge(stack, shared)
        manager = self._start_resource_manager(stack, purge_url)
        keys, powers = signing_keys(self.folder / "keys"), function_keys(self.folder / "keys")
        settings = {
            "FAVN_POINTER_MAX_AGE": os.environ.get("FAVN_POINTER_MAX_AGE", "1"),
            **self._settings,
            **shared,
            "FAVN_TRUST_KEYS": str(keys.trust),
            "FAVN_RELEASE_KEY": str(keys.release),
            "FAVN_RELEASE_KEY_ID": RELEASE_KEY_ID,
            "FAVN_PURGE_ENDPOINTS": manager["endpoint"],
            "FAVN_EDGE_URLS": edge_url,
            **manager["variables"],
        }
        self._again = partial(self._start_functions, settings=settings, keys=powers.file)
        functions, functions_url = self._again(stack)
        endpoints = Endpoints(
            blob_endpoint=storage.account().blob_endpoint,
            connection_string=storage.connection_string,
            functions=functions_url,
            function_key=powers.everything,
            function_keys=powers.powers,
            edge=edge_url,
            remote_index=f"{edge_url}/remote-index.json",
            trust_keys=keys.trust,
            build_key=keys.build,
            build_key_id=BUILD_KEY_ID,
            purge_log=self._purge_log,
            pids={"storage": storage.pid, "functions": functions.pid, "edge": edge.pid},
        )
        stack.callback((self.folder / FILE).unlink, missing_ok=True)
        endpoints.write(self.folder / FILE)
        return endpoints

    @property
    def _purge_log(self) -> Path:
        return self.folder / "purge.log"

    def _prepare(self, stack: ExitStack) -> None:
        """Take the folder for this run: the lock goes with the process, however that ends."""
        for name in ("storage", "logs"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        lock = stack.enter_context((self.folder / "lock").open("w"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ChildError(f"a pipeline is already running in {self.folder}") from None
        (self.folder / FILE).unlink(missing_ok=True)  # of a run that was killed
        self._purge_log.write_bytes(b"")

    def _start_edge(self, stack: ExitStack, settings: Mapping[str, str]) -> tuple[Child, str, str]:
        program = None if self._edge == "embedded" else varnish.find()
        if program is None and self._edge == "varnish":
            raise ChildError("varnishd is not installed: apt-get install varnish")
        module = "tools.local.edge" if program is None else "tools.local.varnish"
        command = [sys.executable, "-m", module, "--with-parent", "--port", str(self._edge_port)]
        child = self._child(stack, "edge", command, settings)
        ports = child.ready(START_SECONDS)
        return child, f"http://127.0.0.1:{ports['port']}", f"http://127.0.0.1:{ports['purgePort']}"

    def _start_resource_manager(self, stack: ExitStack, purge_url: str) -> dict[str, Any]:
        """What takes the app's purges as Azure does: the adapter for Front Door is the one that runs."""
        command = [sys.executable, "-m", "tools.local.arm", "--with-parent"]
        command += ["--edge", purge_url, "--purge-log", str(self._purge_log)]
        said: dict[str, Any] = self._child(stack, "arm", command, {}).ready(START_SECONDS)
        return said

    def _start_functions(self, stack: ExitStack, settings: Mapping[str, str], keys: Path) -> tuple[Child, str]:
        program = None if self._host == "devhost" else core_tools.find()
        if program is None and self._host == "func":
            raise ChildError("Azure Functions Core Tools (func) are not installed")
        if program is not None:
            return self._start_func(stack, program, settings)
        command = [sys.executable, "-m", "tools.local.devhost", "--with-parent", "--script", str(self._script)]
        command += ["--port", str(self._functions_port), "--keys", str(keys)]
        child = self._child(stack, "functions", command, settings)
        return child, f"http://127.0.0.1:{child.ready(START_SECONDS)['port']}"

    def _start_func(self, stack: ExitStack, program: Path, settings: Mapping[str, str]) -> tuple[Child, str]:
        port = self._functions_port or free_port()
        url = f"http://127.0.0.1:{port}"
        command = core_tools.command(program, port)
        child = self._child(stack, "functions", command, {**core_tools.environment(), **settings}, self._script.parent)
        core_tools.wait_until_running(child, url)
        stack.enter_context(core_tools.EventGrid(url, settings["ArtifactsStorage"]))
        return child, url

    def _child(
        self,
        stack: ExitStack,
        name: str,
        command: Sequence[str | Path],
        environment: Mapping[str, str],
        folder: Path = ROOT,
    ) -> Child:
        log = None if self._show else self.folder / "logs" / f"{name}.log"
        child = stack.enter_context(Child(name, command, environment, log, folder))
        self._watch(name, child.pid, child)
        return child

    def _watch(self, name: str, pid: int, child: Child | None = None) -> None:
        def watch() -> None:
            wait_until_gone(pid)
            self._ended.put(f"{name} has ended by itself{child.last_words() if child else ''}")

        threading.Thread(target=watch, daemon=True).start()


def _create_containers(connection_string: str) -> None:
    with BlobServiceClient.from_connection_string(connection_string) as service:
        for name in CONTAINERS:
            try:
                service.create_container(name)
            except ResourceExistsError:
                continue
