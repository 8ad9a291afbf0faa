"""`make up`: run the local pipeline until it is interrupted."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tools.setup.steps import ROOT, SetupError

from .children import ChildError
from .endpoints import FILE, Endpoints
from .pipeline import LocalPipeline
from .until import Told, raise_when_told

SCREEN = """
It runs, until Ctrl-C.

  storage    {e.blob_endpoint}
  functions  {e.functions}/api/health
  edge       {e.remote_index}
  addresses  {folder}/{file}
  keys       {folder}/keys

Next, in another terminal (DIR is a built version directory whose id begins with feature-):

  export CDN_RELEASE_KEY='{e.build_key}' CDN_RELEASE_KEY_ID={e.build_key_id}
  .venv/bin/cdn-release sign DIR
  .venv/bin/cdn-release submit DIR --to '{e.connection_string}'
  .venv/bin/feature-loader sync --root site --trust-keys '{e.trust_keys}' \\
      --remote-index {e.remote_index}

What the app and the edge do follows here, a line for each invocation.
"""


def main() -> int:
    """Exit status 0 after SIGTERM or SIGINT, 1 where a part did not start or has ended, or there is no such folder."""
    arguments = _arguments()
    raise_when_told()
    pipeline = LocalPipeline(
        arguments.folder,
        script=arguments.script,
        functions_port=arguments.functions_port,
        edge_port=arguments.edge_port,
        host=arguments.host,
        edge=arguments.edge,
        show=True,
    )
    try:
        with pipeline as endpoints:
            print(screen(endpoints, pipeline.folder), flush=True)
            pipeline.wait()
    except Told:
        print("stopped", flush=True)
    except (ChildError, SetupError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def screen(endpoints: Endpoints, folder: Path) -> str:
    """What a user reads when everything answers."""
    shown = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    return SCREEN.format(e=endpoints, folder=shown, file=FILE)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="up", description="Run storage, the Functions app and the edge.")
    parser.add_argument("--folder", type=Path, default=ROOT / ".local", help="keys, data, logs, endpoints.json")
    parser.add_argument("--script", type=Path, default=ROOT / "function_app.py", help="the Functions app")
    parser.add_argument("--functions-port", type=int, default=0, help="on loopback; 0 takes a free one")
    parser.add_argument("--edge-port", type=int, default=0, help="on loopback; 0 takes a free one")
    parser.add_argument(
        "--host", choices=("auto", "devhost", "func"), default="auto", help="auto: func where it is installed"
    )
    parser.add_argument(
        "--edge", choices=("auto", "varnish", "embedded"), default="auto", help="auto: varnish where it is installed"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
