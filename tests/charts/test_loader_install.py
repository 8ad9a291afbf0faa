"""The example host, at a real API server: installed with no more rights than it needs, admitted where pods must be
`restricted`, and its loader may do what it has to and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.charts.helm import Helm, HelmError, Values, succeeded
from tests.charts.loader import EVERYTHING, FORMS, values
from tests.charts.pod import Pod
from tests.kubernetes.api import Answer, Api
from tests.kubernetes.control_plane import ControlPlane, ServiceAccount

CHANGES = ["get", "create", "patch", "delete"]
RELEASES = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "create", "update", "delete"]}
HOST = (
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": CHANGES},
    {"apiGroups": [""], "resources": ["services"], "verbs": CHANGES},
)
LOADER = (
    {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": CHANGES},
    {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"], "verbs": CHANGES},
)
READS = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}


@dataclass(frozen=True, slots=True)
class Installer:
    """Helm with certain rights in a namespace, and the example host's chart."""

    helm: Helm
    chart: Path
    namespace: str
    kubeconfig: Path

    def run(self, command: str, *words: str, given: tuple[Values, ...] = ()) -> str:
        """A command's output. HelmError."""
        return succeeded(self.helm.run(command, "portal", *words, "--kubeconfig", self.kubeconfig, values=given))

    def install(self, *given: Values, dry_run: str = "none") -> str:
        return self.run("install", str(self.chart), f"--dry-run={dry_run}", given=given)

    def upgrade(self, *given: Values) -> str:
        return self.run("upgrade", str(self.chart), given=given)


@pytest.fixture
def installer(helm: Helm, example_host: Path, control_plane: ControlPlane) -> Installer:
    """With the rights that the README asks for."""
    namespace = control_plane.namespace()
    account = control_plane.service_account(namespace, RELEASES, *HOST, *LOADER, READS)
    return Installer(helm, example_host, namespace, control_plane.kubeconfig(account))


@pytest.fixture
def asked(control_plane: ControlPlane, installer: Installer) -> Iterator[Api]:
    """The API as the loader of an installed host sees it."""
    installer.install()
    account = ServiceAccount(installer.namespace, "portal-feature-loader")
    with closing(control_plane.as_token(control_plane.token(account))) as api:
        yield api


def kinds_there(control_plane: ControlPlane, namespace: str) -> dict[str, list[str]]:
    """The names of what the chart makes, by the place of its kind."""
    access = "/apis/rbac.authorization.k8s.io/v1"
    places = {
        "deployments": "/apis/apps/v1",
        "services": "/api/v1",
        "serviceaccounts": "/api/v1",
        "roles": access,
        "rolebindings": access,
    }
    found = {}
    for kind, api in places.items():
        items = control_plane.admin.get(f"{api}/namespaces/{namespace}/{kind}")["items"]
        found[kind] = [one["metadata"]["name"] for one in items if not one["metadata"]["name"].startswith("account-")]
    return found


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_a_dry_run_is_judged_by_the_server_and_leaves_nothing(
    form: bool, installer: Installer, control_plane: ControlPlane
) -> None:
    said = installer.install(values(nativeSidecar=form), dry_run="server")
    assert "name: favn-feature-loader" in said
    assert set(map(tuple, kinds_there(control_plane, installer.namespace).values())) == {()}


def test_a_host_is_installed_changed_and_taken_away(installer: Installer, control_plane: ControlPlane) -> None:
    access = f"{installer.namespace}-portal-feature-loader"
    everything = {
        "deployments": ["portal"],
        "services": ["portal"],
        "serviceaccounts": ["portal-feature-loader"],
        "roles": [access],
        "rolebindings": [access],
    }
    installer.install()
    assert kinds_there(control_plane, installer.namespace) == everything

    installer.upgrade(values(nativeSidecar=True))
    place = f"/apis/apps/v1/namespaces/{installer.namespace}/deployments/portal"
    spec = control_plane.admin.get(place)["spec"]["template"]["spec"]
    assert [one["name"] for one in spec["initContainers"]] == ["favn-feature-loader"]
    assert [one["name"] for one in spec["containers"]] == ["host"]

    installer.upgrade(values(kubernetes={"enabled": False}, remoteIndex="https://cdn.example/remote-index.json"))
    no_access: dict[str, list[str]] = {"serviceaccounts": [], "roles": [], "rolebindings": []}
    assert kinds_there(control_plane, installer.namespace) == everything | no_access

    installer.run("rollback", "1")
    assert kinds_there(control_plane, installer.namespace) == everything
    installer.run("uninstall")
    assert set(map(tuple, kinds_there(control_plane, installer.namespace).values())) == {()}


def test_nobody_gives_the_loader_a_right_that_they_do_not_have(
    helm: Helm, example_host: Path, control_plane: ControlPlane
) -> None:
    namespace = control_plane.namespace()
    account = control_plane.service_account(namespace, RELEASES, *HOST, *LOADER)
    poor = Installer(helm, example_host, namespace, control_plane.kubeconfig(account))
    with pytest.raises(HelmError, match="attempting to grant RBAC permissions not currently held"):
        poor.install()


