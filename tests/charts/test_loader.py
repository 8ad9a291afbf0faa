"""The loader's chart: what a host's pod gets from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.charts.helm import CHARTS, Helm, Values, succeeded
from tests.charts.loader import CDN, DIGEST, EVERYTHING, FORMS, LARGEST, values
from tests.charts.pod import Pod, named, of_kind
from tests.kubernetes.kubeconform import Kubeconform

CHART = CHARTS / "favn-feature-loader"

PodOf = Callable[..., Pod]
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"


def loaders(pod: Pod) -> list[Any]:
    """The containers of the loader, in the order in which they start."""
    return [one for one in pod.spec["initContainers"] + pod.spec["containers"] if one["name"] != "host"]


def native(form: bool) -> Values:
    return values(nativeSidecar=form)


def test_lint_finds_nothing(helm: Helm, example_host: Path) -> None:
    succeeded(helm.run("lint", "--strict", CHART))
    succeeded(helm.run("lint", "--strict", example_host))


def test_before_the_host_one_pass_and_beside_it_one_after_the_other(pod_of: PodOf) -> None:
    pod = pod_of()
    (before,) = pod.spec["initContainers"]
    host, beside = pod.spec["containers"]
    assert (before["name"], host["name"], beside["name"]) == ("favn-feature-sync", "host", "favn-feature-loader")
    common = [
        "--root=/features/artifacts",
        "--trust-keys=/etc/favn/trust/trust.json",
        "--kubernetes",
        "--selector=favn.io/feature-registration=true",
        "--timeout=300",
        "--grace=600",
    ]
    assert before["args"] == ["sync", *common, "--start-with=kept", "--ready-file=/features/ready", "--wait"]
    assert beside["args"] == ["watch", *common, "--poll=30", "--listen=8088", "--start-with=any"]
    assert not {"startupProbe", "readinessProbe", "livenessProbe"} & set(before)


def test_a_native_sidecar_is_one_container_that_starts_first_and_goes_on(pod_of: PodOf) -> None:
    pod = pod_of(native(True))
    (one,) = pod.spec["initContainers"]
    assert [container["name"] for container in pod.spec["containers"]] == ["host"]
    assert one["restartPolicy"] == "Always"
    assert one["args"][0] == "watch"
    assert {"--start-with=kept", "--ready-file=/features/ready", "--listen=8088"} <= set(one["args"])
    assert "--wait" not in one["args"]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_every_setting_reaches_the_loader(form: bool, pod_of: PodOf) -> None:
    pod = pod_of(EVERYTHING, native(form))
    for container in loaders(pod):
        assert container["image"] == f"registry.example/loader@{DIGEST}"
        assert container["imagePullPolicy"] == "Always"
        words = container["args"]
        assert words[1:15] == [
            "--root=/srv/favn/artifacts",
            "--trust-keys=/etc/favn/trust/trust.json",
            "--remote-index=https://cdn.example/prod/remote-index.json",
            "--kubernetes",
            "--selector=a=b,c",
            "--namespace=one",
            "--namespace=two",
            "--registrations=/etc/favn/registrations",
            f"--feature=feature-lab={CDN}",
            f"--min-sequence=feature-lab={LARGEST}",
            "--min-sequence=feature-notes=1000000",
            "--timeout=60",
            "--grace=0",
            "--allow-http",
        ]
        assert {"--allow-expired", "--start-with=any"} <= set(words)
        assert container["env"] == [
            {"name": "DOCKER_CONFIG", "value": "/etc/favn/registry"},
            {"name": "SSL_CERT_FILE", "value": "/etc/favn/authorities/ca.crt"},
            {"name": "HTTPS_PROXY", "value": "http://proxy.example:3128"},
        ]
    watching = pod.container("favn-feature-loader")
    assert {"--poll=5", "--listen=9000", "--on-swap=http://127.0.0.1:8080/changed"} <= set(watching["args"])
    assert watching["ports"] == [{"name": "favn-loader", "containerPort": 9000}]


def test_a_tag_where_there_is_no_digest(pod_of: PodOf) -> None:
    image = {"repository": "registry.example:5000/loader", "tag": "1.2.3"}
    assert {one["image"] for one in loaders(pod_of(values(image=image)))} == {"registry.example:5000/loader:1.2.3"}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_the_loader_has_no_more_rights_than_it_needs(form: bool, pod_of: PodOf) -> None:
    for container in loaders(pod_of(native(form))):
        assert container["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert container["resources"] == {
            "requests": {"cpu": "10m", "memory": "64Mi"},
            "limits": {"memory": "256Mi"},
        }
        writable = [mount["name"] for mount in container["volumeMounts"] if not mount.get("readOnly")]
        assert writable == ["favn-features"]


def test_resources_are_changed_one_by_one(pod_of: PodOf) -> None:
    for container in loaders(pod_of(values(resources={"limits": {"memory": "512Mi"}}))):
        assert container["resources"]["limits"] == {"memory": "512Mi"}
        assert container["resources"]["requests"] == {"cpu": "10m", "memory": "64Mi"}


def test_a_cluster_that_hands_out_user_ids_may_do_so(pod_of: PodOf) -> None:
    for container in loaders(pod_of(values(runAsUser=None, runAsGroup=None))):
        assert not {"runAsUser", "runAsGroup"} & set(container["securityContext"])
        assert container["securityContext"]["runAsNonRoot"] is True


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_probes_ask_whether_it_works_and_whether_features_are_in_place(form: bool, pod_of: PodOf) -> None:
    watching = pod_of(native(form)).container("favn-feature-loader")
    assert watching["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "favn-loader"}
    assert watching["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "favn-loader"}


@pytest.mark.parametrize(("timeout", "poll"), [(1, 1), (60, 5), (300, 30), (86_400, 86_400)])
def test_a_start_up_probe_outlasts_the_passes_that_the_host_waits_for(timeout: int, poll: int, pod_of: PodOf) -> None:
    seconds = {}
    for start_with in ("any", "kept", "current"):
        pod = pod_of(values(nativeSidecar=True, startWith=start_with, timeout=timeout, poll=poll))
        probe = pod.container("favn-feature-loader")["startupProbe"]
        assert probe["httpGet"] == {"path": "/readyz", "port": "favn-loader"}
        seconds[start_with] = probe["failureThreshold"] * probe["periodSeconds"]
    assert seconds["any"] >= timeout + 60
    assert seconds["kept"] == seconds["current"] >= 12 * (timeout + poll) + 60


def test_the_host_reads_what_the_loader_writes(pod_of: PodOf, tmp_path: Path) -> None:
    pod = pod_of()
    host = pod.container("host")
    assert host["volumeMounts"] == [{"name": "favn-features", "mountPath": "/features", "readOnly": True}]
    features = pod.volume("favn-features")
    assert pod.process("host").environment == {
        "FEATURE_HOST_ROOT": f"{features}/artifacts",
        "FEATURE_HOST_READY_FILE": f"{features}/ready",
    }
    for name in ("favn-feature-sync", "favn-feature-loader"):
        assert f"--root={features}/artifacts" in pod.process(name).arguments
    assert f"--ready-file={features}/ready" in pod.process("favn-feature-sync").arguments


def test_the_shared_volume_has_a_limit(pod_of: PodOf) -> None:
    assert named(pod_of().spec["volumes"], "favn-features") == {
        "name": "favn-features",
        "emptyDir": {"sizeLimit": "2Gi"},
    }


@pytest.mark.parametrize(
    ("trust", "volume"),
    [
        (
            {"configMap": {"name": "one"}},
            {"configMap": {"name": "one", "items": [{"key": "trust.json", "path": "trust.json"}]}},
        ),
        (
            {"configMap": None, "secret": {"name": "one", "key": "keys"}},
            {"secret": {"secretName": "one", "items": [{"key": "keys", "path": "trust.json"}]}},
        ),
    ],
)
def test_trust_keys_come_from_a_configmap_or_a_secret_as_a_folder(trust: Any, volume: Any, pod_of: PodOf) -> None:
    """A `subPath` would stay as it is when keys are rotated."""
    pod = pod_of(values(trustKeys=trust))
    assert named(pod.spec["volumes"], "favn-trust") == {"name": "favn-trust", **volume}
    for container in loaders(pod):
        mount = named(container["volumeMounts"], "favn-trust")
        assert mount == {"name": "favn-trust", "mountPath": "/etc/favn/trust", "readOnly": True}


def test_the_loader_alone_has_a_token_and_only_where_it_reads_registrations(pod_of: PodOf) -> None:
    pod = pod_of()
    assert pod.spec["automountServiceAccountToken"] is False
    (token, authority, namespace) = named(pod.spec["volumes"], "favn-api")["projected"]["sources"]
    assert token == {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}}
    assert authority["configMap"]["name"] == "kube-root-ca.crt"
    assert namespace["downwardAPI"]["items"][0]["path"] == "namespace"
    for container in loaders(pod):
        assert named(container["volumeMounts"], "favn-api")["mountPath"] == TOKEN

    pod = pod_of(values(kubernetes={"enabled": False}, features={"feature-lab": CDN}))
    assert "favn-api" not in {volume["name"] for volume in pod.spec["volumes"]}
    assert "serviceAccountName" not in pod.spec
    assert pod.spec["automountServiceAccountToken"] is False


def test_mounted_registrations_are_a_folder_each_and_may_be_missing(pod_of: PodOf) -> None:
    given = values(kubernetes={"enabled": False}, mountedRegistrations=["favn-a", "favn-b.c"])
    pod = pod_of(given)
    keys = ("featureId", "cdnBaseUrl", "image", "minSequence")
    assert named(pod.spec["volumes"], "favn-registrations")["projected"]["sources"] == [
        {
            "configMap": {
                "name": name,
                "optional": True,
                "items": [{"key": key, "path": f"{name}/{key}"} for key in keys],
            }
        }
        for name in ("favn-a", "favn-b.c")
    ]
    for container in loaders(pod):
        assert named(container["volumeMounts"], "favn-registrations")["mountPath"] == "/etc/favn/registrations"
        assert "--kubernetes" not in container["args"]


def test_credentials_and_authorities_are_mounted_under_the_names_that_are_looked_for(pod_of: PodOf) -> None:
    pod = pod_of(EVERYTHING)
    assert named(pod.spec["volumes"], "favn-registry")["secret"] == {
        "secretName": "registry",
        "items": [{"key": ".dockerconfigjson", "path": "config.json"}],
    }
    assert named(pod.spec["volumes"], "favn-authorities")["configMap"] == {
        "name": "hospital-ca",
        "items": [{"key": "all.pem", "path": "ca.crt"}],
    }
    for container in loaders(pod):
        places = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert places["favn-registry"] == "/etc/favn/registry"
        assert places["favn-authorities"] == "/etc/favn/authorities"


def rights(objects: list[Any]) -> Mapping[str, Any]:
    """Namespace -> the rules of the Role there, which is bound to the pod's service account."""
    roles = {(role["metadata"]["namespace"], role["metadata"]["name"]): role for role in of_kind(objects, "Role")}
    found = {}
    for binding in of_kind(objects, "RoleBinding"):
        namespace = binding["metadata"]["namespace"]
        (subject,) = binding["subjects"]
        assert subject == {"kind": "ServiceAccount", "name": subject["name"], "namespace": "default"}
        found[namespace] = (subject["name"], roles.pop((namespace, binding["roleRef"]["name"]))["rules"])
    assert roles == {}
    return found


