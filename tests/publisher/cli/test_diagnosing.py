"""C2: `doctor`, as operators run it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.publisher.cli.shell import Shell
from tools.local.azurite import Account

FEATURE = "feature-patientlist"


@pytest.fixture
def published(shell: Shell) -> Shell:
    shell.json("publish", shell.directory("1.0.0"))
    return shell


def serve(handler: Any) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture
def web_server(published: Shell) -> Iterator[str]:
    """A plain web server over the folder: it knows nothing of W3."""
    yield from serve(partial(_Quiet, directory=str(published.folder / "cdn")))


class _Failing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"status": "failing", "problems": ["the setting FAVN_RELEASE_KEY is missing"]}).encode()
        self.send_response(503 if self.path == "/api/health" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture
def app() -> Iterator[str]:
    yield from serve(_Failing)


def test_doctor_of_a_sound_environment_ends_with_0_and_leaves_nothing_behind(published: Shell) -> None:
    before = sorted(published.folder.rglob("*"))
    document = published.json("doctor")
    assert {finding["level"] for finding in document["findings"]} == {"ok"}
    assert [path for path in sorted(published.folder.rglob("*")) if ".favn-work" not in str(path)] == [
        path for path in before if ".favn-work" not in str(path)
    ]


def test_doctor_names_what_is_wrong_and_what_to_do(published: Shell) -> None:
    answer = published.run("doctor", CDN_RELEASE_KEY_ID="build-test")
    assert answer.returncode == 2
    assert "not that of its entry" in answer.stderr
    unreachable = published.run("doctor", "--edge", "http://127.0.0.1:9")
    assert unreachable.returncode == 1
    assert "http://127.0.0.1:9/remote-index.json: no answer (saw Connection refused)" in unreachable.stdout
    assert "proxy" in unreachable.stdout


def test_c1_a_key_that_is_not_there_is_a_finding_beside_the_others(published: Shell) -> None:
    document = published.json("doctor", status=2, CDN_RELEASE_KEY="missing.pem")
    problems = [finding for finding in document["findings"] if finding["level"] == "problem"]
    assert [(one["check"], one["error"]["code"]) for one in problems] == [("signing key", "configuration_invalid")]
    assert len(document["findings"]) > 5


def test_c1_the_gravest_problem_is_the_exit_status(published: Shell) -> None:
    (published.folder / "cdn" / FEATURE / "1.0.0" / "manifest.json").write_text("rubbish")
    answer = published.run("doctor", "--edge", "http://127.0.0.1:9", CDN_RELEASE_KEY="missing.pem")
    assert answer.returncode == 3
    assert answer.stdout.count("problem") >= 3


def test_w3_doctor_tells_what_a_plain_web_server_lacks(published: Shell, web_server: str) -> None:
    document = published.json("doctor", "--edge", web_server)
    warnings = [one["found"] for one in document["findings"] if one["level"] == "warning"]
    assert any("X-Content-Type-Options" in one for one in warnings)
    assert any("Cache-Control" in one for one in warnings)
    assert {one["check"] for one in document["findings"] if one["level"] == "problem"} == set()


def test_c6_doctor_tells_what_the_app_says_of_itself(published: Shell, app: str) -> None:
    answer = published.run("doctor", "--app", app)
    assert answer.returncode == 1
    assert "FAVN_RELEASE_KEY is missing" in answer.stdout


def test_w1_doctor_of_an_account_looks_for_its_containers(shell: Shell, storage: Account) -> None:
    account = {"CDN_RELEASE_TO": storage.connection_string}
    shell.json("publish", shell.directory("1.0.0"), status=0, **account)
    document = shell.json("doctor", status=1, **account)
    assert [one["remedy"] for one in document["findings"] if one["level"] == "problem"] == ["make the container state"]
    for name in ("incoming", "receipts", "quarantine"):
        assert any(f"container {name} is there" in one["found"] for one in document["findings"])
