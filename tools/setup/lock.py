"""The locks in requirements/, from the lists in pyproject.toml: valid on every Python that is supported.

Each lock holds the versions of development, so that what is tested is what is deployed.
"""

from __future__ import annotations

import sys

from tools.setup.steps import VENV, SetupError, run

DEVELOPMENT = "requirements/dev.txt"
LOCKS: dict[str, tuple[str, ...]] = {
    DEVELOPMENT: ("pyproject.toml", "--all-extras", "--group", "dev"),
    "requirements.txt": ("pyproject.toml", "--extra", "publisher", "--constraints", DEVELOPMENT),
    "requirements/loader.txt": ("pyproject.toml", "--extra", "loader", "--constraints", DEVELOPMENT),
    "requirements/build.txt": ("--group", "build", "--constraints", DEVELOPMENT),
    "requirements/fuzz.txt": ("--group", "fuzz"),
    "requirements/node.txt": ("--group", "node"),
    "requirements/worker.txt": ("--group", "worker", "--no-deps", "--python-version", "3.13"),
    "requirements/lock.txt": ("--group", "lock"),
}
# No address of a package index: a lock holds wherever the packages come from.
OPTIONS = (
    "--quiet",
    "--universal",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-annotate",
)
SUPPORTED = ("--python-version", "3.11")
SAID = ("--custom-compile-command", "make lock")


def main(options: list[str]) -> int:
    """Make every lock anew; `options` (such as `--upgrade`) go to uv."""
    try:
        for lock, sources in LOCKS.items():
            print(lock, flush=True)
            supported = () if SUPPORTED[0] in sources else SUPPORTED
            compiled = (*OPTIONS, *SAID, *supported, *options, "--output-file", lock, *sources)
            run(VENV / "bin" / "uv", "pip", "compile", *compiled)
    except SetupError as error:
        print(f"lock: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
