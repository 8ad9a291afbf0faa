"""Blob Storage when it is slow, busy, closed or rude (T43), through a proxy before Azurite; and its secrets (T21)."""

from __future__ import annotations

import io
import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas

from artifact.errors import Code, ContentError, DeliveryError, TransientError
from publisher.adapters.blob import BlobStore
from publisher.adapters.blob_account import BlobAccount
from publisher.content_types import immutable, private
from publisher.ports import Created
from tests.contracts.bodies import upload
from tests.contracts.conftest import QUICK
from tests.contracts.proxy import CUT, DROP, HANG_UP, LOSE, Decide, Proxy, Times
from tools.local.azurite import KEY, Account

NAME = "feature-a/1.0.0/x.js"
SETTINGS = immutable(NAME)
MIB = 1024 * 1024

FAULTS = [LOSE, DROP, HANG_UP, 429, 500, 503]


@contextmanager
def behind(account: Account, decide: Decide) -> Iterator[tuple[BlobStore, BlobStore, Proxy]]:
    """The containers `artifacts` and `quarantine` behind a proxy."""
    with Proxy(account, decide) as proxy:
        opened = BlobAccount.from_connection_string(proxy.account.connection_string)
        yield BlobStore(opened, "artifacts", backoff=QUICK), BlobStore(opened, "quarantine", backoff=QUICK), proxy


def direct(account: Account, container: str = "artifacts") -> BlobStore:
    return BlobStore(BlobAccount.from_connection_string(account.connection_string), container, backoff=QUICK)


@pytest.mark.parametrize("fault", FAULTS)
def test_t43_a_create_is_tried_again_and_its_own_lost_success_counts_as_the_same(storage: Account, fault: Any) -> None:
    with behind(storage, Times(fault, "PUT", NAME)) as (store, _, proxy):
        assert store.create(NAME, b"data", SETTINGS) is (Created.SAME if fault == LOSE else Created.NEW)
        assert store.create(NAME, b"data", SETTINGS) is Created.SAME
        assert store.create(NAME, b"other", SETTINGS) is Created.OTHER
        assert [method for method, _ in proxy.requests].count("PUT") == (3 if fault == HANG_UP else 4)


@pytest.mark.parametrize("fault", FAULTS)
def test_t43_a_replace_is_tried_again_and_its_own_lost_success_is_success(storage: Account, fault: Any) -> None:
    first = direct(storage).replace(NAME, b"first", SETTINGS, etag=None)
    with behind(storage, Times(fault, "PUT", NAME)) as (store, _, _proxy):
        second = store.replace(NAME, b"second", SETTINGS, etag=first)
        assert second is not None
        found = store.read(NAME, limit=10)
        assert found is not None
        assert (found.data, found.etag) == (b"second", second)


def test_t43_a_lost_answer_does_not_make_anothers_write_ours(storage: Account) -> None:
    first = direct(storage).replace(NAME, b"first", SETTINGS, etag=None)

    def dropped_while_another_was_faster(method: str, _path: str) -> str | None:
        found = direct(storage).read(NAME, limit=10)
        if method == "PUT" and found is not None and found.data == b"first":
            direct(storage).replace(NAME, b"theirs", SETTINGS, etag=first)
            return DROP
        return None

    with behind(storage, dropped_while_another_was_faster) as (store, _, _proxy):
        assert store.replace(NAME, b"ours", SETTINGS, etag=first) is None


@pytest.mark.parametrize("fault", FAULTS)
def test_t43_reads_listings_and_deletes_are_tried_again(storage: Account, fault: Any) -> None:
    direct(storage).create(NAME, b"data", SETTINGS)
    for method in ("GET", "DELETE"):
        with behind(storage, Times(fault, method)) as (store, _, _proxy):
            if method == "DELETE":
                assert store.delete(NAME) is True
                # Through a connection that ends under the request nobody could know whose deletion it was.
                assert (direct(storage) if fault == HANG_UP else store).delete(NAME) is False
            else:
                assert [info.name for info in store.list("feature-a/")] == [NAME]
                found = store.read(NAME, limit=10)
                assert found is not None
                assert found.data == b"data"


@pytest.mark.parametrize("fault", FAULTS)
def test_t43_create_all_is_tried_again(storage: Account, fault: Any) -> None:
    uploads = [upload(f"f/{number}", b"%d" % number) for number in range(40)]
    uploads.append(upload("f/large", bytes(3 * MIB)))
    with behind(storage, Times(fault, "PUT", times=9)) as (store, _, _proxy):
        settled = [created for _, created in store.create_all(uploads)]
    assert len(settled) == 41
    assert Created.OTHER not in settled
    assert [info.size for info in direct(storage).list("f/")] == [
        len(one.open().read()) for one in sorted_by_name(uploads)
    ]


