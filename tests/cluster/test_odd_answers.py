"""An API server, or what answers in its place, that does what the real one seldom does (T37)."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from artifact.errors import ConfigurationError
from loader_cdn.brought import Origin
from loader_cdn.cluster import namespaces
from loader_cdn.cluster.access import Access, find
from loader_cdn.cluster.watcher import Watcher
from loader_cdn.registrations.configmaps import ConfigMap, registered
from tests.waiting import wait_until

EMPTY = {"metadata": {"resourceVersion": "5"}, "items": []}


class Odd(ThreadingHTTPServer):
    """`items` is what a list answers, `watch` status and body of a watch; None: it goes on and says nothing."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.document: Any = EMPTY
        self.watch: tuple[int, bytes] | None = None
        self.asked = {"list": 0, "watch": 0}
        self.closing = threading.Event()

    @property
    def access(self) -> Access:
        return Access(f"http://127.0.0.1:{self.server_address[1]}", "test")


class _Handler(BaseHTTPRequestHandler):
    server: Odd
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        is_watch = "watch=true" in self.path
        self.server.asked["watch" if is_watch else "list"] += 1
        if not is_watch:
            self._answer(200, json.dumps(self.server.document).encode())
        elif self.server.watch is not None:
            self._answer(*self.server.watch)
        else:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.server.closing.wait(60)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[Odd]:
    with Odd() as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.closing.set()
        running.shutdown()


@pytest.fixture
def watcher(server: Odd) -> Iterator[Watcher]:
    made = Watcher(server.access, "test", "a=b", lambda: None)
    yield made
    made.stop()


