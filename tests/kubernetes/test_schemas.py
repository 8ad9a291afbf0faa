"""The schemas that manifests are held against are the API server's own."""

from __future__ import annotations

from typing import Any

import yaml

from tests.kubernetes.kubeconform import Kubeconform


def deployment() -> dict[str, Any]:
    probe = {"httpGet": {"path": "/", "port": "http"}}
    limits = {"cpu": 1, "memory": "64Mi"}
    container = {"name": "one", "image": "one", "readinessProbe": probe, "resources": {"limits": limits}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "one"},
        "spec": {
            "selector": {"matchLabels": {"app": "one"}},
            "template": {"metadata": {"labels": {"app": "one"}}, "spec": {"containers": [container]}},
        },
    }


def test_what_the_api_server_takes_is_valid(kubeconform: Kubeconform) -> None:
    assert kubeconform.faults(yaml.safe_dump(deployment())) == []


def test_a_member_that_the_kind_does_not_have_is_a_fault(kubeconform: Kubeconform) -> None:
    broken = deployment()
    broken["spec"]["template"]["spec"]["containers"][0]["imagine"] = "one"
    (fault,) = kubeconform.faults(yaml.safe_dump(broken))
    assert "imagine" in fault


def test_a_kind_that_the_api_server_does_not_have_is_a_fault(kubeconform: Kubeconform) -> None:
    (fault,) = kubeconform.faults(yaml.safe_dump({**deployment(), "kind": "Deploiment"}))
    assert "could not find schema" in fault