def sorted_by_name(uploads: list[Any]) -> list[Any]:
    return sorted(uploads, key=lambda one: one.name)


def test_what_is_there_is_not_sent_again(storage: Account) -> None:
    uploads = [upload(f"f/{number:03}", b"%d" % number) for number in range(200)]
    uploads.append(upload("f/large", bytes(3 * MIB)))
    list(direct(storage).create_all(uploads))
    with behind(storage, lambda _method, _path: None) as (store, _, proxy):
        assert {created for _, created in store.create_all(uploads)} == {Created.SAME}
        sent = [path for method, path in proxy.requests if method == "PUT"]
    assert len(sent) <= 32  # those that were under way when the first was found there
    assert not [path for path in sent if path.endswith("large")]


@pytest.mark.parametrize("fault", [LOSE, DROP, 503])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_t43_a_move_is_tried_again(storage: Account, fault: Any, method: str) -> None:
    etag = direct(storage).put_file(NAME, io.BytesIO(b"bundle"), 6, private(NAME))
    with behind(storage, Times(fault, method)) as (store, other, _proxy):
        assert store.move(NAME, other, "aside", etag=etag) is True
    assert direct(storage).stream(NAME) is None
    moved = direct(storage, "quarantine").read("aside", limit=10)
    assert moved is not None
    assert moved.data == b"bundle"