ENDS = {
    "forbidden": (403, b'{"message": "no"}'),
    "busy": (429, b""),
    "broken": (500, b"<html>"),
    "gone, as a status": (410, b""),
    "gone, as an event": (200, b'{"type": "ERROR", "object": {"code": 410, "reason": "Expired"}}\n'),
    "an error without a code": (200, b'{"type": "ERROR", "object": {}}\n'),
    "at once": (200, b""),
    "no JSON": (200, b"<html>\n"),
    "no object": (200, b"[]\n"),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_watch_that_ends_badly_again_and_again_is_listed_again_less_and_less_often(
    server: Odd,
    watcher: Watcher,
    end: tuple[int, bytes],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "loader_cdn")
    pauses: list[float] = []
    real = watcher._stop.wait

    def wait(seconds: float) -> bool:
        pauses.append(seconds)
        return real(0.01)

    monkeypatch.setattr(watcher._stop, "wait", wait)
    server.watch = end
    watcher.start()
    wait_until(lambda: len(pauses) >= 8)
    assert watcher.failure is None
    assert watcher.config_maps == ()
    assert max(pauses[5:8]) > 5
    assert "registrations in test" in caplog.text
    assert server.asked["list"] <= len(pauses) + 1


ODD_LISTS: dict[str, Any] = {
    "null": {"metadata": {"resourceVersion": "5"}, "items": None},
    "numbers": {
        "metadata": {"resourceVersion": 5},
        "items": [{"metadata": {"name": 1, "resourceVersion": 1}, "data": {"featureId": 5, "image": None}}],
    },
    "null data": {
        "metadata": {"resourceVersion": "5"},
        "items": [{"metadata": {"name": "a", "resourceVersion": "1"}, "data": None}],
    },
}


@pytest.mark.parametrize("document", ODD_LISTS.values(), ids=ODD_LISTS)
def test_an_odd_list_harms_nobody(server: Odd, watcher: Watcher, document: Any) -> None:
    server.document = document
    watcher.start()
    wait_until(lambda: watcher.config_maps is not None)
    registered(watcher.config_maps or (), Origin.CLUSTER, {}, allow_http=False)
    assert watcher.failure is None


@pytest.mark.parametrize("document", [{}, [], {"items": [1]}, {"items": [{"metadata": {"name": "a"}}]}])
def test_what_is_no_list_is_a_fault_that_passes(server: Odd, watcher: Watcher, document: Any) -> None:
    server.document = document
    watcher.start()
    wait_until(lambda: watcher.error is not None)
    assert watcher.failure is None
    server.document = EMPTY
    wait_until(lambda: watcher.config_maps == ())


def test_l11_many_namespaces_end_together(server: Odd, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are told before the first one is waited for: together they take as long as one."""
    calls: list[str] = []

    def recorded(name: str) -> None:
        real = getattr(Watcher, name)

        def method(self: Watcher, *given: float) -> None:
            calls.append(name)
            real(self, *given)

        monkeypatch.setattr(Watcher, name, method)

    monkeypatch.setattr(namespaces, "find", lambda: server.access)
    recorded("stop")
    recorded("join")
    names = [f"namespace-{number}" for number in range(8)]
    with namespaces.watched(wanted=True, names=names, selector="a=b", changed=lambda: None) as watched:
        assert watched is not None
        wait_until(lambda: watched.is_known)
        wait_until(lambda: server.asked["watch"] == len(names))
    assert calls == ["stop"] * len(names) + ["join"] * len(names)


def test_a_namespace_that_is_named_twice_is_one() -> None:
    made = namespaces.Namespaces(Access("http://127.0.0.1:1", "test"), ["a", "a", "b"], "x=y", lambda: None)
    assert [watcher.namespace for watcher in made.watchers] == ["a", "b"]


@pytest.mark.parametrize(
    "text", ['users: [{name: u, user: {token: "SECRET', "users: {}", "", "[]", "current-context: é"]
)
def test_t21_a_kubeconfig_that_is_none_is_a_wrong_setting_and_shows_no_token(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        find({"KUBECONFIG": str(path)})
    assert "SECRET" not in caught.value.message
    assert str(path) in caught.value.message


def test_l1_a_pod_finds_the_api_server_by_its_files_before_a_kubeconfig(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, text in {"token": "t\n", "namespace": "hospital\n", "ca.crt": "PEM"}.items():
        (tmp_path / name).write_text(text)
    environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443", "KUBECONFIG": "nowhere"}
    access = find(environment, tmp_path)
    assert (access.url, access.namespace, access.authority) == ("https://[fd00::1]:6443", "hospital", b"PEM")
    token = access.token()
    assert token.value() == "t"
    (tmp_path / "token").write_text("u")
    assert token.value() == "t", "it is read again after a minute, or"
    token.read_again()
    assert token.value() == "u", "after a 401"
    (tmp_path / "token").unlink()
    token.read_again()
    assert token.value() == "u"
    assert str(tmp_path / "token") in caplog.text


def test_l1_nothing_that_tells_of_an_api_server_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="KUBECONFIG"):
        find({}, tmp_path)


def config_map(name: str, created: str, **data: str) -> ConfigMap:
    return ConfigMap("test", name, data, f"2026-01-0{created}T00:00:00Z")


def test_l1_an_older_registration_that_turns_malformed_keeps_its_feature_from_a_younger_one() -> None:
    older = config_map("older", "1", featureId="f", cdnBaseUrl="https://a.example/f", minSequence="x")
    younger = config_map("younger", "2", featureId="f", cdnBaseUrl="https://b.example/f")
    found = registered([younger, older], Origin.CLUSTER, {"test/older": ["f"]}, allow_http=False)
    (registration,) = found.registrations
    assert registration.by == ("test/older", "test/younger")
    assert registration.fault is not None
    assert {problem.config_map.name for problem in found.problems} == {"older", "younger"}


def test_l1_the_last_one_left_keeps_a_feature_though_another_one_held_it() -> None:
    """Both were right once; the holder goes when the other one is malformed already."""
    left = config_map("left", "2", featureId="f")
    found = registered([left], Origin.CLUSTER, {"test/gone": ["f"], "test/left": ["f"]}, allow_http=False)
    (registration,) = found.registrations
    assert (registration.feature_id, registration.by) == ("f", ("test/left",))


def test_t20_one_that_was_never_right_takes_nothing_from_a_younger_one() -> None:
    wrong = config_map("a-wrong", "1", featureId="f")
    right = config_map("right", "2", featureId="f", cdnBaseUrl="https://b.example/f")
    (registration,) = registered([wrong, right], Origin.CLUSTER, {}, allow_http=False).registrations
    assert (registration.by, registration.fault) == (("test/right",), None)
