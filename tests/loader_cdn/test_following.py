"""`watch` as a process: features are independent, what is mounted registers, the host is told, and HTTP tells how it is
(L1, L8, L10, T20, T36).
"""

from __future__ import annotations

import http.server
import json
import os
import queue
import socket
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cluster.pod import Pod, running
from tests.loader_cdn.command import run
from tests.publisher.world import FEATURE
from tests.simulator.environment import Delivery
from tests.versions import FILES
from tests.waiting import wait_until

OTHER = "feature-lab-results"
INDEX = f"{FEATURE}/releases.json"


@pytest.fixture
def published(site: Delivery) -> Delivery:
    site.world.clock.now = datetime.now(UTC)
    for feature_id in (FEATURE, OTHER):
        site.publish("1.0.0", feature_id)
    return site


def follow(site: Delivery, folder: Path, *more: str | Path) -> AbstractContextManager[Pod]:
    """Both features, each by its own index."""
    flags = [word for name in (FEATURE, OTHER) for word in ("--feature", f"{name}={site.cdn.url}{name}")]
    return running(site, folder, *flags, "--poll", "1", *more)


def stands(site: Delivery, *versions: str, feature_id: str = OTHER) -> bool:
    return site.tree(feature_id) == site.published(*versions, feature_id=feature_id)


# Features are independent


@pytest.mark.parametrize("held", [INDEX, f"{FEATURE}/1.0.0/manifest.json", f"{FEATURE}/1.0.0/index.js"])
def test_l8_a_source_that_does_not_answer_delays_no_other_feature(
    published: Delivery, tmp_path: Path, held: str
) -> None:
    published.cdn.hold(held)
    with follow(published, tmp_path) as pod:
        wait_until(lambda: stands(published, "1.0.0"))
        published.publish("1.1.0", OTHER, files={**FILES, "index.js": b"new\n"})
        wait_until(lambda: stands(published, "1.0.0", "1.1.0"))
        assert not (published.root / INDEX).exists()
        assert not pod.is_ready()
        published.cdn.let_go()
        wait_until(lambda: stands(published, "1.0.0", feature_id=FEATURE))
        wait_until(pod.is_ready)


def test_l8_a_feature_that_fails_is_asked_less_and_less_often_and_others_as_before(
    published: Delivery, tmp_path: Path
) -> None:
    published.cdn.substitute(INDEX, b"<html>", status=200)
    with follow(published, tmp_path) as pod:
        wait_until(lambda: len([one for one in published.cdn.log if one.path == f"{OTHER}/releases.json"]) >= 12)
        assert len([one for one in published.cdn.log if one.path == INDEX]) <= 5
        assert pod.feature(FEATURE)["failures"].keys() == {"document_invalid"}
        published.cdn.heal()
        wait_until(lambda: stands(published, "1.0.0", feature_id=FEATURE))


# What a host needs to start (L10, T36)


def arguments(site: Delivery, *more: str | Path) -> list[str | Path]:
    trust = json.dumps(site.world.keys.trust_document())
    flags = [word for name in (FEATURE, OTHER) for word in ("--feature", f"{name}={site.cdn.url}{name}")]
    return ["sync", "--json", "--root", site.root, "--trust-keys", trust, *flags, *more]


STARTS = {
    # what is wrong, what the host needs -> exit status of the first run, and of one after a run that was well
    ("away", None): (1, 1),
    ("away", "current"): (1, 1),
    ("away", "kept"): (1, 0),
    ("away", "any"): (0, 0),
    ("refused", "current"): (3, 3),
    ("refused", "kept"): (3, 0),
    ("refused", "any"): (0, 0),
}


