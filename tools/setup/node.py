"""Where Node is: the one on PATH where it is new enough, else the one that `make install` puts into `.venv`.

`python -m tools.setup.node` says which; `python -m tools.setup.node npm ci` runs a command with it on PATH.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tools.setup.steps import ROOT, VENV, SetupError

MINIMUM = (22, 12)
"""What Azurite and Vite ask for."""


@dataclass(frozen=True, slots=True)
class Node:
    """A Node that is new enough, with its npm."""

    node: Path
    npm: Path
    version: tuple[int, int]

    def environment(self) -> dict[str, str]:
        """This process's environment with `node` first on PATH, as npm and the scripts of packages need it."""
        path = os.pathsep.join([str(self.node.parent), os.environ.get("PATH", os.defpath)])
        environment = os.environ | {"PATH": path}
        if not os.environ.get("HOME"):  # npm would make a folder named ~ beside package.json
            environment["npm_config_cache"] = str(ROOT / ".local" / "npm")
        return environment


def find() -> Node | None:
    """The Node to use, or None where `make install` has yet to fetch one."""
    return _at(os.environ.get("PATH")) or _at(str(VENV / "bin"))


def require() -> Node:
    """The Node to use. SetupError where there is none."""
    node = find()
    if node is None:
        raise SetupError("no Node {}.{} or newer: run `make install`".format(*MINIMUM))
    return node


def link(package: Path) -> None:
    """Put `node`, `npm` and `npx` of an unpacked Node (the folder with `bin` and `lib`) into `.venv/bin`."""
    npm = package / "lib" / "node_modules" / "npm" / "bin"
    targets = {"node": package / "bin" / "node", "npm": npm / "npm-cli.js", "npx": npm / "npx-cli.js"}
    for name, target in targets.items():
        target.chmod(0o755)
        place = VENV / "bin" / name
        place.unlink(missing_ok=True)
        place.symlink_to(os.path.relpath(target, place.parent))


def _at(path: str | None) -> Node | None:
    """Node and npm on a search path, if both are there and Node is new enough."""
    node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if node is None or npm is None:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.match(r"v(\d+)\.(\d+)\.", said)
    version = (int(match[1]), int(match[2])) if match else (0, 0)
    return Node(Path(node), Path(npm), version) if version >= MINIMUM else None


def main() -> int:
    """Say where Node is, or run the command that is given with it."""
    try:
        node = require()
        if len(sys.argv) == 1:
            print(f"node {'.'.join(map(str, node.version))}: {node.node}\nnpm: {node.npm}")
            return 0
        command = [str(node.npm) if sys.argv[1] == "npm" else sys.argv[1], *sys.argv[2:]]
        return subprocess.run(command, env=node.environment(), check=False).returncode
    except (SetupError, OSError) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
