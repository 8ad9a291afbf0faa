"""The real parts of these tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import parts
from tests.charts.helm import CHARTS, Helm, Values, succeeded
from tests.charts.pod import Pod


@pytest.fixture
def helm(tmp_path: Path) -> Helm:
    return Helm(parts.in_cluster("helm"), tmp_path)


@pytest.fixture(scope="session")
def example_host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example host's chart, with the loader's chart in it as `helm dependency build` put it there."""
    folder = tmp_path_factory.mktemp("charts")
    for name in ("example-host", "favn-feature-loader"):
        shutil.copytree(CHARTS / name, folder / name, ignore=shutil.ignore_patterns("charts", "Chart.lock"))
    helm = Helm(parts.in_cluster("helm"), folder)
    succeeded(helm.run("dependency", "build", folder / "example-host"))
    return folder / "example-host"


@pytest.fixture
def pod_of(helm: Helm, example_host: Path, tmp_path: Path) -> Callable[..., Pod]:
    """`pod_of(*values)`: the example host's pod. HelmError where the values are refused."""

    def make(*given: Values) -> Pod:
        return Pod.of(helm.template(example_host, *given), tmp_path)

    return make
