"""The HTTP trigger of the development host: routes, keys, requests and answers as in Azure (C6)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.tools.running import Answer, Reports, RunningHost, ask, development_host, key
from tools.local.azurite import Account

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, new_storage: Callable[[], Account]) -> Iterator[RunningHost]:
    """One host for all tests here: none of them changes anything."""
    folder = tmp_path_factory.mktemp("host")
    with Reports() as reports, development_host(folder, new_storage().connection_string, reports) as running:
        yield running


def test_a_request_is_a_http_request_and_an_answer_is_the_functions(host: RunningHost) -> None:
    answer = ask(host.port, "/api/items/a%20b?x=1", headers={**key("a-read-key"), "x-sample": "s"})
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-answer"] == "yes"
    assert json.loads(answer.body) == {"id": "a b", "params": {"x": "1"}, "header": "s"}


def test_a_coroutine_gets_the_body_and_decides_the_status(host: RunningHost) -> None:
    answer = ask(host.port, "/api/items/7/promote", "POST", b'{"v": 1}', {**JSON, **key("a-release-key")})
    assert answer.status == 409
    assert json.loads(answer.body) == {"action": "promote", "body": {"v": 1}}


def test_a_text_is_an_answer_and_any_method_fits_a_route_without_methods(host: RunningHost) -> None:
    assert ask(host.port, "/api/open", "PUT", b"\xff\x00").body == b"PUT 2"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/nothing"), ("GET", "/open"), ("DELETE", "/api/items/7"), ("POST", "/api/items/7/withdraw")],
)
def test_no_route_or_another_method_is_404(host: RunningHost, method: str, path: str) -> None:
    assert ask(host.port, path, method, headers=key("the-master-key")).status == 404


@pytest.mark.parametrize(("path", "function"), [("/api/broken", "broken"), ("/api/no-answer", "no_answer")])
def test_a_failing_function_is_500_and_only_the_log_says_why(host: RunningHost, path: str, function: str) -> None:
    answer = ask(host.port, path)
    assert (answer.status, answer.body) == (500, b"")
    (line,) = (line for line in host.lines() if line.get("function") == function)
    assert (line["outcome"], line["subject"]) == ("failed", f"GET {path}")
    assert line["error"]


@pytest.mark.parametrize(
    ("presented", "statuses"),
    [
        ("", (401, 401, 401)),
        ("wrong", (401, 401, 401)),
        ("a-read-key", (200, 401, 401)),
        ("a-release-key", (401, 409, 401)),
        ("a-host-key", (200, 409, 401)),
        ("the-master-key", (200, 409, 200)),
    ],
)
def test_a_key_opens_what_it_is_for_and_nothing_else(
    host: RunningHost, presented: str, statuses: tuple[int, int, int]
) -> None:
    assert tuple(answer.status for answer in three_powers(host, headers=key(presented))) == statuses
    assert tuple(answer.status for answer in three_powers(host, query=f"?code={presented}")) == statuses


def test_the_status_page_says_running_without_a_key(host: RunningHost) -> None:
    assert json.loads(ask(host.port, "/admin/host/status").body)["state"] == "Running"


def three_powers(host: RunningHost, query: str = "", headers: Mapping[str, str] | None = None) -> list[Answer]:
    return [
        ask(host.port, f"/api/items/7{query}", headers=headers),
        ask(host.port, f"/api/items/7/rollback{query}", "POST", b"{}", headers),
        ask(host.port, f"/api/master{query}", headers=headers),
    ]
