"""A pod on this machine: what other tests run is what the chart says, with folders in the place of volumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.charts.pod import Pod


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    shared: dict[str, Any] = {"name": "shared", "mountPath": "/data"}
    inner: dict[str, Any] = {"name": "inner", "mountPath": "/data/inner"}
    first = {
        "name": "first",
        "args": [
            "run",
            "--root=/data/a",
            "--keys=/data/inner/b",
            "--data",
            "/database",
            "--url=https://x.example/data/a",
        ],
        "env": [{"name": "PLACE", "value": "/data"}, {"name": "WORD", "value": "data"}],
        "volumeMounts": [shared, inner],
    }
    second = {"name": "second", "volumeMounts": [{"name": "shared", "mountPath": "/elsewhere"}]}
    spec = {"initContainers": [first], "containers": [second], "volumes": [{"name": "shared"}, {"name": "inner"}]}
    deployment = {"kind": "Deployment", "spec": {"template": {"spec": spec}}}
    return Pod.of([{"kind": "Service"}, deployment], tmp_path)


def test_paths_below_a_mount_are_local_and_nothing_else_is_touched(pod: Pod, tmp_path: Path) -> None:
    assert pod.process("first").arguments == (
        "run",
        f"--root={tmp_path}/shared/a",
        f"--keys={tmp_path}/inner/b",
        "--data",
        "/database",
        "--url=https://x.example/data/a",
    )
    assert pod.process("first").environment == {"PLACE": f"{tmp_path}/shared", "WORD": "data"}


def test_containers_share_a_volume_wherever_they_mount_it(pod: Pod) -> None:
    (pod.volume("shared") / "a").touch()
    assert Path(pod.process("first").arguments[1].partition("=")[2]).exists()
    assert pod.container("second")["volumeMounts"][0]["mountPath"] == "/elsewhere"


def test_a_volume_that_the_pod_does_not_have_is_a_fault(pod: Pod) -> None:
    with pytest.raises(ValueError, match="not enough values"):
        pod.volume("imagined")
