"""`python -m tools.local.devhost`: run a function app until SIGTERM, SIGINT or the end of standard input."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

from artifact.errors import ConfigurationError
from tools.local.until import until_told

from .host import Host
from .invocation import log
from .keys import Keys
from .settings import HostSettings


async def _run(arguments: argparse.Namespace) -> None:
    settings = HostSettings.load(arguments.script, poll=arguments.poll, lease=arguments.lease)
    host = Host(settings, Keys.load(arguments.keys) if arguments.keys else None)
    port = await host.start(arguments.port)
    names = {function.name: function.kind for function in host.functions}
    print(json.dumps({"port": port, "functions": names}), flush=True)
    log(host="started", port=port, functions=names, keys="enforced" if arguments.keys else "not enforced")
    await until_told(with_parent=arguments.with_parent)
    await host.stop()
    log(host="stopped")


def main() -> int:
    """Exit status 0 after a stop, 2 where the app or a setting is wrong."""
    parser = argparse.ArgumentParser(prog="devhost", description="Run a function app, as Azure Functions would.")
    parser.add_argument("--script", type=Path, default=Path("function_app.py"), help="the app's module")
    parser.add_argument("--port", type=int, default=7071, help="for HTTP on loopback; 0 takes a free one")
    parser.add_argument("--keys", type=Path, help="a JSON file of function keys; without it HTTP is not protected")
    parser.add_argument("--poll", type=float, default=0.25, help="seconds between two looks into storage")
    parser.add_argument("--lease", type=int, default=10, help="seconds until what a dead host had in work comes again")
    parser.add_argument("--with-parent", action="store_true", help="also stop when standard input ends")
    try:
        asyncio.run(_run(parser.parse_args()))
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