@pytest.mark.parametrize(("case", "statuses"), STARTS.items(), ids=[f"{what}-{need}" for what, need in STARTS])
def test_l10_what_a_host_needs_to_start_decides_how_sync_ends(
    published: Delivery, case: tuple[str, str | None], statuses: tuple[int, int]
) -> None:
    what, need = case
    given = arguments(published, *([] if need is None else ["--start-with", need]))
    if what == "away":
        published.cdn.substitute(INDEX, b"", status=500)
    else:
        published.cdn.substitute(INDEX, b"<html>")
    assert run(*given).status == statuses[0]
    assert stands(published, "1.0.0"), "what is there is brought"
    published.cdn.heal()
    assert run(*given).status == 0
    published.publish("1.1.0")
    published.cdn.substitute(INDEX, b"" if what == "away" else b"<html>", status=500 if what == "away" else 200)
    assert run(*given).status == statuses[1]


@pytest.mark.parametrize(("need", "is_ready"), [([], True), (["current"], False), (["kept"], False), (["any"], True)])
def test_l10_the_ready_file_says_what_the_host_was_said_to_need(
    published: Delivery, tmp_path: Path, need: list[str], is_ready: bool
) -> None:
    published.cdn.substitute(INDEX, b"<html>")
    ready = tmp_path / "ready"
    more = [word for value in need for word in ("--start-with", value)]
    run(*arguments(published, "--ready-file", ready, *more))
    assert ready.exists() == is_ready


def test_l10_sync_that_waits_tries_until_all_is_there(published: Delivery) -> None:
    asked = 0

    def heal(number: int, path: str) -> None:
        nonlocal asked
        asked += path == INDEX
        if asked == 6:
            published.cdn.heal()

    published.cdn.substitute(INDEX, b"<html>")
    published.cdn.on_request = heal
    ended = run(*arguments(published, "--wait"))
    assert ended.status == 0, ended.err
    assert stands(published, "1.0.0", feature_id=FEATURE)


def test_l10_a_wrong_setting_is_not_waited_for(published: Delivery) -> None:
    assert run(*arguments(published, "--wait", "--trust-keys", "nowhere.json")).status == 2


@pytest.mark.parametrize(("need", "is_ready"), [("any", True), ("kept", False), ("current", False)])
def test_l10_a_sidecar_is_ready_when_a_host_has_what_it_needs(
    published: Delivery, tmp_path: Path, need: str, is_ready: bool
) -> None:
    published.cdn.substitute(INDEX, b"<html>")
    ready = tmp_path / "ready"
    with follow(published, tmp_path, "--start-with", need, "--ready-file", ready) as pod:
        wait_until(lambda: pod.feature(FEATURE) and pod.feature(OTHER))
        if is_ready:
            wait_until(pod.is_ready)
            assert ready.exists()
        else:
            assert (pod.is_ready(), ready.exists()) == (False, False)
        published.cdn.heal()
        wait_until(pod.is_ready)
        assert ready.exists()


# Mounted ConfigMaps


def mount(folder: Path, *, keep: tuple[str, ...] = (), **config_maps: dict[str, str]) -> None:
    """As the kubelet does it: all values are swapped at once, by one link."""
    made = folder / f"..{os.urandom(4).hex()}"
    for name, data in config_maps.items():
        (made / name).mkdir(parents=True)
        for key, value in data.items():
            (made / name / key).write_text(value)
    made.mkdir(exist_ok=True)
    (folder / "..new").symlink_to(made.name)
    (folder / "..new").rename(folder / "..data")
    for name in config_maps:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    for path in folder.iterdir():
        if path.name not in (*config_maps, *keep) and not path.name.startswith(".."):
            path.unlink()


def test_l1_what_is_mounted_registers_and_a_change_is_followed_at_once(published: Delivery, tmp_path: Path) -> None:
    folder = tmp_path / "registrations"
    folder.mkdir()
    one = {"featureId": FEATURE, "cdnBaseUrl": f"{published.cdn.url}{FEATURE}\n"}
    two = {"featureId": OTHER, "cdnBaseUrl": f"{published.cdn.url}{OTHER}/"}
    mount(folder, one=one, wrong={"featureId": OTHER})
    with running(published, tmp_path, "--registrations", folder, "--poll", "600", "--grace", "0") as pod:
        wait_until(lambda: stands(published, "1.0.0", feature_id=FEATURE))
        wait_until(pod.is_ready)
        (problem,) = pod.status()["registrations"]["problems"]
        assert problem["configMap"] == "mounted/wrong"
        mount(folder, two=two)
        wait_until(lambda: published.tree() == published.published("1.0.0", feature_id=OTHER))
        assert pod.status()["registrations"]["problems"] == []


