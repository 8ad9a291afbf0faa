"""A control plane of Kubernetes, and Helm, for tests: built by the machine's Go from the modules in tools/cluster.

`go.sum` there pins every byte that is built. The programs are kept in the user's cache, outside this tree, by a digest
of what they are made from: `make clean` leaves them, and a second tree does not build them again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tools.setup.steps import ROOT, SetupError, cache, digest, once, run

MODULE = ROOT / "tools" / "cluster"
PROGRAMS: Mapping[str, str] = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "helm": "helm.sh/helm/v3/cmd/helm",
    "kube-apiserver": "./kube-apiserver",
    "kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform",
}
"""The Go package of each program."""

REMEDY = "make cluster (needs Go, and once some minutes)"

_STAMP = ".setup"
_OPTIONS = ("-trimpath", "-mod=readonly")
_VARIABLES: Mapping[str, str] = {
    "helm.sh/helm/v3/internal/version.version": "{helm}",
    "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor": "{major}",
    "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor": "{minor}",
    "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor": "{major}",
    "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor": "{minor}",
    "k8s.io/component-base/version.gitVersion": "{kubernetes}",
}
"""What upstream's own builds set, too: charts ask Helm and the API server for their versions."""


def folder() -> Path:
    """Where the programs are, or will be. It changes with their versions."""
    return cache() / "cluster" / _identity()[:16]


def find(program: str) -> Path | None:
    """One of PROGRAMS, where it has been built."""
    place = folder()
    return place / program if (place / _STAMP).is_file() else None


def build() -> None:
    """Build all PROGRAMS. SetupError where there is no Go, or where it fails."""
    place = folder()
    once(place / _STAMP, _identity(), "helm, kubeconform, kube-apiserver and etcd, built by Go", lambda: _build(place))


def _identity() -> str:
    sources = sorted(path for path in MODULE.rglob("*") if path.is_file())
    recipe = (*PROGRAMS.items(), *_VARIABLES.items(), *_OPTIONS)
    return digest(*sources, repr(recipe), sysconfig.get_platform())


def _build(place: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise SetupError("there is no `go` on PATH: install Go (https://go.dev/dl) to test in a cluster")
    environment = _environment()
    flags = _link_flags(go, environment)
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as temporary:
        made = Path(temporary) / "made"
        made.mkdir()
        for name, package in PROGRAMS.items():
            command = (go, "build", *_OPTIONS, "-ldflags", flags, "-o", made / name, package)
            run(*command, cwd=MODULE, environment=environment)
        if not place.is_dir():  # else another tree was first
            made.rename(place)


def _link_flags(go: str, environment: Mapping[str, str]) -> str:
    """Without symbols, and with `_VARIABLES`."""
    helm, kubernetes = (_version(go, module, environment) for module in ("helm.sh/helm/v3", "k8s.io/kubernetes"))
    major, minor = kubernetes.removeprefix("v").split(".")[:2]
    versions = {"helm": helm, "kubernetes": kubernetes, "major": major, "minor": minor}
    return " ".join(("-s", "-w", *(f"-X={name}={value.format(**versions)}" for name, value in _VARIABLES.items())))


def _version(go: str, module: str, environment: Mapping[str, str]) -> str:
    """The version of a module, which go.mod states."""
    command = (go, "list", "-m", "-f", "{{.Version}}", module)
    done = subprocess.run(command, cwd=MODULE, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SetupError(f"failed: {' '.join(command)}\n{done.stderr.rstrip()}")
    return done.stdout.strip()


def _environment() -> dict[str, str]:
    """This process's environment for Go, which without a home knows no place for its caches."""
    environment = os.environ | {"CGO_ENABLED": "0"}
    if not os.environ.get("HOME"):
        go = ROOT / ".local" / "go"
        environment = {"GOPATH": str(go), "GOCACHE": str(go / "build"), "GOFLAGS": "-modcacherw"} | environment
    return environment
