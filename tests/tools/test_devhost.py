"""The development host dispatches what the real host does, to functions that cannot tell the difference."""

from __future__ import annotations

import base64
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.storage.queue import QueueClient

from tests.tools.conftest import Put
from tests.tools.running import WAIT, Reports, RunningHost, ask, development_host, key
from tools.local.azurite import Account
from tools.local.children import ChildError


@pytest.fixture
def host(tmp_path: Path, storage: Account, reports: Reports) -> Iterator[RunningHost]:
    with development_host(tmp_path, storage.connection_string, reports) as running:
        yield running


@pytest.fixture
def jobs(storage: Account) -> Iterator[QueueClient]:
    with QueueClient.from_connection_string(storage.connection_string, "jobs") as client:
        client.create_queue()
        yield client


def text(body: str) -> str:
    """A message as a queue trigger expects it by default."""
    return base64.b64encode(body.encode()).decode()


@pytest.mark.usefixtures("host")
class TestBlobTrigger:
    def test_a_new_blob_that_fits_the_path_is_an_input_stream_with_its_facts(
        self, storage: Account, reports: Reports, put: Put
    ) -> None:
        put("incoming", "other.bin", b"no")
        put("incoming", "feature-a/1.0.0.txt", b"hello")
        told = reports.next("arrived")
        url = f"{storage.blob_endpoint}/incoming/feature-a%2F1.0.0.txt"
        assert told["is_stream"]
        assert told["type"] == "azure.functions.blob"
        assert (told["name"], told["body"], told["length"]) == ("incoming/feature-a/1.0.0.txt", "hello", 5)
        assert told["uri"].replace("%2F", "/") == url.replace("%2F", "/")
        assert told["called"] == "arrived"
        assert told["thread"]
        assert reports.of("arrived").empty()

    def test_a_blob_that_is_overwritten_comes_again(self, reports: Reports, put: Put) -> None:
        put("incoming", "a.txt", b"one")
        assert reports.next("arrived")["body"] == "one"
        put("incoming", "a.txt", b"two")
        assert reports.next("arrived")["body"] == "two"

    def test_a_failing_function_is_tried_five_times_and_its_event_ends_in_the_poison_queue(
        self, reports: Reports, put: Put
    ) -> None:
        reports.orders["arrived"] = "fail"
        put("incoming", "bad.txt", b"x")
        event = reports.next("poisoned_blob")["event"]
        assert [reports.next("arrived")["name"] for _ in range(5)] == ["incoming/bad.txt"] * 5
        assert reports.of("arrived").empty()
        assert (event["FunctionId"], event["ContainerName"], event["BlobName"]) == (
            "Host.Functions.arrived",
            "incoming",
            "bad.txt",
        )
        reports.orders.clear()
        put("incoming", "good.txt", b"y")
        assert reports.next("arrived")["name"] == "incoming/good.txt"

    def test_a_function_that_asks_for_a_client_gets_one_that_streams(self, reports: Reports, put: Put) -> None:
        put("quarantine", "big/one", b"z" * 100)
        told = reports.next("streamed")
        assert (told["container"], told["name"], told["body"]) == ("quarantine", "big/one", "z" * 100)


class TestAcrossRestarts:
    def test_what_was_done_stays_done_and_what_came_meanwhile_is_found(
        self, tmp_path: Path, storage: Account, reports: Reports, put: Put
    ) -> None:
        with development_host(tmp_path, storage.connection_string, reports):
            put("incoming", "before.txt", b"1")
            assert reports.next("arrived")["name"] == "incoming/before.txt"
        put("incoming", "meanwhile.txt", b"2")
        with development_host(tmp_path, storage.connection_string, reports):
            assert reports.next("arrived")["name"] == "incoming/meanwhile.txt"
        assert reports.of("arrived").empty()

    def test_what_a_host_had_in_work_when_it_died_comes_again(
        self, tmp_path: Path, storage: Account, reports: Reports, put: Put
    ) -> None:
        reports.held["arrived"] = threading.Event()
        with development_host(tmp_path, storage.connection_string, reports) as host:
            put("incoming", "a.txt", b"1")
            reports.next("arrived")
            host.child.signal(signal.SIGKILL)
        reports.held.pop("arrived").set()
        with development_host(tmp_path, storage.connection_string, reports):
            assert reports.next("arrived")["body"] == "1"

    def test_a_stop_waits_for_the_functions_that_run(
        self, tmp_path: Path, storage: Account, reports: Reports, put: Put
    ) -> None:
        held = reports.held["arrived"] = threading.Event()
        with development_host(tmp_path, storage.connection_string, reports) as host:
            put("incoming", "a.txt", b"1")
            reports.next("arrived")
            host.child.signal(signal.SIGTERM)
            held.set()
            assert host.child.wait(WAIT) == 0
            (line,) = (line for line in host.lines() if line.get("function") == "arrived")
        assert (line["outcome"], line["subject"], line["attempt"]) == ("succeeded", "incoming/a.txt", 1)
        assert line["ms"] > 0