@pytest.mark.parametrize("fault", [LOSE, DROP, 503])
def test_t43_a_file_is_put_again_from_its_start(storage: Account, fault: Any) -> None:
    data = bytes(range(256)) * (3 * MIB // 256)
    with behind(storage, Times(fault, "PUT")) as (store, _, _proxy):
        source = io.BytesIO(b"before" + data)
        source.seek(6)
        store.put_file(NAME, source, len(data), private(NAME))
    stream = direct(storage).stream(NAME)
    assert stream is not None
    assert b"".join(stream) == data


def test_t43_a_storage_that_never_answers_is_a_transient_error_after_some_tries(storage: Account) -> None:
    with behind(storage, lambda _method, _path: DROP) as (store, _, proxy):
        for attempt in every_call(store):
            proxy.requests.clear()
            with pytest.raises(TransientError) as caught:
                attempt()
            assert caught.value.code == Code.TRANSPORT_FAILED
            assert len(proxy.requests) == QUICK.tries
    gone = BlobStore(BlobAccount.from_connection_string(proxy.account.connection_string), "artifacts", backoff=QUICK)
    for attempt in every_call(gone):
        with pytest.raises(TransientError, match="Connection refused") as caught:
            attempt()
        assert caught.value.code == Code.TRANSPORT_FAILED


def every_call(store: BlobStore) -> list[Callable[[], object]]:
    return [
        lambda: store.read(NAME, limit=10),
        lambda: store.create(NAME, b"x", SETTINGS),
        lambda: store.replace(NAME, b"x", SETTINGS, etag="0x1"),
        lambda: list(store.list("")),
        lambda: store.delete(NAME),
        lambda: list(store.create_all([upload(NAME, b"x")])),
        lambda: store.stream(NAME),
        lambda: store.put_file(NAME, io.BytesIO(b"x"), 1, SETTINGS),
        lambda: store.move(NAME, store, "aside", etag="0x1"),
    ]


def test_t43_a_stream_that_breaks_goes_on_where_it_broke(storage: Account) -> None:
    data = bytes(range(256)) * (5 * MIB // 256)
    direct(storage).put_file(NAME, io.BytesIO(data), len(data), private(NAME))
    with behind(storage, Times(CUT, "GET", times=3)) as (store, _, proxy):
        stream = store.stream(NAME)
        assert stream is not None
        assert b"".join(stream) == data
        assert [method for method, _ in proxy.requests] == ["HEAD", "GET", "GET", "GET", "GET"]


def test_w1_a_missing_container_is_said_with_a_hint(storage: Account) -> None:
    store = direct(storage, "not-there")
    etag = direct(storage).put_file(NAME, io.BytesIO(b"x"), 1, SETTINGS)
    attempts = every_call(store)
    attempts[-1] = lambda: direct(storage).move(NAME, store, "aside", etag=etag)
    for attempt in attempts:
        with pytest.raises(TransientError, match="containers of W1") as caught:
            attempt()
        assert caught.value.code == Code.NOT_FOUND
    assert direct(storage).read(NAME, limit=1) is not None


def test_ensure_makes_a_container_once(storage: Account) -> None:
    store = direct(storage, "new")
    store.ensure()
    store.create(NAME, b"x", SETTINGS)
    store.ensure()
    assert [info.name for info in store.list("")] == [NAME]


def sas(account: Account, **permissions: bool) -> str:
    return generate_account_sas(
        account.name,
        KEY,
        ResourceTypes(container=True, object=True),
        AccountSasPermissions(**permissions),
        datetime.now(UTC) + timedelta(hours=1),
    )


def with_sas(account: Account, signature: str) -> BlobStore:
    return BlobStore(BlobAccount.from_url(f"{account.blob_endpoint}?{signature}"), "artifacts", backoff=QUICK)


def test_an_account_url_with_a_sas_does_all(storage: Account) -> None:
    signature = sas(storage, read=True, write=True, create=True, delete=True, list=True)
    store = with_sas(storage, signature)
    assert store.create(NAME, b"x", SETTINGS) is Created.NEW
    assert [created for _, created in store.create_all([upload("f/y", b"y")])] == [Created.NEW]
    assert [info.name for info in store.list("f/")] == ["f/y"]
    found = store.read(NAME, limit=1)
    assert found is not None
    other = BlobStore(BlobAccount.from_url(f"{storage.blob_endpoint}?{signature}"), "quarantine", backoff=QUICK)
    assert store.move(NAME, other, "aside", etag=found.etag) is True
    assert store.delete("f/y") is True
    text = f"BlobEndpoint={storage.blob_endpoint};SharedAccessSignature={signature}"
    assert BlobStore(BlobAccount.from_connection_string(text), "artifacts").read("f/y", limit=1) is None


def failure_of(attempt: Callable[[], object]) -> DeliveryError | None:
    try:
        attempt()
    except DeliveryError as error:
        return error
    return None


def secrets_in(text: str, *secrets: str) -> list[str]:
    return [secret for secret in secrets if secret in text]


@pytest.mark.parametrize("fault", ["refused", "no answer", "wrong key"])
def test_t21_no_error_and_no_log_line_has_a_secret_in_it(
    storage: Account, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    signature = sas(storage, read=True)
    signed = signature.partition("sig=")[2].partition("&")[0]
    with Proxy(storage, lambda _method, _path: DROP if fault == "no answer" else None) as proxy:
        if fault == "wrong key":
            key = "A" * 85 + "Q=="
            text = proxy.account.connection_string.replace(KEY, key)
            store = BlobStore(BlobAccount.from_connection_string(text), "artifacts", backoff=QUICK)
        else:
            key = KEY
            store = with_sas(proxy.account, signature)
        for attempt in every_call(store):
            error = failure_of(attempt)
            if error is not None:  # a SAS that permits to read permits some of it
                said = "".join(traceback.format_exception(error)) + repr(error) + repr(error.as_json())
                assert not secrets_in(said, signed, signature, key, "sig=")
                assert error.code in {Code.UNAUTHORIZED, Code.TRANSPORT_FAILED}
                assert "artifacts/" in str(error)
    assert "urllib3.connectionpool" in {record.name for record in caplog.records}
    logged = "\n".join(record.getMessage() for record in caplog.records)
    assert not secrets_in(logged, signed, key)
    assert ("sig=***" in logged) is (fault != "no answer")  # a request is logged with its answer


def test_what_is_not_permitted_is_unauthorized(storage: Account) -> None:
    store = with_sas(storage, sas(storage, read=True))
    for attempt in (
        lambda: store.create(NAME, b"x", SETTINGS),
        lambda: list(store.list("")),
        lambda: store.delete(NAME),
    ):
        with pytest.raises(TransientError) as caught:
            attempt()
        assert caught.value.code == Code.UNAUTHORIZED
        assert "403" in str(caught.value)


def test_a_move_that_is_not_permitted_is_no_move_of_what_is_gone(storage: Account) -> None:
    etag = direct(storage).put_file(NAME, io.BytesIO(b"x"), 1, SETTINGS)
    url = f"{storage.blob_endpoint}?{sas(storage, read=True, create=True, write=True)}"
    store, other = (BlobStore(BlobAccount.from_url(url), name, backoff=QUICK) for name in ("artifacts", "quarantine"))
    with pytest.raises(TransientError) as caught:
        store.move(NAME, other, "aside", etag=etag)
    assert caught.value.code == Code.UNAUTHORIZED
    assert store.read(NAME, limit=1) is not None


def test_a_move_to_another_kind_of_store_is_a_mistake_of_the_caller(storage: Account) -> None:
    other: Any = object()
    with pytest.raises(TypeError):
        direct(storage).move(NAME, other, "aside", etag="0x1")


def test_content_of_another_length_than_read_allows_is_refused_before_it_is_read(storage: Account) -> None:
    direct(storage).put_file(NAME, io.BytesIO(bytes(4 * MIB)), 4 * MIB, SETTINGS)
    with pytest.raises(ContentError) as caught:
        direct(storage).read(NAME, limit=4 * MIB - 1)
    assert caught.value.code == Code.LIMIT_EXCEEDED
