"""`python -m tools.local.varnish`: run the edge until SIGTERM, SIGINT or the end of standard input."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from tools.local.children import ChildError, wait_until_gone
from tools.local.edge_arguments import edge_arguments
from tools.local.until import Told, raise_when_told, until_told

from .storage import of_container
from .varnish import Varnish


def main() -> int:
    """Exit status 0 after a stop, 1 where Varnish does not run, 2 where the connection string is missing."""
    arguments = edge_arguments("varnish")
    raise_when_told()  # also while it starts: the folder, which holds a signature, does not stay behind
    try:
        with tempfile.TemporaryDirectory(prefix="favn-varnish-") as folder:
            _run(Path(folder), arguments)
    except Told:
        return 0
    except ChildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _run(folder: Path, arguments: argparse.Namespace) -> None:
    varnish = Varnish(
        folder,
        of_container(arguments.connection_string, arguments.container),
        port=arguments.port,
        purge_port=arguments.purge_port,
        negative_seconds=arguments.negative_seconds,
    )
    with varnish:
        said = {"port": urlsplit(varnish.url).port, "purgePort": urlsplit(varnish.purge_url).port}
        print(json.dumps(said), flush=True)
        asyncio.run(_until_told_or_gone(varnish.pid, with_parent=arguments.with_parent))


async def _until_told_or_gone(pid: int, *, with_parent: bool) -> None:
    """ChildError where the process has ended by itself."""
    gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    told = asyncio.ensure_future(until_told(with_parent=with_parent))
    threading.Thread(target=_tell_when_gone, args=(pid, gone), daemon=True).start()
    await asyncio.wait([gone, told], return_when=asyncio.FIRST_COMPLETED)
    if gone.done():
        raise ChildError("varnishd has ended by itself")


def _tell_when_gone(pid: int, gone: asyncio.Future[None]) -> None:
    wait_until_gone(pid)
    with suppress(RuntimeError):  # after a stop in order nobody waits any more
        gone.get_loop().call_soon_threadsafe(gone.set_result, None)


if __name__ == "__main__":
    sys.exit(main())
