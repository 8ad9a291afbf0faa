"""T37: the API server away, a watch dead without a word, 410, a rotated token, permission withdrawn: what stands is
kept, and the loader recovers by itself.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import yaml

from loader_cdn.cluster import api
from loader_cdn.cluster.access import find
from loader_cdn.cluster.watcher import Watcher
from tests.cluster.pod import Namespace, Pod, new_namespace, running
from tests.cluster.proxy import Proxy
from tests.kubernetes.control_plane import ControlPlane
from tests.publisher.world import FEATURE
from tests.simulator.environment import Delivery
from tests.waiting import wait_until

OTHER = "feature-lab-results"
RECOVERY = 90.0


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Namespace:
    return new_namespace(control_plane)


@pytest.fixture
def published(site: Delivery, namespace: Namespace) -> Delivery:
    """One feature is registered already."""
    for feature_id in (FEATURE, OTHER):
        site.publish("1.0.0", feature_id)
    register(namespace, site, FEATURE)
    return site


def register(namespace: Namespace, site: Delivery, feature_id: str) -> None:
    namespace.register(feature_id, featureId=feature_id, cdnBaseUrl=f"{site.cdn.url}{feature_id}")


def follow(site: Delivery, kubeconfig: Path, folder: Path) -> AbstractContextManager[Pod]:
    arguments = ["--kubernetes", "--poll", "600", "--grace", "0"]
    return running(site, folder, *arguments, KUBECONFIG=str(kubeconfig))


def stands(site: Delivery, feature_id: str) -> bool:
    return (site.root / feature_id / "releases.json").exists()


def is_read(pod: Pod) -> bool:
    said = pod.status()["registrations"]
    return bool(said["known"] and said["error"] is None)


@pytest.fixture
def pod(published: Delivery, namespace: Namespace, tmp_path: Path) -> Iterator[Pod]:
    with follow(published, namespace.kubeconfig, tmp_path) as made:
        wait_until(lambda: stands(published, FEATURE))
        yield made


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_an_api_server_that_was_away_is_read_again_and_what_went_meanwhile_goes(
    published: Delivery, namespace: Namespace, control_plane: ControlPlane, pod: Pod, how: signal.Signals
) -> None:
    """Its watch cache starts empty, so that each earlier version is too old (410)."""
    control_plane.stop(how)
    try:
        wait_until(lambda: not is_read(pod))
        assert pod.get("/healthz")[0] == 200
        assert pod.get("/readyz")[0] == 200
        assert published.tree() == published.published("1.0.0")
    finally:
        control_plane.start()
    namespace.unregister(FEATURE)
    register(namespace, published, OTHER)
    wait_until(lambda: stands(published, OTHER), RECOVERY)
    wait_until(lambda: published.tree() == published.published("1.0.0", feature_id=OTHER))
    assert is_read(pod)


def test_an_api_server_that_is_away_at_the_start_is_waited_for(
    published: Delivery, namespace: Namespace, control_plane: ControlPlane, tmp_path: Path
) -> None:
    control_plane.stop()
    try:
        with follow(published, namespace.kubeconfig, tmp_path) as pod:
            wait_until(lambda: not is_read(pod))
            assert pod.get("/readyz")[0] == 503
            control_plane.start()
            wait_until(lambda: stands(published, FEATURE), RECOVERY)
            wait_until(pod.is_ready)
    finally:
        if control_plane.is_stopped:
            control_plane.start()


def test_permission_that_is_withdrawn_keeps_what_stands_and_counts_again_when_it_is_given_back(
    published: Delivery, namespace: Namespace, control_plane: ControlPlane, pod: Pod
) -> None:
    """A watch that runs goes on until its end, so the API server is started again."""
    withdrawn = control_plane.withdraw(namespace.account)
    control_plane.stop()
    control_plane.start()
    wait_until(lambda: "the service account may not" in pod.logged(), RECOVERY)
    assert published.tree() == published.published("1.0.0")
    register(namespace, published, OTHER)
    control_plane.give_back(withdrawn)
    wait_until(lambda: stands(published, OTHER), RECOVERY)


def with_token_file(namespace: Namespace, control_plane: ControlPlane, folder: Path) -> tuple[Path, Path]:
    """A kubeconfig whose token is in a file of its own, as in a pod."""
    config = yaml.safe_load(namespace.kubeconfig.read_text())
    token = folder / "token"
    token.write_text(control_plane.token(namespace.account))
    config["users"][0]["user"] = {"tokenFile": "token"}
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path, token


def test_a_token_that_is_refused_is_read_again(
    published: Delivery, namespace: Namespace, control_plane: ControlPlane, tmp_path: Path
) -> None:
    kubeconfig, token = with_token_file(namespace, control_plane, tmp_path)
    good = token.read_text()
    token.write_text("of-yesterday")
    with follow(published, kubeconfig, tmp_path) as pod:
        wait_until(lambda: "401" in pod.logged())
        assert "of-yesterday" not in pod.logged()
        token.write_text(good)
        wait_until(lambda: stands(published, FEATURE), RECOVERY)


# The watcher alone, where the network has to misbehave


def watcher(namespace: Namespace, url: str, folder: Path) -> Watcher:
    config = yaml.safe_load(namespace.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = url
    path = folder / "through-proxy"
    path.write_text(yaml.safe_dump(config))
    access = find({"KUBECONFIG": str(path)})
    return Watcher(access, namespace.name, "favn.io/feature-registration=true", lambda: None)


def names(watched: Watcher) -> set[str]:
    return {config_map.name for config_map in watched.config_maps or ()}


def test_a_watch_that_is_dead_without_a_word_is_noticed_by_its_silence(
    namespace: Namespace, control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "SILENT_SECONDS", 2.0)
    namespace.register("one", featureId=FEATURE)
    with Proxy(int(control_plane.url.rpartition(":")[2])) as proxy:
        watched = watcher(namespace, proxy.url, tmp_path)
        watched.start()
        try:
            wait_until(lambda: names(watched) == {"one"})
            proxy.silence()
            namespace.unregister("one")
            namespace.register("two", featureId=OTHER)
            wait_until(lambda: names(watched) == {"two"})
            assert proxy.connections >= 2
        finally:
            watched.stop()


def test_what_happens_while_a_watch_runs_is_heard_without_a_new_list(
    namespace: Namespace, control_plane: ControlPlane, tmp_path: Path
) -> None:
    with Proxy(int(control_plane.url.rpartition(":")[2])) as proxy:
        watched = watcher(namespace, proxy.url, tmp_path)
        watched.start()
        try:
            wait_until(lambda: watched.config_maps == ())
            namespace.register("one", featureId=FEATURE)
            wait_until(lambda: names(watched) == {"one"})
            namespace.patch("one", {"data": {"featureId": OTHER}})
            wait_until(lambda: [each.data for each in watched.config_maps or ()] == [{"featureId": OTHER}])
            namespace.unregister("one")
            wait_until(lambda: watched.config_maps == ())
            assert proxy.connections == 1
        finally:
            watched.stop()