class TestQueueTrigger:
    @pytest.mark.usefixtures("host")
    def test_a_message_is_a_queue_message_and_its_output_goes_to_the_other_queue(
        self, reports: Reports, jobs: QueueClient
    ) -> None:
        sent = jobs.send_message(text("purge"))
        told = reports.next("job")
        assert told["is_message"]
        assert (told["id"], told["body"], told["count"]) == (sent.id, "purge", 1)
        assert told["inserted"].endswith("+00:00")
        assert reports.next("finished")["body"] == "done: purge"

    @pytest.mark.usefixtures("host")
    def test_a_failing_message_is_tried_five_times_and_sends_no_output(
        self, reports: Reports, jobs: QueueClient
    ) -> None:
        reports.orders["job"] = "fail"
        jobs.send_message(text("bad"))
        assert reports.next("poisoned_job")["body"] == "bad"
        assert [reports.next("job")["count"] for _ in range(5)] == [1, 2, 3, 4, 5]
        assert reports.of("finished").empty()

    def test_host_json_and_its_overrides_decide_how_often(
        self, tmp_path: Path, storage: Account, reports: Reports, jobs: QueueClient
    ) -> None:
        reports.orders["job"] = "fail"
        settings = {"AzureFunctionsJobHost__extensions__queues__maxDequeueCount": "2"}
        with development_host(tmp_path, storage.connection_string, reports, settings):
            jobs.send_message(text("bad"))
            assert reports.next("poisoned_job")["body"] == "bad"
        assert [reports.next("job")["count"] for _ in range(2)] == [1, 2]
        assert reports.of("job").empty()

    @pytest.mark.usefixtures("host")
    def test_a_message_that_takes_longer_than_its_lease_is_not_given_out_twice(
        self, reports: Reports, jobs: QueueClient
    ) -> None:
        held = reports.held["job"] = threading.Event()
        jobs.send_message(text("slow"))
        reports.next("job")
        seconds = [reports.next("tick") for _ in range(4)]  # the sample app's lease is two
        held.set()
        assert len(seconds) == 4
        assert reports.next("finished")["body"] == "done: slow"
        assert reports.of("job").empty()


@pytest.mark.usefixtures("host")
class TestTimerTrigger:
    def test_a_timer_runs_by_its_schedule(self, reports: Reports) -> None:
        first, second = reports.next("tick"), reports.next("tick")
        assert first["is_timer"]
        assert second["past_due"] is False

    def test_a_timer_runs_at_start_where_it_asks_for_it_and_on_demand(
        self, host: RunningHost, reports: Reports
    ) -> None:
        assert reports.next("sweep")["next"].endswith("-01-01T04:00:00+00:00")
        assert ask(host.port, "/admin/functions/sweep", "POST", b"{}", key("a-host-key")).status == 401
        assert ask(host.port, "/admin/functions/sweep", "POST", b"{}", key("the-master-key")).status == 202
        reports.next("sweep")


class TestWrongApps:
    """An app that Azure could not run does not start here either: status 2, and a sentence."""

    @pytest.mark.parametrize(
        ("source", "sentence"),
        [
            ("", "expected one function app in the module"),
            (
                "@app.queue_trigger('m', 'q', 'C')\ndef f(message: func.QueueMessage) -> None: ...",
                "the parameters are not the bindings",
            ),
            (
                "@app.event_grid_trigger('event')\ndef f(event: func.EventGridEvent) -> None: ...",
                "a trigger that this host does not know",
            ),
            (
                "@app.timer_trigger('timer', '61 * * * * *')\ndef f(timer: func.TimerRequest) -> None: ...",
                "not an NCRONTAB schedule",
            ),
            (
                "@app.queue_trigger('m', '%MISSING%', 'ArtifactsStorage')\ndef f(m: func.QueueMessage) -> None: ...",
                "MISSING: a binding names an app setting that does not exist",
            ),
            (
                "@app.route('a/{b:date}')\ndef f(req: func.HttpRequest) -> str: ...",
                "a route constraint that this host does not know",
            ),
        ],
    )
    def test_it_says_what_is_wrong(
        self, tmp_path: Path, storage: Account, reports: Reports, source: str, sentence: str
    ) -> None:
        script = tmp_path / "function_app.py"
        begin = "import azure.functions as func\napp = func.FunctionApp()\n" if source else ""
        script.write_text(begin + source, "utf-8")
        with (
            pytest.raises(ChildError, match="status 2") as raised,
            development_host(tmp_path, storage.connection_string, reports, script=script),
        ):
            pass
        assert sentence in str(raised.value)