def test_l8_a_mount_that_goes_leaves_the_registrations_as_they_were(published: Delivery, tmp_path: Path) -> None:
    folder = tmp_path / "registrations"
    folder.mkdir()
    mount(folder, one={"featureId": FEATURE, "cdnBaseUrl": f"{published.cdn.url}{FEATURE}"})
    with running(published, tmp_path, "--registrations", folder, "--poll", "1", "--grace", "0") as pod:
        wait_until(lambda: stands(published, "1.0.0", feature_id=FEATURE))
        folder.rename(tmp_path / "elsewhere")
        wait_until(lambda: "the registrations cannot be read" in pod.logged())
        published.publish("1.1.0")
        wait_until(lambda: stands(published, "1.0.0", "1.1.0", feature_id=FEATURE))


def test_t20_a_mounted_registration_that_cannot_be_read_is_told_and_hides_no_other(
    published: Delivery, tmp_path: Path
) -> None:
    folder = tmp_path / "registrations"
    (folder / "odd" / "featureId").mkdir(parents=True)
    mount(folder, one={"featureId": FEATURE, "cdnBaseUrl": f"{published.cdn.url}{FEATURE}"}, keep=("odd",))
    with running(published, tmp_path, "--registrations", folder, "--poll", "1") as pod:
        wait_until(lambda: stands(published, "1.0.0", feature_id=FEATURE))
        (problem,) = pod.status()["registrations"]["problems"]
        assert problem["configMap"] == "mounted/odd"


# The host is told


@contextmanager
def listening() -> Iterator[tuple[str, queue.SimpleQueue[object]]]:
    """A host that listens: its URL, and the bodies that were posted to it."""
    posted: queue.SimpleQueue[object] = queue.SimpleQueue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/changed", posted
        server.shutdown()


def test_the_hook_is_posted_what_was_swapped_and_what_went(published: Delivery, tmp_path: Path) -> None:
    folder = tmp_path / "registrations"
    folder.mkdir()
    mount(folder, one={"featureId": FEATURE, "cdnBaseUrl": f"{published.cdn.url}{FEATURE}"})
    with listening() as (url, posted):
        given: list[str | Path] = ["--registrations", folder, "--poll", "1", "--grace", "0", "--on-swap", url]
        with running(published, tmp_path, *given):
            assert posted.get(timeout=30) == {"features": [FEATURE]}
            mount(folder)
            assert posted.get(timeout=30) == {"features": [FEATURE]}
        assert posted.empty()


def test_a_hook_that_is_a_file_is_touched_and_one_that_fails_is_told(published: Delivery, tmp_path: Path) -> None:
    touched = tmp_path / "changed"
    with follow(published, tmp_path, "--on-swap", touched):
        wait_until(touched.exists)
        before = touched.stat().st_mtime_ns
        published.publish("1.1.0")
        wait_until(lambda: touched.stat().st_mtime_ns > before)
    published.publish("1.2.0")
    with follow(published, tmp_path, "--on-swap", tmp_path / "nowhere" / "changed") as pod:
        wait_until(lambda: "feature_loader_hook_failures_total 1.0" in pod.get("/metrics")[1])
        assert stands(published, "1.0.0")


def test_the_hook_is_told_when_a_key_goes_and_takes_a_feature_along(published: Delivery, tmp_path: Path) -> None:
    """S5: what a host holds of it is to go, too."""
    keys, trust = published.world.keys, tmp_path / "trust.json"
    document = keys.trust_document()
    trust.write_text(json.dumps(document))
    with listening() as (url, posted):
        given = ["--feature", f"{FEATURE}={published.cdn.url}{FEATURE}", "--poll", "1", "--on-swap", url]
        with running(published, tmp_path, *given, "--trust-keys", str(trust)):
            assert posted.get(timeout=30) == {"features": [FEATURE]}
            del document[keys.build.key_id]
            trust.write_text(json.dumps(document))
            assert posted.get(timeout=30) == {"features": [FEATURE]}
            wait_until(lambda: published.tree() == {})


