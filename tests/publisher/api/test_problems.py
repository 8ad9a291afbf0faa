"""RFC 9457, T21: what goes wrong is told, and nothing else is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from artifact.errors import Code, TransientError
from publisher import purging
from publisher.api.problems import told
from publisher.content_types import private
from publisher.receipts import BundleName, refused, write_receipt
from tests.publisher.api.caller import Caller, in_storage
from tests.publisher.platform import bodies
from tests.publisher.world import FEATURE, World
from tests.simulator.faults import Faulty

ADDRESS = "https://acct.blob.core.windows.net/x?sig=s3cret"


def test_t21_a_fault_of_the_storage_is_503_without_its_address(world: World, caller: Caller) -> None:
    class Down(Faulty):
        def read(self, name: str, *, limit: int) -> Any:
            raise TransientError(Code.TRANSPORT_FAILED, "W1", "the storage does not answer", where=ADDRESS)

    down = in_storage(caller, Down(world.store))
    for response in (down.act("refresh", {}), down.call("read_features")):
        assert (response.status, response.headers["Retry-After"]) == (503, "30")
        assert b"acct" not in response.body
        assert b"s3cret" not in response.body


def test_t21_a_fault_of_the_app_tells_nothing_but_that(
    world: World, caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Faulty):
        def read(self, name: str, *, limit: int) -> Any:
            raise ZeroDivisionError("secret detail")

    response = in_storage(caller, Broken(world.store)).act("refresh", {})
    assert response.status == 500
    assert b"secret detail" not in response.body
    assert "secret detail" in caplog.text


def test_a_wrong_state_in_storage_is_no_fault_of_the_caller(world: World, caller: Caller) -> None:
    state = f"{FEATURE}/releases.4.json"
    world.store.put(state, b"rubbish", private(state))
    response = caller.act("refresh", {})
    assert (response.status, response.document["code"]) == (500, "document_invalid")


def fault() -> TransientError:
    return TransientError(Code.TRANSPORT_FAILED, "W1", "no answer", where=ADDRESS, seen="acct.blob.core.windows.net")


def test_t21_a_feature_that_cannot_be_read_is_shown_with_its_code_and_without_an_address(
    world: World, caller: Caller
) -> None:
    class Down(Faulty):
        def read(self, name: str, *, limit: int) -> Any:
            if name.startswith(FEATURE):
                raise fault()
            return super().read(name, limit=limit)

    response = in_storage(caller, Down(world.store)).call("read_features")
    (one,) = response.document["features"]
    assert (response.status, one["error"]["code"], one["sequence"]) == (200, "transport_failed", None)
    assert b"acct" not in response.body


def test_t21_a_purge_that_fails_is_shown_without_an_address(world: World, caller: Caller) -> None:
    world.edge.failures.append(fault())
    asked = caller.call("purge_paths", {"paths": ["/remote-index.json"]}).document["operation"]
    purging.run(world.pipeline, bodies(world.pipeline.purges)[0])
    shown = caller.call("purge_operation", operation=asked)
    assert "no answer" in shown.document["error"]
    assert b"acct" not in shown.body


def test_t21_a_receipt_of_a_fault_is_shown_without_an_address(world: World, caller: Caller) -> None:
    name = BundleName(FEATURE, "3.0.0", f"incoming/{FEATURE}/3.0.0.tar.gz", "0x1")
    write_receipt(world.pipeline.receipts, name, refused(name, "failed", fault(), world.clock.now))
    shown = caller.call("read_receipts", version="3.0.0")
    assert "no answer" in shown.document[0]["error"]["message"]
    assert b"acct" not in shown.body


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("no answer (saw https://user:pw@cdn.example/purge)", "no answer (saw ***)"),
        ("acct.queue.core.windows.net: no answer", "***: no answer"),
        ("our-keys.vault.azure.net: no answer", "***: no answer"),
        ("AccountKey=abc==;x", "AccountKey=***;x"),
        ("artifacts/feature-a/releases.4.json: not JSON", "artifacts/feature-a/releases.4.json: not JSON"),
    ],
)
def test_t21_what_was_stored_of_a_fault_loses_addresses_and_secrets(stored: str, shown: str) -> None:
    assert told(stored) == shown


@pytest.mark.parametrize(
    ("name", "body", "headers", "status", "code"),
    [
        ("release_refresh", {}, {"content_type": "text/plain"}, 415, "document_invalid"),
        ("release_refresh", {}, {"idempotency_key": "used"}, 422, "conflict"),
        ("release_refresh", {}, {"if_match": '"2"'}, 412, "conflict"),
        ("purge_operation", None, {}, 404, "not_found"),
    ],
)
def test_every_problem_has_a_code_of_c5_and_a_rule(
    caller: Caller, name: str, body: Any, headers: dict[str, str], status: int, code: str
) -> None:
    caller.with_headers(idempotency_key="used").act("refresh", {"reason": "another"})
    response = caller.with_headers(**headers).call(name, body, operation="0" * 32)
    assert (response.status, response.media_type) == (status, "application/problem+json")
    assert json.loads(response.body)["code"] == code
    assert json.loads(response.body)["rule"]
