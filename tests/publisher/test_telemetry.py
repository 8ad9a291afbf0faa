"""What operators see from outside, with the real SDK of OpenTelemetry and the real exporter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from publisher import maintenance
from publisher.ingest import ingest
from tests.publisher.platform import bundle_of, deliver, submit
from tests.publisher.world import FEATURE, World

NAME = f"{FEATURE}/1.0.0.tar.gz"


@pytest.fixture(scope="module")
def reader() -> InMemoryMetricReader:
    found = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([found]))
    return found


def points(reader: InMemoryMetricReader, name: str) -> list[Any]:
    data = reader.get_metrics_data()
    return [] if data is None else [
        point
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == name
        for point in metric.data.data_points
    ]  # fmt: skip


def test_the_figures_that_operators_watch(world: World, reader: InMemoryMetricReader) -> None:
    submit(world.pipeline, NAME, bundle_of(world.directory()))
    world.clock.pass_by(seconds=40)
    ingest(world.pipeline, NAME)
    submit(world.pipeline, f"{FEATURE}/2.0.0.tar.gz", b"rubbish")
    ingest(world.pipeline, f"{FEATURE}/2.0.0.tar.gz")
    deliver(world.pipeline)
    world.clock.pass_by(days=1)
    world.pipeline.poison.put("{}")
    world.clock.pass_by(seconds=90)
    maintenance.repair_indexes(world.pipeline)
    (visible,) = points(reader, "favn.visible")
    assert (visible.count, visible.sum) == (1, 40)
    assert [(point.attributes, point.value) for point in points(reader, "favn.rejected")] == [
        ({"code": "bundle_invalid"}, 1)
    ]
    assert {point.attributes["queue"]: point.value for point in points(reader, "favn.queue.age")} == {
        "changes": 0, "purges": 0, "poison": 90,
    }  # fmt: skip
    left = {point.attributes["index"]: point.value for point in points(reader, "favn.index.left")}
    assert set(left) == {FEATURE, "remote-index"}
    assert timedelta(days=5) < timedelta(seconds=left["remote-index"]) < timedelta(days=6)
    assert {point.attributes["state"] for point in points(reader, "favn.purges")} == {"succeeded"}


def test_w4_how_late_an_edge_is_is_measured_for_every_index(world: World, reader: InMemoryMetricReader) -> None:
    world.publish("1.0.0")
    stale = world.copy().store
    world.clock.pass_by(minutes=1)
    world.publish("1.1.0")
    world.clock.pass_by(seconds=17)
    edges = {"cdn.example.org": stale, "other.example.org": world.store}
    maintenance.measure_edges(world.pipeline_of(edges=edges))
    found = {(p.attributes["edge"], p.attributes["index"]): p.value for p in points(reader, "favn.edge.late")}
    assert found == {
        ("cdn.example.org", FEATURE): 17, ("cdn.example.org", "remote-index"): 17,
        ("other.example.org", FEATURE): 0, ("other.example.org", "remote-index"): 0,
    }  # fmt: skip


class Collector(HTTPServer):
    """Plays the ingestion endpoint of Application Insights; `arrived` is set when something came."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Ingestion)
        self.items: list[dict[str, Any]] = []


class Ingestion(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        import gzip

        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        items = json.loads(body) if "track" in self.path else []
        self.server.items += items
        answer = json.dumps({"itemsReceived": len(items), "itemsAccepted": len(items), "errors": []}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        return


PROGRAM = """
import logging
from publisher import logs, telemetry
from publisher.adapters import azure_monitor
logs.install()
assert azure_monitor.configure()
with telemetry.invocation("ingest", "id-7", feature="feature-a"):
    logging.getLogger("favn.test").warning("something to see: %s", "AccountKey=c2VjcmV0;")
    telemetry.rejected("key_unknown")
from opentelemetry import metrics, trace
from opentelemetry._logs import get_logger_provider
for provider in (metrics.get_meter_provider(), trace.get_tracer_provider(), get_logger_provider()):
    provider.force_flush()
"""


def test_lines_traces_and_figures_arrive_at_application_insights_with_what_they_belong_to(tmp_path: Path) -> None:
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever, daemon=True)
        thread.start()
        connection = (
            "InstrumentationKey=00000000-0000-0000-0000-000000000001;"
            f"IngestionEndpoint=http://127.0.0.1:{collector.server_port}/"
        )
        environment = {
            **os.environ, "APPLICATIONINSIGHTS_CONNECTION_STRING": connection, "TMPDIR": str(tmp_path),
            "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true", "APPLICATIONINSIGHTS_SDKSTATS_DISABLED": "true",
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False
        )
        collector.shutdown()
    assert done.returncode == 0, done.stderr
    data = [item["data"]["baseData"] for item in collector.items]
    (line,) = [one for one in data if "something to see" in str(one.get("message"))]
    assert line["properties"] == {
        "function": "ingest",
        "invocation": "id-7",
        "feature": "feature-a",
        "logger_name": "favn.test",
    }
    assert "AccountKey=***" in line["message"]
    assert "c2VjcmV0" not in str(collector.items)
    assert any(metric["name"] == "favn.rejected" for one in data for metric in one.get("metrics", ()))
    assert any(one.get("name") == "ingest" for one in data)


def test_without_a_connection_string_nothing_of_azure_monitor_is_loaded() -> None:
    program = (
        "import sys; from publisher.adapters import azure_monitor; assert not azure_monitor.configure();"
        "print([name for name in sys.modules if name.startswith(('azure.monitor', 'opentelemetry.sdk'))])"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("APPLICATIONINSIGHTS")}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_wrong_connection_string_costs_the_figures_and_not_the_app(tmp_path: Path) -> None:
    program = (
        "import logging; logging.basicConfig(); from publisher.adapters import azure_monitor;"
        "assert not azure_monitor.configure()"
    )
    environment = {**os.environ, "APPLICATIONINSIGHTS_CONNECTION_STRING": "nonsense", "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "APPLICATIONINSIGHTS_CONNECTION_STRING is no connection string" in done.stderr