# HTTP


def test_many_idle_callers_take_nothing_from_the_loader_and_are_not_waited_for(
    published: Delivery, tmp_path: Path
) -> None:
    with follow(published, tmp_path) as pod:
        wait_until(pod.is_ready)
        idle = [socket.create_connection(("127.0.0.1", pod.port)) for _ in range(100)]
        descriptors = Path(f"/proc/{pod.process.pid}/fd")
        wait_until(lambda: len(list(descriptors.iterdir())) < 60)
        published.publish("1.1.0", OTHER)
        wait_until(lambda: stands(published, "1.0.0", "1.1.0"))
        for connection in idle:
            connection.close()
        wait_until(pod.answers)


def test_probes_metrics_and_status_tell_the_truth(published: Delivery, tmp_path: Path) -> None:
    with follow(published, tmp_path) as pod:
        wait_until(pod.is_ready)
        published.cdn.switches.offline = True
        wait_until(lambda: pod.feature(FEATURE)["result"] == "kept")
        assert pod.get("/healthz") == (200, "ok\n"), "stale is not dead"
        assert pod.get("/readyz") == (200, "ok\n")
        feature = pod.feature(FEATURE)
        assert (feature["sequence"], feature["activeVersion"], feature["versions"]) == (1, "1.0.0", ["1.0.0"])
        assert feature["failures"] == {"transport_failed": 1}
        assert feature["fetchedBytes"] == sum(len(data) for data in FILES.values())
        assert 80 * 86400 < feature["secondsToExpiry"] <= 90 * 86400
        metrics = pod.get("/metrics")[1]
        for line in (
            f'feature_loader_sequence{{feature="{FEATURE}"}} 1.0',
            f'feature_loader_active_version{{feature="{FEATURE}",version="1.0.0"}} 1.0',
            f'feature_loader_failing{{feature="{FEATURE}"}} 1.0',
            f'feature_loader_failures_total{{code="transport_failed",feature="{FEATURE}"}}',
            f'feature_loader_last_success_timestamp_seconds{{feature="{FEATURE}"}}',
            f'feature_loader_index_age_seconds{{feature="{FEATURE}"}}',
            f'feature_loader_index_expiry_seconds{{feature="{FEATURE}"}}',
            f'feature_loader_fetched_bytes_total{{feature="{FEATURE}"}}',
            f'feature_loader_update_seconds{{feature="{FEATURE}"}}',
            "feature_loader_ready 1.0",
        ):
            assert line in metrics
        page = pod.get("/status", accept="text/html,*/*")[1]
        assert page.startswith("<!doctype html>")
        assert FEATURE in page
        assert pod.get("/nothing")[0] == 404


def test_what_a_server_says_is_text_on_the_page(published: Delivery, tmp_path: Path) -> None:
    folder = tmp_path / "registrations"
    folder.mkdir()
    mount(folder, one={"featureId": "<script>alert(1)</script>"})
    with running(published, tmp_path, "--registrations", folder, "--poll", "1") as pod:
        wait_until(lambda: pod.status()["registrations"]["problems"])
        page = pod.get("/", accept="text/html")[1]
        assert "<script" not in page
        assert "&lt;script&gt;" in page


@pytest.mark.parametrize("address", ["", "x", "70000", "127.0.0.1", "::1:80", "host:-1"])
def test_c1_an_address_that_is_none_ends_it_with_2(published: Delivery, address: str) -> None:
    ended = run(*["watch", *arguments(published)[2:]], "--listen", address)
    assert ended.status == 2
    assert "--listen" in ended.err


def test_c1_a_port_that_is_taken_ends_it_with_2(published: Delivery, tmp_path: Path) -> None:
    with follow(published, tmp_path) as pod:
        other = [*arguments(published)[2:], "--listen", f"127.0.0.1:{pod.port}"]
        ended = run("watch", *other)
        assert ended.status == 2
        assert "cannot listen there" in ended.err