READS = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}]


def test_it_may_read_configmaps_where_it_is_told_to_and_nothing_else(helm: Helm, example_host: Path) -> None:
    objects = helm.template(example_host)
    assert rights(objects) == {"default": ("test-feature-loader", READS)}
    (account,) = of_kind(objects, "ServiceAccount")
    assert account["metadata"]["name"] == "test-feature-loader"
    assert account["automountServiceAccountToken"] is False

    elsewhere = values(kubernetes={"namespaces": ["one", "two"], "serviceAccountName": "portal"})
    objects = helm.template(example_host, elsewhere)
    assert rights(objects) == {"one": ("portal", READS), "two": ("portal", READS)}
    assert of_kind(objects, "ServiceAccount") == []


def test_where_no_registrations_are_read_there_are_no_rights(helm: Helm, example_host: Path) -> None:
    objects = helm.template(example_host, values(kubernetes={"enabled": False}, features={"feature-lab": CDN}))
    assert {item["kind"] for item in objects} == {"Deployment", "Service"}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("given", [{}, EVERYTHING], ids=["the example", "everything"])
def test_the_api_servers_schemas_take_it(
    given: Values, form: bool, helm: Helm, example_host: Path, kubeconform: Kubeconform
) -> None:
    text = helm.text(example_host, given, native(form), release="7")
    assert kubeconform.faults(text) == []
    assert kubeconform.faults(text.replace("mountPath:", "mountPaths:", 1)) != []


def test_a_native_sidecar_needs_a_cluster_that_knows_it(helm: Helm, example_host: Path) -> None:
    old = ("template", "test", example_host, "--kube-version", "1.28.9")
    succeeded(helm.run(*old))
    said = helm.run(*old, values=(native(True),)).stderr
    assert "nativeSidecar needs Kubernetes 1.29 or later, this is v1.28.9" in said
    succeeded(helm.run(*old[:-1], "1.29.0-gke.1", values=(native(True),)))