def configmaps(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


def test_the_loader_may_read_configmaps_and_nothing_else(
    asked: Api, installer: Installer, control_plane: ControlPlane
) -> None:
    own = configmaps(installer.namespace)
    control_plane.admin.create(own, {"metadata": {"name": "one"}})
    allowed = [
        asked.request("GET", own),
        asked.request("GET", f"{own}/one"),
        asked.request("GET", f"{own}?watch=true&timeoutSeconds=1"),
    ]
    assert [answer.status for answer in allowed] == [200, 200, 200]
    pods = f"/api/v1/namespaces/{installer.namespace}/pods"
    forbidden = {
        "create": asked.request("POST", own, {"metadata": {"name": "two"}}),
        "update": asked.request("PUT", f"{own}/one", {"metadata": {"name": "one"}}),
        "patch": asked.request("PATCH", f"{own}/one", {}),
        "delete": asked.request("DELETE", f"{own}/one"),
        "delete all": asked.request("DELETE", own),
        "secrets": asked.request("GET", f"/api/v1/namespaces/{installer.namespace}/secrets"),
        "pods": asked.request("GET", pods),
        "a pod": asked.request("POST", pods, {"metadata": {"name": "two"}}),
        "another namespace": asked.request("GET", configmaps("default")),
        "all namespaces": asked.request("GET", "/api/v1/configmaps"),
    }
    assert {what: answer.status for what, answer in forbidden.items()} == dict.fromkeys(forbidden, 403)


def test_where_other_namespaces_are_named_the_loader_reads_those_and_only_those(
    helm: Helm, example_host: Path, control_plane: ControlPlane
) -> None:
    home, *named, other = (control_plane.namespace() for _ in range(4))
    installer = Installer(helm, example_host, "default", control_plane.kubeconfig())
    installer.run("install", str(example_host), "--namespace", home, given=(values(kubernetes={"namespaces": named}),))
    token = control_plane.token(ServiceAccount(home, "portal-feature-loader"))
    with closing(control_plane.as_token(token)) as api:
        statuses = [api.request("GET", configmaps(namespace)).status for namespace in (*named, home, other)]
    assert statuses == [200, 200, 403, 403]


@pytest.fixture
def restricted(control_plane: ControlPlane) -> str:
    """A namespace that takes `restricted` pods only, with the service accounts that the chart's pods name."""
    name = control_plane.namespace()
    place = f"/api/v1/namespaces/{name}"
    namespace = control_plane.admin.get(place)
    namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "restricted"
    assert control_plane.admin.request("PUT", place, namespace).status == 200
    for account in ("test-feature-loader", "default"):
        control_plane.admin.create(f"{place}/serviceaccounts", {"metadata": {"name": account}})
    return name


def admission(control_plane: ControlPlane, namespace: str, spec: Any) -> Answer:
    """What the API server says to a new pod."""
    body = {"metadata": {"generateName": "portal-"}, "spec": spec}
    return control_plane.admin.request("POST", f"/api/v1/namespaces/{namespace}/pods", body)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("given", [{}, EVERYTHING, values(runAsUser=None, runAsGroup=None)])
def test_where_pods_must_be_restricted_it_is_admitted(
    given: Values, form: bool, restricted: str, control_plane: ControlPlane, pod_of: Callable[..., Pod]
) -> None:
    pod = pod_of(given, values(nativeSidecar=form))
    answer = admission(control_plane, restricted, pod.spec)
    assert answer.status == 201, answer.body
    assert [one["name"] for one in answer.body["spec"]["volumes"]] == [one["name"] for one in pod.spec["volumes"]]


WEAKER: dict[str, tuple[str, Any, str]] = {
    "more privileges": ("allowPrivilegeEscalation", True, "allowPrivilegeEscalation != false"),
    "capabilities": ("capabilities", {"add": ["NET_RAW"]}, "unrestricted capabilities"),
    "root": ("runAsNonRoot", False, "runAsNonRoot != true"),
    "no seccomp": ("seccompProfile", None, "seccompProfile"),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize(("member", "value", "said"), WEAKER.values(), ids=WEAKER.keys())
def test_every_restriction_is_one_that_the_server_asks_for(
    member: str,
    value: Any,
    said: str,
    form: bool,
    restricted: str,
    control_plane: ControlPlane,
    pod_of: Callable[..., Pod],
) -> None:
    pod = pod_of(values(nativeSidecar=form))
    pod.container("favn-feature-loader")["securityContext"][member] = value
    answer = admission(control_plane, restricted, pod.spec)
    assert answer.status == 403
    assert 'violates PodSecurity "restricted' in answer.body["message"]
    assert said in answer.body["message"]
    assert "favn-feature-loader" in answer.body["message"]
