"""What both edges, Varnish and the embedded one, are told by their command lines."""

from __future__ import annotations

import argparse
import os


def edge_arguments(prog: str) -> argparse.Namespace:
    """The arguments, and `connection_string` of the storage. Exits with 2 where something is wrong or missing."""
    parser = argparse.ArgumentParser(prog=prog, description="Serve a container as a CDN would.")
    parser.add_argument("--container", default="artifacts")
    parser.add_argument("--port", type=int, default=0, help="for readers, on loopback; 0 takes a free one")
    parser.add_argument("--purge-port", type=int, default=0, help="for purges, on loopback; 0 takes a free one")
    parser.add_argument("--negative-seconds", type=int, default=1, help="how long a 404 is believed")
    parser.add_argument("--with-parent", action="store_true", help="also stop when standard input ends")
    arguments = parser.parse_args()
    arguments.connection_string = os.environ.get("ArtifactsStorage", "")  # noqa: SIM112 - the app setting's name
    if not arguments.connection_string:
        parser.error("the edge needs the storage's connection string in ArtifactsStorage")
    return arguments
