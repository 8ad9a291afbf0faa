"""L1, L12, T20: features come and go with ConfigMaps of a real API server, by the rights of the loader's chart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.cluster.pod import READ, Namespace, Pod, new_namespace, running
from tests.kubernetes.control_plane import ControlPlane
from tests.loader_cdn.command import run
from tests.publisher.world import FEATURE
from tests.simulator.environment import Delivery
from tests.waiting import wait_until

OTHER = "feature-lab-results"


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Namespace:
    return new_namespace(control_plane)


@pytest.fixture
def published(site: Delivery) -> Delivery:
    for feature_id in (FEATURE, OTHER):
        site.publish("1.0.0", feature_id)
    return site


@pytest.fixture
def pod(published: Delivery, namespace: Namespace, tmp_path: Path) -> Iterator[Pod]:
    """Polls seldom: what happens sooner, a registration has made happen."""
    with follow(published, namespace, tmp_path) as made:
        yield made


def follow(site: Delivery, namespace: Namespace, folder: Path, *more: str | Path) -> AbstractContextManager[Pod]:
    arguments = ["--kubernetes", "--poll", "600", "--grace", "2", *more]
    return running(site, folder, *arguments, KUBECONFIG=str(namespace.kubeconfig))


def url(site: Delivery, feature_id: str = FEATURE) -> str:
    return f"{site.cdn.url}{feature_id}"


def stands(site: Delivery, feature_id: str = FEATURE) -> bool:
    return (site.root / feature_id / "releases.json").exists()


def test_a_registration_appears_on_disk_and_one_that_goes_takes_its_feature_along(
    published: Delivery, namespace: Namespace, pod: Pod
) -> None:
    wait_until(pod.is_ready)
    assert published.tree() == {}
    namespace.register("patientlist", featureId=FEATURE, cdnBaseUrl=url(published))
    wait_until(lambda: stands(published))
    assert published.tree() == published.published("1.0.0")
    namespace.unregister("patientlist")
    wait_until(lambda: published.tree() == {})


def test_a_version_that_is_switched_at_the_source_appears_within_a_poll(
    published: Delivery, namespace: Namespace, tmp_path: Path
) -> None:
    namespace.register("patientlist", featureId=FEATURE, cdnBaseUrl=url(published))
    with follow(published, namespace, tmp_path, "--poll", "1"):
        wait_until(lambda: stands(published))
        published.publish("1.1.0")
        wait_until(lambda: published.tree() == published.published("1.0.0", "1.1.0"))


def test_l12_registered_again_in_time_under_another_name_a_feature_is_never_absent(
    published: Delivery, namespace: Namespace, tmp_path: Path
) -> None:
    namespace.register("one", featureId=FEATURE, cdnBaseUrl=url(published))
    with follow(published, namespace, tmp_path, "--grace", "3600", "--poll", "1") as pod:
        wait_until(lambda: stands(published))
        namespace.unregister("one")
        wait_until(lambda: "not registered any more; it goes in" in pod.logged())
        namespace.register("two", featureId=FEATURE, cdnBaseUrl=url(published))
        wait_until(lambda: pod.feature(FEATURE)["registeredBy"] == f"{namespace.name}/two")
        assert published.tree() == published.published("1.0.0")


def test_l1_loss_of_the_label_removes_a_feature(published: Delivery, namespace: Namespace, pod: Pod) -> None:
    namespace.register("patientlist", featureId=FEATURE, cdnBaseUrl=url(published))
    wait_until(lambda: stands(published))
    namespace.patch("patientlist", {"metadata": {"labels": {"favn.io/feature-registration": None}}})
    wait_until(lambda: published.tree() == {})


def test_l1_another_selector_selects_others(published: Delivery, namespace: Namespace, tmp_path: Path) -> None:
    namespace.register("one", featureId=FEATURE, cdnBaseUrl=url(published))
    namespace.register("two", labels={"stage": "test"}, featureId=OTHER, cdnBaseUrl=url(published, OTHER))
    with follow(published, namespace, tmp_path, "--selector", "stage in (test)"):
        wait_until(lambda: stands(published, OTHER))
        assert not stands(published)


def test_l1_several_namespaces_are_read_and_one_that_may_not_be_read_hides_no_other(
    published: Delivery, namespace: Namespace, control_plane: ControlPlane, tmp_path: Path
) -> None:
    namespace.register("one", featureId=FEATURE, cdnBaseUrl=url(published))
    forbidden = control_plane.namespace()
    more = ["--namespace", namespace.name, "--namespace", forbidden]
    with follow(published, namespace, tmp_path, *more) as pod:
        wait_until(lambda: stands(published))
        wait_until(lambda: "the service account may not" in pod.logged())
        assert pod.get("/readyz")[0] == 503
        assert pod.get("/healthz")[0] == 200
        assert pod.status()["registrations"]["error"]["code"] == "unauthorized"


WRONG = {
    "no source": {"featureId": OTHER},
    "both sources": {"featureId": OTHER, "cdnBaseUrl": "https://cdn.example/x", "image": f"r/x@sha256:{'0' * 64}"},
    "a bad id": {"featureId": "Feature_X", "cdnBaseUrl": "https://cdn.example/x"},
    "no id": {"cdnBaseUrl": "https://cdn.example/x"},
    "plain http": {"featureId": OTHER, "cdnBaseUrl": "http://cdn.example/x"},
    "a query": {"featureId": OTHER, "cdnBaseUrl": "https://cdn.example/x?y=z"},
    "no URL": {"featureId": OTHER, "cdnBaseUrl": "cdn.example"},
    "a bad sequence": {"featureId": OTHER, "cdnBaseUrl": "https://cdn.example/x", "minSequence": "-1"},
}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG)
def test_t20_a_registration_that_is_wrong_is_told_with_its_name_and_harms_no_other(
    published: Delivery, namespace: Namespace, pod: Pod, data: dict[str, str]
) -> None:
    namespace.register("wrong", **data)
    namespace.register("right", featureId=FEATURE, cdnBaseUrl=url(published))
    wait_until(lambda: stands(published))
    wait_until(pod.is_ready)
    (problem,) = pod.status()["registrations"]["problems"]
    assert problem["configMap"] == f"{namespace.name}/wrong"
    assert problem["error"]["code"] == "configuration_invalid"
    assert f"ConfigMap {namespace.name}/wrong" in pod.logged()
    metric = (
        f'feature_loader_registration_problem{{code="configuration_invalid",config_map="{namespace.name}/wrong"}} 1.0'
    )
    assert metric in pod.get("/metrics")[1]


def test_t20_of_two_registrations_for_one_feature_the_older_one_holds(
    published: Delivery, namespace: Namespace, pod: Pod
) -> None:
    older = namespace.register("c", featureId=OTHER, cdnBaseUrl=url(published, OTHER))
    newer = older
    while newer["metadata"]["creationTimestamp"] == older["metadata"]["creationTimestamp"]:  # it counts whole seconds
        if newer is not older:
            namespace.unregister("a-newer")
        newer = namespace.register("a-newer", featureId=OTHER, cdnBaseUrl="https://nowhere.example/")
    reference = f"{namespace.name}/a-newer"
    wait_until(lambda: [one["configMap"] for one in pod.status()["registrations"]["problems"]] == [reference])
    wait_until(lambda: stands(published, OTHER))
    wait_until(lambda: pod.feature(OTHER)["registeredBy"] == f"{namespace.name}/c")
    namespace.unregister("c")
    wait_until(lambda: pod.feature(OTHER)["registeredBy"] == f"{namespace.name}/a-newer")
    assert published.tree(OTHER) == published.published("1.0.0", feature_id=OTHER)


@pytest.mark.parametrize("is_restarted", [False, True])
def test_l1_a_registration_that_turns_malformed_keeps_its_feature(
    published: Delivery, namespace: Namespace, tmp_path: Path, is_restarted: bool
) -> None:
    """Also for a loader that did not see it when it was well."""
    namespace.register("patientlist", featureId=FEATURE, cdnBaseUrl=url(published))
    spoil = {"data": {"featureId": None, "cdnBaseUrl": None}}
    with follow(published, namespace, tmp_path, "--grace", "0", "--poll", "1") as pod:
        wait_until(lambda: pod.feature(FEATURE)["activeVersion"])
        if not is_restarted:
            namespace.patch("patientlist", spoil)
            wait_until(lambda: pod.feature(FEATURE)["result"] == "kept")
            assert published.tree() == published.published("1.0.0")
    if is_restarted:
        namespace.patch("patientlist", spoil)
    with follow(published, namespace, tmp_path, "--grace", "0", "--poll", "1") as pod:
        wait_until(lambda: pod.feature(FEATURE)["error"])
        kept = pod.feature(FEATURE)
        assert (kept["result"], kept["error"]["code"]) == ("kept", "configuration_invalid")
        assert published.tree() == published.published("1.0.0")
        namespace.patch("patientlist", {"data": {"featureId": FEATURE, "cdnBaseUrl": url(published)}})
        wait_until(lambda: pod.feature(FEATURE)["result"] == "unchanged")
        namespace.patch("patientlist", spoil)
        wait_until(lambda: pod.feature(FEATURE)["result"] == "kept")
        namespace.unregister("patientlist")
        wait_until(lambda: published.tree() == {})


def test_l1_an_event_is_made_on_the_configmap_where_that_is_permitted(
    published: Delivery, control_plane: ControlPlane, tmp_path: Path
) -> None:
    events = {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]}
    namespace = new_namespace(control_plane, READ, events)
    made = namespace.register("wrong", featureId=FEATURE)
    with follow(published, namespace, tmp_path) as pod:
        found = f"/api/v1/namespaces/{namespace.name}/events"
        wait_until(lambda: control_plane.admin.get(found)["items"])
        (event,) = control_plane.admin.get(found)["items"]
        assert event["involvedObject"]["uid"] == made["metadata"]["uid"]
        assert (event["type"], event["reason"]) == ("Warning", "RegistrationRefused")
        assert "exactly one of cdnBaseUrl and image" in event["message"]
        assert event["message"] in pod.logged()


def test_l1_a_floor_is_the_higher_one_of_registration_and_flag(
    published: Delivery, namespace: Namespace, tmp_path: Path
) -> None:
    namespace.register("one", featureId=FEATURE, cdnBaseUrl=url(published), minSequence="2")
    with follow(published, namespace, tmp_path, "--min-sequence", f"{FEATURE}=1") as pod:
        wait_until(lambda: pod.feature(FEATURE)["error"])
        assert pod.feature(FEATURE)["error"]["code"] == "sequence_rollback"
        namespace.patch("one", {"data": {"minSequence": "1"}})
        wait_until(lambda: stands(published))


def test_l1_a_flag_wins_over_a_registration(published: Delivery, namespace: Namespace, tmp_path: Path) -> None:
    namespace.register("one", featureId=FEATURE, cdnBaseUrl="https://nowhere.example/")
    with follow(published, namespace, tmp_path, "--feature", f"{FEATURE}={url(published)}") as pod:
        wait_until(lambda: pod.feature(FEATURE)["result"] == "updated")
        assert pod.feature(FEATURE)["registeredBy"] is None


def test_sync_brings_what_is_registered_and_ends(
    published: Delivery, namespace: Namespace, control_plane: ControlPlane
) -> None:
    namespace.register("one", featureId=FEATURE, cdnBaseUrl=url(published))
    namespace.register("wrong", featureId=OTHER)
    trust = json.dumps(published.world.keys.trust_document())
    given: list[str | Path] = ["sync", "--json", "--root", published.root, "--trust-keys", trust, "--kubernetes"]
    ended = run(*given, KUBECONFIG=str(namespace.kubeconfig))
    assert ended.status == 0, ended.err
    assert [row["featureId"] for row in ended.json["features"]] == [FEATURE]
    assert published.tree() == published.published("1.0.0")
