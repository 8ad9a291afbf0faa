"""What tests build the loader's image from where no registry can be reached: two base images, and wheels.

Both bases are made from Debian's packages, for the Python of the Dockerfile's own bases. `build` is a small Debian with
Python and pip. `runtime` is made as distroless images are: the files of a few packages, unpacked into an empty folder,
so that there is no shell and no package manager. They are kept in the user's cache, outside this tree, by a digest of
the recipe; the wheels by a digest of their locks.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path

from tools.setup.steps import PYTHON, ROOT, SetupError, cache, digest, once, run

REMEDY = "make bases (as root, with debootstrap)"

SUITE, VERSION = "trixie", "3.13"
LOCKS = tuple(ROOT / "requirements" / name for name in ("build.txt", "loader.txt"))
BUILD, RUNTIME = "build.tar.gz", "runtime.tar.gz"

_INCLUDED = ("ca-certificates", "python3", "python3-venv")
_UNPACKED = (
    "base-files",
    "libbz2-1.0",
    "libc6",
    "libcrypt1",
    "libdb5.3t64",
    "libexpat1",
    "libffi8",
    "libgcc-s1",
    "liblzma5",
    "libncursesw6",
    f"libpython{VERSION}-minimal",
    f"libpython{VERSION}-stdlib",
    "libreadline8t64",
    "libsqlite3-0",
    "libssl3t64",
    "libstdc++6",
    "libtinfo6",
    "libuuid1",
    "libzstd1",
    f"python{VERSION}-minimal",
    "python3-minimal",
    "zlib1g",
)
"""Python and what its standard library is linked with, as in distroless/python3."""
_AUTHORITIES = "etc/ssl/certs/ca-certificates.crt"
_LEFT_OUT = (
    "./dev/*",
    "./proc/*",
    "./sys/*",
    "./usr/share/doc",
    "./usr/share/locale",
    "./usr/share/man",
    "./var/cache",
)
_STAMP = ".setup"
_GLIBC = range(41, 16, -1)
"""Versions 2.x of the C library for which a wheel may have been built, the best first: trixie has 2.41."""


def bases() -> Path | None:
    """The folder with BUILD and RUNTIME, where they have been made."""
    return _made(_bases_folder())


def wheels() -> Path | None:
    """The folder with all that LOCKS name, where it has been fetched."""
    return _made(_wheels_folder())


def build() -> None:
    """Make and fetch both. SetupError where that cannot be."""
    place = _wheels_folder()
    once(place / _STAMP, place.name, "wheels for the loader's image", lambda: _into(place, _fetch_wheels))
    place = _bases_folder()
    once(place / _STAMP, place.name, "base images for the loader's image", lambda: _into(place, _make_bases))


def _made(place: Path) -> Path | None:
    return place if (place / _STAMP).is_file() else None


def _bases_folder() -> Path:
    recipe = (SUITE, _INCLUDED, _UNPACKED, _LEFT_OUT, _AUTHORITIES, sysconfig.get_platform())
    return cache() / "image" / digest(repr(recipe))[:16]


def _wheels_folder() -> Path:
    return cache() / "image" / digest(*LOCKS, VERSION, repr(_GLIBC), sysconfig.get_platform())[:16]


def _into(place: Path, make: Callable[[Path], None]) -> None:
    """`make` fills an empty folder, which then becomes `place` as a whole."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as temporary:
        made = Path(temporary) / "made"
        made.mkdir()
        make(made)
        if not place.is_dir():  # else another tree was first
            made.rename(place)


def _fetch_wheels(folder: Path) -> None:
    machine = platform.machine()
    platforms = [f"--platform=manylinux_2_{minor}_{machine}" for minor in _GLIBC]
    target = (f"--python-version={VERSION}", "--implementation=cp", *platforms, f"--platform=manylinux2014_{machine}")
    abis = [f"--abi={abi}" for abi in (f"cp{VERSION.replace('.', '')}", "abi3", "none")]
    options = ("--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--require-hashes")
    locks = [f"--requirement={lock}" for lock in LOCKS]
    run(PYTHON, "-m", "pip", "download", *options, *target, *abis, *locks, "--dest", folder)


def _make_bases(folder: Path) -> None:
    missing = [command for command in ("debootstrap", "dpkg-deb") if shutil.which(command, path=_path()) is None]
    if missing or os.geteuid() != 0:
        raise SetupError(f"base images are made by root, with debootstrap; missing: {', '.join(missing) or 'root'}")
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        debian, runtime = Path(temporary) / "debian", Path(temporary) / "runtime"
        options = ("--variant=minbase", f"--include={','.join(_INCLUDED)}")
        run("debootstrap", *options, SUITE, debian, *_mirror(), environment=os.environ | {"PATH": _path()})
        runtime.mkdir()
        runtime.chmod(0o755)
        for package in _UNPACKED:
            (archive,) = debian.glob(f"var/cache/apt/archives/{package}_*.deb")
            run("dpkg-deb", "--extract", archive, runtime)
        run("install", "-D", "--mode=0644", debian / _AUTHORITIES, runtime / _AUTHORITIES)
        _pack(debian, folder / BUILD)
        _pack(runtime, folder / RUNTIME)


def _path() -> str:
    return os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"


def _mirror() -> tuple[str, ...]:
    """The mirror of Debian that this machine's apt uses; nothing where it has none, for debootstrap's own default."""
    asked = ("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Label: Debian")
    try:
        done = subprocess.run(asked, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ()
    return tuple(done.stdout.split()[:1])


def _pack(tree: Path, archive: Path) -> None:
    """The same tree is the same archive."""
    options = ("--numeric-owner", "--sort=name", "--mtime=@0", *(f"--exclude={path}" for path in _LEFT_OUT))
    run("tar", "--create", "--gzip", *options, "--directory", tree, "--file", archive, ".")
