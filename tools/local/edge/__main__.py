"""`python -m tools.local.edge`: run the edge until SIGTERM, SIGINT or the end of standard input."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

import aiohttp
from aiohttp import web

from tools.local.edge_arguments import edge_arguments
from tools.local.until import until_told

from .cache import Cache
from .memory import Memory
from .origin import Origin
from .proxy import Proxy
from .purge import Purges

MEMORY = 512 * 1024 * 1024
"""Twice the largest file (P4)."""

IDLE_SECONDS = 4
"""Azurite closes an idle connection after about five seconds."""


async def _run(arguments: argparse.Namespace) -> None:
    connector = aiohttp.TCPConnector(limit=64, keepalive_timeout=IDLE_SECONDS)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=30)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:
        memory, origin = Memory(MEMORY), Origin(arguments.connection_string, arguments.container, session)
        proxy = Proxy(Cache(origin, memory, arguments.negative_seconds), memory)
        runners = [
            web.AppRunner(side.application(), access_log=None, shutdown_timeout=1) for side in (proxy, Purges(memory))
        ]
        for runner, port in zip(runners, (arguments.port, arguments.purge_port), strict=True):
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
        ports = [runner.addresses[0][1] for runner in runners]
        print(json.dumps({"port": ports[0], "purgePort": ports[1]}), flush=True)
        await until_told(with_parent=arguments.with_parent)
        for runner in runners:
            await runner.cleanup()


def main() -> int:
    """Exit status 0 after a stop, 2 where the connection string is missing."""
    asyncio.run(_run(edge_arguments("edge")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
