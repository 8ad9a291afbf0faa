"""The local pipeline (C7): it says where everything is, all of it answers, and nothing is left behind."""

from __future__ import annotations

import json
import os
import select
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from azure.storage.blob import BlobServiceClient, ContentSettings

from artifact.keys import PrivateKey
from artifact.trust import TrustStore
from publisher import cdn
from publisher.cdn import parse_endpoints
from tests import parts
from tests.tools.running import SAMPLE, WAIT, Reports, ask, key
from tools.local import core_tools
from tools.local.azurite import PROGRAM
from tools.local.children import ChildError
from tools.local.endpoints import Endpoints
from tools.local.pipeline import LocalPipeline
from tools.setup import node
from tools.setup.steps import ROOT

C7 = [
    "blobEndpoint",
    "connectionString",
    "functions",
    "functionKey",
    "functionKeys",
    "edge",
    "remoteIndex",
    "trustKeys",
    "buildKey",
    "buildKeyId",
    "purgeLog",
    "pids",
]
LAST_LINE = "What the app and the edge do follows here, a line for each invocation.\n"


@pytest.fixture(autouse=True)
def _storage_is_installed() -> None:
    if not PROGRAM.is_file() or node.find() is None:
        parts.missing("Azurite", "make install")


@pytest.fixture
def settings(reports: Reports) -> dict[str, str]:
    return {"SAMPLE_REPORTS": str(reports.port), "SAMPLE_QUEUE": "jobs"}


@pytest.fixture
def pipeline(tmp_path: Path, settings: Mapping[str, str]) -> LocalPipeline:
    return LocalPipeline(tmp_path / "local", script=SAMPLE, settings=settings, host="devhost")


def port(url: str) -> int:
    return urlsplit(url).port or 0


