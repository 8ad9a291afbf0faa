"""The control plane that other tests rely on: it enforces RBAC, keeps its objects, and leaves nothing behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest
import yaml

from tests.kubernetes.api import Api
from tests.kubernetes.control_plane import ControlPlane

READS_CONFIGMAPS = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}


@pytest.fixture
def namespace(control_plane: ControlPlane) -> str:
    return control_plane.namespace()


@pytest.fixture
def reader(control_plane: ControlPlane, namespace: str) -> Iterator[Api]:
    """A service account that may read the ConfigMaps of its namespace."""
    account = control_plane.service_account(namespace, READS_CONFIGMAPS)
    with closing(control_plane.as_token(control_plane.token(account))) as api:
        yield api


def configmaps(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


def test_it_is_the_version_that_was_built(control_plane: ControlPlane) -> None:
    assert control_plane.admin.get("/version")["gitVersion"].startswith("v1.35.")


def test_a_service_account_may_do_what_its_role_says_and_nothing_else(
    control_plane: ControlPlane, namespace: str, reader: Api
) -> None:
    control_plane.admin.create(configmaps(namespace), {"metadata": {"name": "one"}, "data": {"key": "value"}})
    assert [item["data"] for item in reader.get(configmaps(namespace))["items"]] == [{"key": "value"}]
    forbidden = {
        "create": reader.request("POST", configmaps(namespace), {"metadata": {"name": "two"}}),
        "delete": reader.request("DELETE", f"{configmaps(namespace)}/one"),
        "secrets": reader.request("GET", f"/api/v1/namespaces/{namespace}/secrets"),
        "another namespace": reader.request("GET", configmaps("default")),
        "all namespaces": reader.request("GET", "/api/v1/configmaps"),
    }
    assert {what: answer.status for what, answer in forbidden.items()} == dict.fromkeys(forbidden, 403)


def test_who_shows_no_credentials_or_false_ones_gets_nothing(control_plane: ControlPlane, namespace: str) -> None:
    with closing(Api(control_plane.url, control_plane.authority)) as nobody:
        assert nobody.request("GET", configmaps(namespace)).status == 403
    with closing(control_plane.as_token("false")) as liar:
        assert liar.request("GET", configmaps(namespace)).status == 401


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_keeps_objects_tokens_and_rights(
    how: signal.Signals, control_plane: ControlPlane, namespace: str, reader: Api
) -> None:
    made = control_plane.admin.create(configmaps(namespace), {"metadata": {"name": "kept"}})
    control_plane.stop(how)
    control_plane.start()
    assert reader.get(f"{configmaps(namespace)}/kept") == made
    assert reader.request("DELETE", f"{configmaps(namespace)}/kept").status == 403


def test_a_kubeconfig_leads_to_the_api_server_as_its_service_account(
    control_plane: ControlPlane, namespace: str
) -> None:
    account = control_plane.service_account(namespace, READS_CONFIGMAPS)
    config = yaml.safe_load(control_plane.kubeconfig(account).read_text("utf-8"))
    (context,) = config["contexts"]
    assert context["context"]["namespace"] == namespace
    assert config["clusters"][0]["cluster"]["server"] == control_plane.url
    with closing(control_plane.as_token(config["users"][0]["user"]["token"])) as api:
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        who = api.create("/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
    assert who["status"]["userInfo"]["username"] == f"system:serviceaccount:{namespace}:{account.name}"


def test_a_part_does_not_outlive_a_parent_that_is_killed() -> None:
    program = (
        "from tests.kubernetes.control_plane import with_parent\n"
        "from tools.local.children import Child\n"
        "with Child('sleeper', with_parent(['sh', '-c', 'echo up >&2; exec sleep 1000']), {}, None) as child:\n"
        "    child.wait(1000)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE) as parent:
        assert parent.stderr is not None
        assert parent.stderr.readline() == b"up\n"
        parent.kill()
        assert parent.stderr.read() == b""  # nobody is left who could write
