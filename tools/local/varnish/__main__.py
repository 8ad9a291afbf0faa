"""`python -m tools.local.varnish`: run the edge until SIGTERM, SIGINT or the end of standard input."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from tools.local.children import ChildError
from tools.local.until import until_told

from .storage import of_container
from .varnish import Varnish


def main() -> int:
    """Exit status 0 after a stop, 1 where Varnish does not start, 2 where the connection string is missing."""
    parser = argparse.ArgumentParser(prog="varnish", description="Serve a container as a CDN would.")
    parser.add_argument("--container", default="artifacts")
    parser.add_argument("--port", type=int, default=0, help="for readers, on loopback; 0 takes a free one")
    parser.add_argument("--purge-port", type=int, default=0, help="for purges, on loopback; 0 takes a free one")
    parser.add_argument("--negative-seconds", type=int, default=1, help="how long a 404 is believed")
    parser.add_argument("--with-parent", action="store_true", help="also stop when standard input ends")
    arguments = parser.parse_args()
    connection_string = os.environ.get("ArtifactsStorage", "")  # noqa: SIM112 - the app setting's name
    if not connection_string:
        sys.stderr.write("the edge needs the storage's connection string in ArtifactsStorage\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="favn-varnish-") as folder:
        varnish = Varnish(
            Path(folder),
            of_container(connection_string, arguments.container),
            port=arguments.port,
            purge_port=arguments.purge_port,
            negative_seconds=arguments.negative_seconds,
        )
        try:
            with varnish:
                said = {"port": urlsplit(varnish.url).port, "purgePort": urlsplit(varnish.purge_url).port}
                print(json.dumps(said), flush=True)
                asyncio.run(until_told(with_parent=arguments.with_parent))
        except ChildError as error:
            sys.stderr.write(f"{error}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