def get(url: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    answer = ask(port(url), urlsplit(url).path, headers=headers)
    return answer.status, answer.body


@contextmanager
def handles(pids: Mapping[str, int]) -> Iterator[Callable[[], None]]:
    """Handles on running processes of others; the function waits until all of them are gone."""
    if not hasattr(os, "pidfd_open"):
        pytest.skip("only Linux lets one wait for processes of others")
    opened = [os.pidfd_open(pid) for pid in pids.values()]

    def wait() -> None:
        for handle in opened:
            assert select.select([handle], [], [], WAIT)[0], "a process was left behind"

    try:
        yield wait
    finally:
        for handle in opened:
            os.close(handle)


def test_everything_answers_and_endpoints_json_says_where_as_in_c7(pipeline: LocalPipeline) -> None:
    file = pipeline.folder / "endpoints.json"
    with pipeline as endpoints:
        document = json.loads(file.read_text("utf-8"))
        assert list(document) == C7
        assert Endpoints.read(file) == endpoints
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert get(f"{endpoints.functions}/api/open") == (200, b"GET 0")
        assert get(endpoints.remote_index)[0] == 404  # nothing has been published
        with BlobServiceClient.from_connection_string(endpoints.connection_string) as service:
            names = {container.name for container in service.list_containers()}
            assert {"incoming", "artifacts", "receipts", "quarantine"} <= names
            assert service.url.rstrip("/") == endpoints.blob_endpoint
        assert sorted(document["pids"]) == ["edge", "functions", "storage"]
    assert not file.exists()


def test_the_keys_are_private_and_trusted_for_what_they_are_for_and_last(pipeline: LocalPipeline) -> None:
    with pipeline as endpoints:
        build, trust = endpoints.build_key.read_text("utf-8"), endpoints.trust_keys.read_text("utf-8")
        assert stat.S_IMODE(endpoints.build_key.stat().st_mode) == 0o600
        assert stat.S_IMODE((endpoints.build_key.parent / "release.pem").stat().st_mode) == 0o600
        PrivateKey.parse(build, where="build")
        TrustStore.parse(trust.encode(), source="trust")
        document = json.loads(trust)
        assert document[endpoints.build_key_id]["roles"] == ["manifest"]
        assert document[endpoints.build_key_id]["features"] == ["feature-*"]
        (release,) = (entry for key_id, entry in document.items() if key_id != endpoints.build_key_id)
        assert release["roles"] == ["releases", "index"]
    with pipeline as again:
        assert again.build_key.read_text("utf-8") == build
        assert again.trust_keys.read_text("utf-8") == trust


def test_each_function_key_opens_its_power_and_the_one_key_all(pipeline: LocalPipeline) -> None:
    with pipeline as endpoints:
        keys = {**endpoints.function_keys, "all": endpoints.function_key}
        opened = {name: powers(endpoints, value) for name, value in keys.items()}
    assert opened == {
        "read": (200, 401, 401),
        "purge": (401, 200, 401),
        "release": (401, 401, 409),
        "all": (200, 200, 409),
    }


def powers(endpoints: Endpoints, value: str) -> tuple[int, int, int]:
    number, headers = port(endpoints.functions), key(value)
    return (
        ask(number, "/api/items/7", headers=headers).status,
        ask(number, "/api/settings", headers=headers).status,
        ask(number, "/api/items/7/promote", "POST", b"{}", headers).status,
    )


def test_the_app_is_told_its_settings_and_its_callers_periods(
    pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAVN_SOAK_SECONDS", "3")
    with pipeline as endpoints:
        told = json.loads(get(f"{endpoints.functions}/api/settings", key(endpoints.function_key))[1])
        assert told["ArtifactsStorage"] == endpoints.connection_string
        assert told["FAVN_TRUST_KEYS"] == str(endpoints.trust_keys)
        assert Path(told["FAVN_RELEASE_KEY"]).is_file()
        assert told["FAVN_RELEASE_KEY_ID"] in json.loads(endpoints.trust_keys.read_text("utf-8"))
        assert (told["FAVN_POINTER_MAX_AGE"], told["FAVN_SOAK_SECONDS"]) == ("1", "3")
        assert told["FAVN_EDGE_URLS"] == endpoints.edge


@pytest.mark.parametrize("edge", ["varnish", "embedded"])
def test_the_app_is_given_an_identity_that_may_purge_the_edge_and_every_call_is_logged(
    tmp_path: Path, settings: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, edge: Literal["varnish", "embedded"]
) -> None:
    if edge == "varnish":
        parts.require("varnishd")
    pipeline = LocalPipeline(tmp_path / "local", script=SAMPLE, settings=settings, host="devhost", edge=edge)
    with pipeline as endpoints, BlobServiceClient.from_connection_string(endpoints.connection_string) as service:
        told = json.loads(get(f"{endpoints.functions}/api/settings", key(endpoints.function_key))[1])
        for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "AZURE_TOKEN_CREDENTIALS"):
            monkeypatch.setenv(name, told[name])
        blob = service.get_blob_client("artifacts", "remote-index.json")
        for data in (b"old", b"new"):
            blob.upload_blob(data, overwrite=True, content_settings=ContentSettings(cache_control="max-age=600"))
            assert get(endpoints.remote_index) == (200, b"old")
        cdn._credential.cache_clear()
        (endpoint,) = parse_endpoints(told["FAVN_PURGE_ENDPOINTS"], where="test")
        flight = endpoint.purger.purge(["/remote-index.json"], None)
        while flight is not None:
            flight = endpoint.purger.purge(["/remote-index.json"], flight.token)
        assert get(endpoints.remote_index) == (200, b"new")
        line = json.loads(endpoints.purge_log.read_text("utf-8"))
        assert (line["paths"], line["status"]) == (["/remote-index.json"], 202)


def test_a_bundle_reaches_the_app_and_what_is_published_reaches_readers(
    pipeline: LocalPipeline, reports: Reports
) -> None:
    with pipeline as endpoints, BlobServiceClient.from_connection_string(endpoints.connection_string) as service:
        service.get_blob_client("incoming", "feature-a/1.0.0.txt").upload_blob(b"bundle")
        assert reports.next("arrived")["body"] == "bundle"
        service.get_blob_client("artifacts", "remote-index.json").upload_blob(b"{}")
        ask(port(endpoints.edge), "/other.json")
        assert get(endpoints.remote_index) == (200, b"{}")


def test_several_run_at_once_each_in_its_folder_and_one_folder_takes_one(
    tmp_path: Path, pipeline: LocalPipeline, settings: Mapping[str, str]
) -> None:
    other = LocalPipeline(tmp_path / "other", script=SAMPLE, settings=settings, host="devhost")
    third = LocalPipeline(pipeline.folder, script=SAMPLE, settings=settings, host="devhost")
    with pipeline as first, other as second:
        assert first.functions != second.functions
        with pytest.raises(ChildError, match="already running"), third:
            pass
        assert get(f"{first.functions}/api/open")[0] == get(f"{second.functions}/api/open")[0] == 200
        assert (pipeline.folder / "endpoints.json").exists()


def test_an_app_that_cannot_start_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    script = tmp_path / "function_app.py"
    script.write_text("raise RuntimeError('no such luck')\n", "utf-8")
    pipeline = LocalPipeline(tmp_path / "local", script=script, host="devhost")
    with pytest.raises(ChildError, match=r"(?s)functions ended with status 1 at its start.*no such luck"), pipeline:
        pass
    assert not (pipeline.folder / "endpoints.json").exists()


def test_a_part_that_dies_ends_the_wait_with_its_name(pipeline: LocalPipeline) -> None:
    with pipeline as endpoints:
        os.kill(endpoints.pids["storage"], signal.SIGKILL)
        with pytest.raises(ChildError, match="storage has ended by itself"):
            pipeline.wait()


class TestUp:
    """`make up`, as its own process."""

    @pytest.fixture
    def up(self, tmp_path: Path, settings: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
        command = [sys.executable, "-m", "tools.local.up", "--folder", str(tmp_path / "up"), "--script", str(SAMPLE)]
        with (
            (tmp_path / "log").open("w") as log,
            subprocess.Popen(
                [*command, "--host", "devhost"],
                cwd=ROOT,
                env={**os.environ, **settings},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            ) as process,
        ):
            assert process.stdout is not None
            for line in process.stdout:
                if line == LAST_LINE:
                    break
            else:
                pytest.fail((tmp_path / "log").read_text("utf-8"))
            yield process
            process.kill()

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_it_stops_with_status_0_and_no_process_stays(
        self, up: subprocess.Popen[str], tmp_path: Path, number: signal.Signals
    ) -> None:
        file = tmp_path / "up" / "endpoints.json"
        with handles(Endpoints.read(file).pids) as wait:
            up.send_signal(number)
            assert up.wait(WAIT) == 0
            wait()
        assert not file.exists()

    def test_its_parts_do_not_outlive_it_even_when_it_is_killed(
        self, up: subprocess.Popen[str], tmp_path: Path
    ) -> None:
        with handles(Endpoints.read(tmp_path / "up" / "endpoints.json").pids) as wait:
            up.kill()
            wait()

    @pytest.mark.parametrize("part", ["functions", "edge", "storage"])
    def test_the_death_of_a_part_ends_it_with_a_message(
        self, up: subprocess.Popen[str], tmp_path: Path, part: str
    ) -> None:
        pids = Endpoints.read(tmp_path / "up" / "endpoints.json").pids
        with handles(pids) as wait:
            os.kill(pids[part], signal.SIGKILL)
            assert up.wait(WAIT) == 1
            wait()
        assert f"{part} has ended by itself" in (tmp_path / "log").read_text("utf-8")


class TestCoreTools:
    """A stand-in for `func`, which cannot be installed everywhere: what it is called with, and what it is told."""

    FUNC = """\
        import json, os, socket, sys
        from http.server import BaseHTTPRequestHandler, HTTPServer

        FUNCTIONS = [
            {"name": "arrived", "config": {"bindings": [
                {"type": "blobTrigger", "source": "EventGrid", "path": "incoming/{name}", "name": "bundle"}]}},
            {"name": "open", "config": {"bindings": [{"type": "httpTrigger"}, {"type": "http"}]}},
        ]

        def tell(**facts):
            with socket.create_connection(("127.0.0.1", int(os.environ["SAMPLE_REPORTS"]))) as connection:
                connection.sendall(json.dumps(facts).encode() + b"\\n")
                connection.makefile().readline()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.answer({"/admin/host/status": {"state": "Running"}, "/admin/functions": FUNCTIONS}[self.path])

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                tell(function="hook", path=self.path, kind=self.headers["aeg-event-type"], body=body)
                self.answer({})

            def answer(self, document):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(document).encode())

        assert sys.argv[1:3] == ["start", "--port"], sys.argv
        tell(function="started", folder=os.getcwd(), runtime=os.environ["FUNCTIONS_WORKER_RUNTIME"])
        HTTPServer(("127.0.0.1", int(sys.argv[3])), Handler).serve_forever()
        """

    def test_func_runs_the_app_where_it_is_installed_and_is_told_of_new_blobs(
        self, tmp_path: Path, settings: Mapping[str, str], reports: Reports, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        func = tmp_path / "bin" / "func"
        func.parent.mkdir()
        program = func.with_name("func.py")
        program.write_text(textwrap.dedent(self.FUNC), "utf-8")
        # Not a shebang with the interpreter: its path may hold spaces.
        func.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{program}" "$@"\n', "utf-8")
        func.chmod(0o755)
        monkeypatch.setenv("PATH", f"{func.parent}{os.pathsep}{os.environ['PATH']}")
        pipeline = LocalPipeline(tmp_path / "local", script=SAMPLE, settings=settings)
        with pipeline as endpoints, BlobServiceClient.from_connection_string(endpoints.connection_string) as service:
            started = reports.next("started")
            assert (started["folder"], started["runtime"]) == (str(SAMPLE.parent), "python")
            blob = service.get_blob_client("incoming", "feature-a/1.0.0.tar.gz")
            etag = blob.upload_blob(b"bundle")["etag"]
            told = reports.next("hook")
        (event,) = told["body"]
        assert told["path"] == "/runtime/webhooks/blobs?functionName=Host.Functions.arrived"
        assert told["kind"] == "Notification"
        assert event["eventType"] == "Microsoft.Storage.BlobCreated"
        assert event["subject"] == "/blobServices/default/containers/incoming/blobs/feature-a/1.0.0.tar.gz"
        assert (event["data"]["url"], event["data"]["eTag"]) == (blob.url, etag.strip('"'))

    def test_without_it_asking_for_it_says_so(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        if core_tools.find() is not None:
            monkeypatch.setenv("PATH", str(node.require().node.parent))
        with pytest.raises(ChildError, match="Core Tools"), LocalPipeline(tmp_path / "local", host="func"):
            pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_demo_that_is_stopped_leaves_no_folder(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "tools.local.demo"]
    with subprocess.Popen(
        command,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        assert "Starting" in demo.stdout.readline()
        demo.send_signal(number)
        said, _ = demo.communicate(timeout=WAIT)
    assert demo.returncode == 1
    assert said.endswith("demo: stopped\n")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    command = [sys.executable, "-m", "tools.local.up", "--folder", str(tmp_path / "file")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WAIT)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    assert str(tmp_path / "file") in done.stderr
