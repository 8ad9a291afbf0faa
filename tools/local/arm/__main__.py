"""`python -m tools.local.arm`: run the Resource Manager until SIGTERM, SIGINT or the end of standard input."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from publisher.adapters.varnish import VarnishPurger
from tools.local.until import until_told

from .operations import Purges
from .server import ResourceManager

SECONDS = 0.2
"""How long a purge takes here; Front Door's takes seconds to minutes."""


def main() -> int:
    """Exit status 0 after a stop."""
    parser = argparse.ArgumentParser(prog="arm", description="Take purges as Azure's Resource Manager does.")
    parser.add_argument("--edge", action="append", default=[], metavar="URL", help="where an edge takes PURGE")
    parser.add_argument("--port", type=int, default=0, help="on loopback; 0 takes a free one")
    parser.add_argument("--purge-log", type=Path, help="gets one line of JSON for every call")
    parser.add_argument("--with-parent", action="store_true", help="also stop when standard input ends")
    arguments = parser.parse_args()
    edges = [VarnishPurger(url) for url in arguments.edge]

    def forget(paths: Sequence[str]) -> None:
        for edge in edges:
            edge.purge(paths, None)

    purges = Purges({"edge": forget}, SECONDS)
    with ResourceManager(purges, log=arguments.purge_log, port=arguments.port) as manager:
        said = {"url": manager.url, "endpoint": manager.endpoint("edge"), "variables": manager.variables()}
        print(json.dumps(said), flush=True)
        asyncio.run(until_told(with_parent=arguments.with_parent))
    return 0


if __name__ == "__main__":
    sys.exit(main())
