"""The served OpenAPI document against the running app (schemathesis), with and without keys; and curl, as people do."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from artifact.keys import KeySigner, PrivateKey
from publisher.destinations import open_destination
from tests.e2e.test_pipeline import run, submit
from tests.versions import version_directory
from tools.local.azurite import Azurite
from tools.local.endpoints import Endpoints
from tools.local.pipeline import LocalPipeline

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "negative_data_rejection,ignored_auth"
)
FEATURE = "feature-api"


@pytest.fixture(scope="module")
def endpoints(azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    """A running pipeline with one feature; the storage server's fixture says what to install where it is missing."""
    assert azurite.pid
    folder = tmp_path_factory.mktemp("api")
    with LocalPipeline(folder / "local", host="devhost") as running:
        release_versions(running, folder, FEATURE)
        yield running


def release_versions(endpoints: Endpoints, folder: Path, feature_id: str) -> None:
    """1.0.0, then 1.1.0."""
    team = KeySigner(endpoints.build_key_id, PrivateKey.parse(endpoints.build_key.read_text(), where="build key"))
    for version in ("1.0.0", "1.1.0"):
        answer = submit(endpoints, version_directory(folder, team, feature_id, version))
        assert answer.returncode == 0, answer.stderr
    feature: dict[str, Any] = {"listedSequence": None}
    while feature["listedSequence"] != 2:  # the remote index follows
        _, feature = call(endpoints, "GET", f"features/{feature_id}", x_functions_key=endpoints.function_keys["read"])


def fuzz(endpoints: Endpoints, *options: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("schemathesis")
    return subprocess.run(
        [program, "run", f"{endpoints.functions}/api/openapi.json", "--seed", "1", "--max-examples", "8", *options],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def artifacts(endpoints: Endpoints) -> dict[str, str]:
    """All that readers can see, by ETag."""
    store = open_destination(endpoints.connection_string).artifacts
    return {info.name: info.etag for info in store.list("")}


def call(endpoints: Endpoints, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """Status and document of one request."""
    data = None if body is None else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if data is not None:
        named["Content-Type"] = "application/json"
    request = urllib.request.Request(f"{endpoints.functions}/api/{path}", data, named, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        content = error.read()
        return error.code, json.loads(content) if content else None


def test_without_a_key_only_the_anonymous_routes_answer_and_nothing_changes(endpoints: Endpoints) -> None:
    before = artifacts(endpoints)
    answer = fuzz(endpoints, "--phases", "coverage", "--checks", "not_a_server_error,status_code_conformance")
    assert answer.returncode == 0, answer.stdout
    _, api = call(endpoints, "GET", "openapi.json")
    assert len(api["paths"]) == 13
    for path, operations in api["paths"].items():
        filled = path.removeprefix("/api/").format(id=FEATURE, version="1.0.0", operation="0" * 32)
        for method in operations:
            status, _ = call(endpoints, method.upper(), filled, {} if method == "post" else None)
            assert status == (200 if filled in {"health", "openapi.json"} else 401), path
    assert artifacts(endpoints) == before


@pytest.mark.parametrize(
    ("power", "method", "path", "body"),
    [
        ("read", "GET", f"features/{FEATURE}", None),
        ("release", "POST", f"features/{FEATURE}/refresh", {}),
        ("purge", "POST", "purge", {"paths": ["/remote-index.json"]}),
    ],
)
def test_t21_a_key_opens_its_own_power_and_no_other(
    endpoints: Endpoints, power: str, method: str, path: str, body: Any
) -> None:
    for name, key in endpoints.function_keys.items():
        status, _ = call(endpoints, method, path, body, x_functions_key=key)
        assert (status in {200, 202}) == (name == power), name
    assert call(endpoints, method, path, body, x_functions_key=endpoints.function_key)[0] in {200, 202}


def test_with_keys_every_answer_is_what_the_document_says(endpoints: Endpoints) -> None:
    key = f"x-functions-key: {endpoints.function_key}"
    answer = fuzz(endpoints, "--phases", "coverage,fuzzing", "--checks", CHECKS, "--header", key)
    assert answer.returncode == 0, answer.stdout


def test_an_operator_rolls_back_and_the_feature_says_who_and_why(endpoints: Endpoints, tmp_path: Path) -> None:
    feature_id = "feature-operated"
    release_versions(endpoints, tmp_path, feature_id)
    key = endpoints.function_keys["release"]
    body = {"version": "1.0.0", "reason": "blank page", "ticket": "INC-7"}
    status, released = call(
        endpoints, "POST", f"features/{feature_id}/rollback", body, x_functions_key=key, x_actor="anna"
    )
    assert (status, released["activeVersion"]) == (200, "1.0.0")
    _, feature = call(endpoints, "GET", f"features/{feature_id}", x_functions_key=endpoints.function_keys["read"])
    assert feature["change"] == {
        "action": "rollback", "version": "1.0.0", "actor": "anna (by function key)", "reason": "blank page",
        "ticket": "INC-7",
    }  # fmt: skip


def test_an_operator_purges_through_the_app_and_sees_that_the_edge_is_current(endpoints: Endpoints) -> None:
    answer = run(
        "cdn-release", "purge", FEATURE, "--wait", "--json", "--timeout", "60", "--reason", "looks stale",
        CDN_RELEASE_APP=endpoints.functions, CDN_RELEASE_FUNCTION_KEY=endpoints.function_keys["purge"],
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    document = json.loads(answer.stdout)
    assert (document["state"], document["reason"]) == ("succeeded", "looks stale")
    calls = [json.loads(line) for line in endpoints.purge_log.read_text("utf-8").splitlines()]
    assert any({"/remote-index.json", f"/{FEATURE}/releases.json"} <= set(call["paths"]) for call in calls)
    answer = run(
        "cdn-release", "status", FEATURE, "--json", "--edge", endpoints.edge,
        CDN_RELEASE_TO=endpoints.connection_string, CDN_RELEASE_TRUST_KEYS=str(endpoints.trust_keys),
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    status = json.loads(answer.stdout)
    assert [(edge["url"], edge["lateSeconds"]) for edge in status["features"][0]["edges"]] == [(endpoints.edge, 0)]
    assert status["remoteIndex"]["edges"][0]["sequence"] == status["remoteIndex"]["sequence"]


def test_t21_a_key_without_the_power_to_purge_ends_the_command_in_1(endpoints: Endpoints) -> None:
    answer = run(
        "cdn-release", "purge", "--wait",
        CDN_RELEASE_APP=endpoints.functions, CDN_RELEASE_FUNCTION_KEY=endpoints.function_keys["read"],
    )  # fmt: skip
    assert answer.returncode == 1
    assert "unauthorized" in answer.stderr
    assert endpoints.function_keys["read"] not in answer.stderr
