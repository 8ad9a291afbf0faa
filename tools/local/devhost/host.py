"""The host: all triggers of one app, from start to stop."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from aiohttp import web

from .blob_trigger import BlobTriggers
from .functions import LoadedFunction, load_functions
from .http_trigger import HttpTriggers
from .invocation import Invoker
from .keys import Keys
from .outputs import QueueOutputs
from .queue_trigger import queue_trigger
from .settings import HostSettings
from .timers import TimerTrigger


class _Listener(Protocol):
    def start(self) -> None: ...

    def stop(self) -> None: ...


class Host:
    """One running app. Made and used on a running event loop, which coroutine functions and HTTP share."""

    def __init__(self, settings: HostSettings, keys: Keys | None) -> None:
        """Import and index the app; ConfigurationError where Azure could not run it."""
        logging.basicConfig(level=logging.INFO)
        for noisy in ("azure", "urllib3"):
            logging.getLogger(noisy).setLevel(logging.ERROR)
        self._settings, self._keys = settings, keys
        self.functions = load_functions(settings.script)
        threads = int(os.environ.get("PYTHON_THREADPOOL_THREAD_COUNT", min(32, (os.cpu_count() or 1) + 4)))
        pool = ThreadPoolExecutor(threads, "function")
        self._invoker = Invoker(asyncio.get_running_loop(), pool, QueueOutputs(settings))
        timers = {f.name: TimerTrigger(f, settings, self._invoker) for f in self._of("timerTrigger")}
        self._listeners: list[_Listener] = [*timers.values(), *self._queues(), *self._blobs()]
        http = HttpTriggers(
            self._of("httpTrigger"),
            {name: timer.fire for name, timer in timers.items()},
            settings,
            self._invoker,
            keys,
        )
        self._runner = web.AppRunner(http.application(), access_log=None, shutdown_timeout=5)

    async def start(self, port: int) -> int:
        """Listen on loopback and start all triggers; the port (a free one for 0)."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        for listener in self._listeners:
            listener.start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Take nothing new and wait for what runs."""
        await asyncio.gather(*(asyncio.to_thread(listener.stop) for listener in self._listeners))
        await self._runner.cleanup()

    def _of(self, kind: str) -> Sequence[LoadedFunction]:
        return [function for function in self.functions if function.kind == kind]

    def _queues(self) -> Sequence[_Listener]:
        functions = self._of("queueTrigger")
        return [queue_trigger(function, self._settings, self._invoker) for function in functions]

    def _blobs(self) -> Sequence[_Listener]:
        by_connection: dict[str, list[LoadedFunction]] = defaultdict(list)
        for function in self._of("blobTrigger"):
            by_connection[function.trigger["connection"]].append(function)
        return [
            BlobTriggers(connection, functions, self._settings, self._invoker)
            for connection, functions in by_connection.items()
        ]
