"""The app in the real Python worker and in the development host: one suite, two hosts, the same results."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from artifact.keys import KeySigner, PrivateKey
from publisher.content_types import private
from publisher.destinations import Storage, open_destination
from tests.hosts.development_host import dev_host
from tests.hosts.host import FunctionError, Host, described
from tests.hosts.real_worker import RealWorker, real_worker
from tests.publisher.platform import bundle_of, content, names
from tests.versions import version_directory
from tools.local.azurite import Account
from tools.local.keys import BUILD_KEY_ID, RELEASE_KEY_ID, SigningKeys, signing_keys

FEATURE = "feature-hosted"
KINDS = ("worker", "devhost")


@dataclass
class Stage:
    """A host with its storage and keys, and what CI does."""

    host: Host
    storage: Storage
    keys: SigningKeys
    folder: Path

    def upload(self, version: str, signer: KeySigner | None = None, feature_id: str = FEATURE) -> None:
        """A bundle arrives and is taken in."""
        team = KeySigner(BUILD_KEY_ID, PrivateKey.parse(self.keys.build.read_text(), where="build key"))
        data = bundle_of(version_directory(self.folder / feature_id / version, signer or team, feature_id, version))
        name = f"{feature_id}/{version}.tar.gz"
        self.storage.of_account().incoming.put_file(name, io.BytesIO(data), len(data), private(name))
        self.host.arrived(name)

    def receipt(self, version: str, feature_id: str = FEATURE) -> dict[str, Any]:
        (name,) = (info.name for info in self.storage.of_account().receipts.list(f"{feature_id}/{version}/"))
        found: dict[str, Any] = json.loads(content(self.storage.of_account().receipts, name))
        return found

    def json(self, function: str, body: Any = None, /, status: int = 200, **parameters: Any) -> Any:
        answer = self.host.call(function, body, **parameters)
        assert answer.status == status, answer.body
        return json.loads(answer.body)


@pytest.fixture(scope="module")
def shared_keys(tmp_path_factory: pytest.TempPathFactory) -> SigningKeys:
    return signing_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module", params=KINDS)
def stage(
    request: pytest.FixtureRequest,
    new_storage: Callable[[], Account],
    shared_keys: SigningKeys,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stage]:
    folder, connection = tmp_path_factory.mktemp(request.param), new_storage().connection_string
    settings = {
        "FAVN_TRUST_KEYS": str(shared_keys.trust), "FAVN_RELEASE_KEY": str(shared_keys.release),
        "FAVN_RELEASE_KEY_ID": RELEASE_KEY_ID, "FAVN_SOAK_SECONDS": "0",
    }  # fmt: skip
    start = real_worker if request.param == "worker" else dev_host
    with start(folder, connection, settings) as host:
        yield Stage(host, open_destination(connection), shared_keys, folder)


EXPECTED = {
    "ingest": "blob incoming/{name} of ArtifactsStorage by EventGrid",
    "follow_changes": "queue favn-changes of ArtifactsStorage",
    "carry_out_purges": "queue favn-purges of ArtifactsStorage",
    "repair_indexes": "timer 0 */5 * * * *",
    "refresh_indexes": "timer 0 7 * * * *",
    "sweep_poison": "timer 30 */5 * * * *",
    "remove_old": "timer 0 17 3 * * *",
    "measure_edges": "timer 15 2-59/5 * * * *",
    "read_features": "FUNCTION GET features",
    "read_feature": "FUNCTION GET features/{id}",
    "read_receipts": "FUNCTION GET receipts/{id}/{version}",
    "release_canary": "FUNCTION POST features/{id}/canary",
    "release_promote": "FUNCTION POST features/{id}/promote",
    "release_rollback": "FUNCTION POST features/{id}/rollback",
    "release_withdraw": "FUNCTION POST features/{id}/withdraw",
    "release_refresh": "FUNCTION POST features/{id}/refresh",
    "release_remove": "FUNCTION POST features/{id}/remove",
    "purge_paths": "FUNCTION POST purge",
    "purge_operation": "FUNCTION GET purge/{operation}",
    "health": "ANONYMOUS GET health",
    "openapi": "ANONYMOUS GET openapi.json",
}
TIMERS = [name for name, trigger in EXPECTED.items() if trigger.startswith("timer ")]


def test_every_function_is_indexed_and_loaded_with_its_trigger(stage: Stage) -> None:
    assert {name: described(trigger) for name, trigger in stage.host.functions.items()} == EXPECTED


def a_bundle_is_published_and_followed_by_the_remote_index_and_a_purge(stage: Stage) -> None:
    stage.upload("1.0.0")
    stage.host.settle()
    assert stage.receipt("1.0.0")["status"] == "published"
    remote = json.loads(content(stage.storage.artifacts, "remote-index.json"))
    (entry,) = remote["features"]
    assert (entry["featureId"], entry["activeVersion"]) == (FEATURE, "1.0.0")
    operations = names(stage.storage.of_account().state)
    assert any(name.startswith("purge/ended/") for name in operations)


def a_forged_bundle_is_rejected_with_a_receipt(stage: Stage) -> None:
    stage.upload("6.6.6", KeySigner("stranger", PrivateKey.generate()))
    receipt = stage.receipt("6.6.6")
    assert (receipt["status"], receipt["error"]["code"]) == ("rejected", "key_unknown")
    assert [name for name in names(stage.storage.of_account().quarantine) if "/6.6.6" in name]


def the_release_workflow_by_http(stage: Stage) -> None:
    for version in ("1.1.0", "1.2.0", "1.3.0"):
        stage.upload(version)
    at: dict[str, Any] = {"id": FEATURE}
    assert (
        stage.json("release_rollback", {"version": "1.1.0", "reason": "blank page"}, **at)["activeVersion"] == "1.1.0"
    )
    assert stage.json("release_canary", {"version": "1.3.0"}, **at)["channels"]["canary"] == "1.3.0"
    assert stage.json("release_promote", {}, **at)["activeVersion"] == "1.3.0"
    assert (
        stage.json("release_withdraw", {"version": "1.2.0", "reason": "leaks names"}, **at)["activeVersion"] == "1.3.0"
    )
    before = stage.json("release_refresh", {}, **at)["sequence"]
    stage.host.settle()
    feature = stage.json("read_feature", **at)
    assert (feature["sequence"], feature["listedSequence"], feature["versions"]) == (
        before,
        before,
        ["1.3.0", "1.1.0", "1.0.0"],
    )
    assert not [name for name in names(stage.storage.artifacts) if f"{FEATURE}/1.2.0/" in name]
    assert [one["featureId"] for one in stage.json("read_features")["features"]] == [FEATURE]
    assert stage.json("read_receipts", id=FEATURE, version="1.1.0")[0]["status"] == "published"
    assert stage.json("release_rollback", {"version": "9.9.9"}, 409, **at)["code"] == "conflict"


def a_purge_by_http_is_carried_out(stage: Stage) -> None:
    accepted = stage.json("purge_paths", {"paths": ["/remote-index.json"]}, 202)
    stage.host.settle()
    assert stage.json("purge_operation", operation=accepted["operation"])["state"] == "succeeded"


def the_timers_leave_a_sound_environment_as_it_is(stage: Stage) -> None:
    before = {info.name: info.etag for info in stage.storage.artifacts.list("")}
    for name in TIMERS:
        stage.host.tick(name)
    stage.host.settle()
    assert {info.name: info.etag for info in stage.storage.artifacts.list("")} == before


def t45_a_pointer_that_was_deleted_is_back_after_the_timer(stage: Stage) -> None:
    name = f"{FEATURE}/releases.json"
    before = content(stage.storage.artifacts, name)
    stage.storage.artifacts.delete(name)
    stage.host.tick("repair_indexes")
    assert content(stage.storage.artifacts, name) == before


def anybody_may_ask_for_health_and_the_openapi_document(stage: Stage) -> None:
    assert stage.json("health") == {"status": "ok", "problems": []}
    assert stage.json("openapi")["openapi"] == "3.1.0"


def a_feature_is_removed_by_http(stage: Stage) -> None:
    stage.json("release_remove", {"reason": "retired"}, id=FEATURE)
    stage.host.settle()
    assert stage.json("read_features")["features"] == []


def a_fault_is_raised_to_the_host_and_told_in_a_receipt(stage: Stage) -> None:
    state = "feature-damaged/releases.1.json"
    stage.storage.artifacts.create(state, b"rubbish", private(state))
    with pytest.raises(FunctionError):
        stage.upload("1.0.0", feature_id="feature-damaged")
    assert stage.receipt("1.0.0", "feature-damaged")["status"] == "failed"


LIFE = (
    a_bundle_is_published_and_followed_by_the_remote_index_and_a_purge,
    a_forged_bundle_is_rejected_with_a_receipt,
    the_release_workflow_by_http,
    a_purge_by_http_is_carried_out,
    the_timers_leave_a_sound_environment_as_it_is,
    t45_a_pointer_that_was_deleted_is_back_after_the_timer,
    anybody_may_ask_for_health_and_the_openapi_document,
    a_feature_is_removed_by_http,
    a_fault_is_raised_to_the_host_and_told_in_a_receipt,
)


def test_every_function_does_its_work_in_the_life_of_a_feature(stage: Stage) -> None:
    """One test, since each step needs the ones before; a function that no step invokes fails it."""
    for step in LIFE:
        step(stage)
    assert stage.host.invoked == set(EXPECTED)


@pytest.mark.parametrize("stage", ["worker"], indirect=True)
def test_indexing_loads_no_client_that_no_trigger_needs(stage: Stage) -> None:
    """Of Azure's libraries only those that the blob binding brings."""
    assert isinstance(stage.host, RealWorker)
    clients = ("azure.storage.queue", "azure.keyvault", "azure.mgmt", "azure.monitor", "opentelemetry.sdk")
    own = ("publisher.adapters.blob", "publisher.adapters.queue", "publisher.adapters.keyvault")
    assert [name for name in stage.host.modules if name.startswith((*clients, *own))] == []


def test_the_worker_refuses_an_app_with_a_function_that_cannot_be_called(tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text(
        "import azure.functions as func\n"
        "app = func.FunctionApp()\n"
        "@app.route(route='wrong', trigger_arg_name='request')\n"
        "def wrong(another: func.HttpRequest) -> str: ...\n"
    )
    with real_worker(tmp_path, "", {}, app=tmp_path) as worker, pytest.raises(FunctionError, match="wrong"):
        assert worker.functions
