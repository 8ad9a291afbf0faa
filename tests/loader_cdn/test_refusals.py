"""What the loader refuses, what it says, and that the last good state stands (threat rows T01 to T19)."""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from artifact.errors import Code
from artifact.signing import signed
from loader_cdn.report import Result
from tests.publisher.world import FEATURE
from tests.simulator.environment import Delivery, assert_refused, row_of
from tests.versions import FILES

RELEASES = f"{FEATURE}/releases.json"
OTHER = "feature-lab-results"
POISON = b"Changed\n"
CHANGED = {**FILES, "index.js": b"changed\n"}


@pytest.fixture
def warm(site: Delivery) -> Delivery:
    """Version 1.0.0 stands, 1.1.0 is published."""
    site.publish("1.0.0")
    site.sync(features=[FEATURE])
    site.publish("1.1.0", files=CHANGED)
    return site


def test_any_altered_byte_is_refused_and_what_stands_is_kept(warm: Delivery) -> None:
    """T01."""
    stood = warm.tree()
    for path, code in (
        (RELEASES, Code.DOCUMENT_INVALID),
        (f"{FEATURE}/1.1.0/manifest.json", Code.INTEGRITY_MISMATCH),
        (f"{FEATURE}/1.1.0/index.js", Code.INTEGRITY_MISMATCH),
    ):
        warm.cdn.heal()
        warm.cdn.tamper(path)
        report = warm.sync(features=[FEATURE])
        assert_refused(row_of(report), code)
        assert report.exit_status() == 3
        assert warm.tree() == stood
    warm.cdn.heal()
    assert warm.row(features=[FEATURE]).result is Result.UPDATED


def test_an_index_with_another_content_under_the_old_signature_is_refused(warm: Delivery) -> None:
    """T01."""
    warm.cdn.edit(RELEASES, sequence=7)
    assert_refused(warm.row(features=[FEATURE]), Code.SIGNATURE_INVALID)


def test_an_unsigned_index_is_refused(warm: Delivery) -> None:
    """T02."""
    document = json.loads(warm.head().data)
    del document["signature"]
    warm.cdn.substitute(RELEASES, json.dumps(document).encode(), kind="application/json")
    assert_refused(warm.row(features=[FEATURE]), Code.SIGNATURE_INVALID)


def test_an_unknown_key_is_named_with_the_url_and_the_keys_that_are_known(warm: Delivery) -> None:
    """T02."""
    warm.cdn.swap_keys(RELEASES, warm.world.keys.stranger)

    row = warm.row(features=[FEATURE])

    assert_refused(row, Code.KEY_UNKNOWN)
    assert row.error is not None
    for named in ("stranger", warm.cdn.url + RELEASES, "build-test", "release-test"):
        assert named in row.error.message


def test_a_build_key_may_not_sign_an_index(warm: Delivery) -> None:
    """T02, S4."""
    warm.cdn.swap_keys(RELEASES, warm.world.keys.build)
    assert_refused(warm.row(features=[FEATURE]), Code.KEY_NOT_ALLOWED)


def test_an_index_of_another_feature_is_refused(warm: Delivery) -> None:
    """T03."""
    warm.publish("1.0.0", OTHER)
    warm.cdn.substitute(RELEASES, warm.head(OTHER).data, kind="application/json")
    assert_refused(warm.row(features=[FEATURE]), Code.FEATURE_MISMATCH)


def test_a_manifest_in_an_indexs_place_is_refused(warm: Delivery) -> None:
    """T03."""
    manifest = warm.world.objects()[f"{FEATURE}/1.0.0/manifest.json"]
    warm.cdn.substitute(RELEASES, manifest, kind="application/json")
    assert_refused(warm.row(features=[FEATURE]), Code.SCHEMA_INVALID)


def test_a_manifest_of_another_version_is_refused(warm: Delivery) -> None:
    """T03: though the index lists its hash."""
    document = json.loads(warm.head().data)
    document["versions"][0]["manifestSha256"] = document["versions"][1]["manifestSha256"]
    warm.cdn.edit(RELEASES, warm.world.keys.release, versions=document["versions"])
    warm.cdn.substitute(
        f"{FEATURE}/1.1.0/manifest.json",
        warm.world.objects()[f"{FEATURE}/1.0.0/manifest.json"],
        kind="application/json",
    )
    assert_refused(warm.row(features=[FEATURE]), Code.MANIFEST_MISMATCH)


@pytest.mark.parametrize(
    "body",
    [
        b'{"schemaVersion":1,"schemaVersion":1}',
        b'{"schemaVersion":1.0}',
        b"\xef\xbb\xbf{}",
        b"{} {}",
        b'{"a":' + b"[" * 40 + b"]" * 40 + b"}",
        b" " * (1024 * 1024 + 1),
    ],
    ids=["duplicate", "float", "byte-order mark", "trailing data", "nesting", "too long"],
)
def test_what_is_no_document_is_refused_before_any_of_it_is_used(warm: Delivery, body: bytes) -> None:
    """T04."""
    warm.cdn.substitute(RELEASES, body, kind="application/json")
    report = warm.sync(features=[FEATURE])
    assert row_of(report).result is Result.KEPT
    assert report.exit_status() == 3


def test_an_older_index_is_refused_by_a_loader_that_knows_a_newer_one(warm: Delivery) -> None:
    """T07, warm."""
    old = warm.cdn.state()
    warm.publish("1.2.0")
    warm.sync(features=[FEATURE])
    stood = warm.tree()

    warm.cdn.replay(old, RELEASES)
    report = warm.sync(features=[FEATURE])

    assert_refused(row_of(report), Code.SEQUENCE_ROLLBACK)
    assert report.exit_status() == 3
    assert warm.tree() == stood


def test_an_older_index_is_refused_by_a_new_loader_that_was_told_a_floor(warm: Delivery) -> None:
    """T07, cold."""
    old = warm.cdn.state()
    warm.publish("1.2.0")
    warm.cdn.replay(old, RELEASES)
    warm.root = warm.root.with_name("new")

    row = warm.row(features=[FEATURE], min_sequence={FEATURE: 3})

    assert_refused(row, Code.SEQUENCE_ROLLBACK, Result.FAILED)
    assert warm.tree() == {}


def test_a_floor_that_was_raised_holds_for_what_stands_too(warm: Delivery) -> None:
    """L7: a source that is frozen below it shows."""
    warm.sync(features=[FEATURE])
    stood = warm.tree()
    for row in (warm.row(min_sequence={FEATURE: 3}), warm.row(min_sequence={FEATURE: 3}, features=[FEATURE])):
        assert_refused(row, Code.SEQUENCE_ROLLBACK)
    assert warm.tree() == stood


def test_a_remote_index_that_contradicts_what_it_names_is_refused_for_that_feature(warm: Delivery) -> None:
    """I2."""
    warm.publish("1.0.0", OTHER)
    warm.sync()
    entries = warm.world.remote().document()["features"]
    entries[1] = {**entries[1], "activeVersion": "1.0.0", "channels": {"stable": "1.0.0"}}
    warm.cdn.edit("remote-index.json", warm.world.keys.release, features=entries, sequence=9)

    report = warm.sync()

    assert_refused(row_of(report), Code.SCHEMA_INVALID)
    assert row_of(report, OTHER).result is Result.UNCHANGED


def _forge(site: Delivery, **members: object) -> None:
    """Version 1.1.0 with another manifest, signed and listed as it should be: the keys' owners are careless."""
    path = f"{FEATURE}/1.1.0/manifest.json"
    manifest = {**json.loads(site.world.objects()[path]), **members}
    data = signed(manifest, site.world.keys.build)
    site.cdn.substitute(path, data, kind="application/json")
    entries = json.loads(site.head().data)["versions"]
    entries[0]["manifestSha256"] = hashlib.sha256(data).hexdigest()
    site.cdn.edit(RELEASES, site.world.keys.release, versions=entries)


DIGEST = "sha256-" + "A" * 43 + "="


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("../../../escaped.js", Code.PATH_INVALID),
        ("/etc/escaped.js", Code.PATH_INVALID),
        (".hidden.js", Code.PATH_INVALID),
        ("Manifest.json", Code.PATH_INVALID),
        ("INDEX.js", Code.PATH_INVALID),
        ("index.js/below.js", Code.PATH_INVALID),
    ],
)
def test_a_path_that_may_not_be_is_refused_before_anything_is_written(
    warm: Delivery, tmp_path: Path, path: str, code: Code
) -> None:
    """T05."""
    stood = warm.tree()
    _forge(warm, integrity={"index.js": DIGEST, path: DIGEST}, sizes={"index.js": 1, path: 1})
    assert_refused(warm.row(features=[FEATURE]), code)
    assert warm.tree() == stood
    assert not list(tmp_path.rglob("*escaped*"))


@pytest.mark.parametrize(
    "members",
    [
        {"integrity": {}, "sizes": {}},
        {"integrity": {"index.js": "sha512-" + "A" * 86 + "=="}, "sizes": {"index.js": 1}},
        {"integrity": {"index.js": DIGEST}, "sizes": {}},
    ],
    ids=["none", "another algorithm", "sizes of others"],
)
def test_integrity_that_is_missing_or_partial_is_refused(warm: Delivery, members: dict[str, object]) -> None:
    """T06."""
    _forge(warm, **members)
    assert_refused(warm.row(features=[FEATURE]), Code.SCHEMA_INVALID)


def test_an_older_remote_index_is_refused(warm: Delivery) -> None:
    """T07."""
    warm.sync()
    old = warm.cdn.state()
    warm.publish("1.2.0")
    warm.sync()
    stood = warm.tree()

    warm.cdn.replay(old)
    report = warm.sync()

    assert report.error is not None
    assert report.error.code is Code.SEQUENCE_ROLLBACK
    assert (row_of(report).result, report.exit_status()) == (Result.KEPT, 3)
    assert warm.tree() == stood


def test_another_index_of_the_same_sequence_is_a_fork(warm: Delivery) -> None:
    """T08."""
    warm.sync(features=[FEATURE])
    warm.cdn.edit(RELEASES, warm.world.keys.release, updatedAt="2026-11-23T12:00:01Z")
    assert_refused(warm.row(features=[FEATURE]), Code.SEQUENCE_FORK)


def test_an_index_that_does_not_follow_the_one_before_is_a_fork(warm: Delivery) -> None:
    """T08, R3: the history is a chain."""
    warm.cdn.edit(RELEASES, warm.world.keys.release, previousSha256="0" * 64)
    assert_refused(warm.row(features=[FEATURE]), Code.SEQUENCE_FORK)


def test_an_expired_index_is_not_accepted_as_new_unless_that_is_asked_for(warm: Delivery) -> None:
    """T09, L13."""
    stood = warm.tree()
    warm.world.clock.pass_by(days=91)

    report = warm.sync(features=[FEATURE])
    assert_refused(row_of(report), Code.EXPIRED)
    assert report.exit_status() == 3
    assert warm.tree() == stood

    assert warm.row(features=[FEATURE], allow_expired=True).result is Result.UPDATED


def test_an_accepted_index_that_has_expired_since_is_served_with_a_warning(
    site: Delivery, caplog: pytest.LogCaptureFixture
) -> None:
    """T09, L13."""
    site.publish("1.0.0")
    site.sync()
    site.world.clock.pass_by(days=91)

    report = site.sync()

    assert (row_of(report).result, report.exit_status()) == (Result.UNCHANGED, 0)
    assert "has expired" in caplog.text


def test_a_frozen_edge_is_noticed_when_the_remote_index_expires(
    site: Delivery, caplog: pytest.LogCaptureFixture
) -> None:
    """T09."""
    site.publish("1.0.0")
    site.sync()
    site.cdn.freeze()
    site.publish("1.1.0", files=CHANGED)
    site.world.clock.pass_by(days=8)

    assert site.row().result is Result.UNCHANGED
    assert "the remote index has expired" in caplog.text


def test_documents_of_several_moments_make_a_reader_late_and_never_inconsistent(site: Delivery) -> None:
    """T10, I2: the remote index names an immutable state; the edge's copy of a pointer does not matter."""
    site.publish("1.0.0")
    site.sync()
    site.cdn.stale(RELEASES)
    site.publish("1.1.0", files=CHANGED)

    assert site.row().result is Result.UPDATED
    assert site.tree() == site.published("1.0.0", "1.1.0")

    site.cdn.stale("remote-index.json")
    site.publish("1.2.0")
    assert site.row().result is Result.UNCHANGED
    site.cdn.heal()
    assert site.row().result is Result.UPDATED


def test_t15_a_404_that_an_edge_remembers_of_the_next_state_does_not_hurt(site: Delivery) -> None:
    """Whoever asked for it before it was there: the pointer holds the same bytes."""
    site.publish("1.0.0")
    site.sync()
    site.cdn.stale(f"{FEATURE}/releases.2.json")
    site.publish("1.1.0", files=CHANGED)

    assert site.row().result is Result.UPDATED
    assert site.tree() == site.published("1.0.0", "1.1.0")
    with site.cdn.watched() as asked:
        assert site.row().result is Result.UNCHANGED
    assert [request.path for request in asked] == ["remote-index.json"]


def test_t15_where_the_pointer_is_stale_too_the_reader_is_late_and_says_what_is_missing(site: Delivery) -> None:
    site.publish("1.0.0")
    site.sync()
    stood = site.tree()
    site.cdn.stale(f"{FEATURE}/releases.2.json", RELEASES)
    site.publish("1.1.0", files=CHANGED)

    row = site.row()
    assert row.result is Result.KEPT
    assert row.error is not None
    assert (row.error.code, row.error.where) == (Code.NOT_FOUND, f"{site.cdn.url}{FEATURE}/releases.2.json")
    assert site.tree() == stood


def test_another_release_index_than_the_remote_index_names_is_refused(site: Delivery) -> None:
    """T10, I2."""
    site.publish("1.0.0")
    site.sync()
    site.publish("1.1.0", files=CHANGED)
    site.cdn.substitute(f"{FEATURE}/releases.2.json", site.world.objects()[f"{FEATURE}/releases.1.json"])
    assert_refused(site.row(), Code.INTEGRITY_MISMATCH)


def test_whatever_stands_in_a_named_release_indexs_place_its_hash_is_what_is_wrong(site: Delivery) -> None:
    """T01, T15, I2: neither a tampered signature nor a page of HTML is looked into."""
    site.publish("1.0.0")
    site.sync()
    site.publish("1.1.0", files=CHANGED)
    site.cdn.tamper(f"{FEATURE}/releases.2.json", 400)
    assert_refused(site.row(), Code.INTEGRITY_MISMATCH)
    site.cdn.heal()
    site.cdn.substitute(f"{FEATURE}/releases.2.json", b"<html>Not found</html>")
    assert_refused(site.row(), Code.INTEGRITY_MISMATCH)


def test_a_feature_that_vanishes_from_the_remote_index_without_a_word_is_kept(
    site: Delivery, caplog: pytest.LogCaptureFixture
) -> None:
    """T11."""
    site.publish("1.0.0")
    site.publish("1.0.0", OTHER)
    site.sync()
    stood = site.tree()
    features = [entry for entry in site.world.remote().document()["features"] if entry["featureId"] != OTHER]
    site.cdn.edit("remote-index.json", site.world.keys.release, features=features, sequence=9)

    site.sync(grace=timedelta(0))
    report = site.sync(grace=timedelta(0))

    assert row_of(report, OTHER).result is Result.KEPT
    assert OTHER in caplog.text
    assert site.tree() == stood
    assert report.exit_status() == 0


@pytest.mark.parametrize(
    "target", ["https://127.0.0.1:1/x", "http://10.0.0.1/x", "http://169.254.169.254/latest", "http://localhost:1/x"]
)
def test_a_redirect_to_another_origin_is_refused(warm: Delivery, target: str) -> None:
    """T14."""
    warm.cdn.redirect(RELEASES, target)
    report = warm.sync(features=[FEATURE])
    assert row_of(report).result is Result.KEPT
    assert report.exit_status() == 3


def test_a_page_with_status_200_is_refused(warm: Delivery) -> None:
    """T15."""
    warm.cdn.substitute(RELEASES, b"<!doctype html><title>Welcome</title>")
    assert_refused(warm.row(features=[FEATURE]), Code.DOCUMENT_INVALID)


@pytest.mark.parametrize("path", [RELEASES, f"{FEATURE}/1.1.0/manifest.json", f"{FEATURE}/1.1.0/index.js"])
def test_what_is_missing_truncated_or_partial_is_tried_again_by_the_next_run(warm: Delivery, path: str) -> None:
    """T15."""
    stood = warm.tree()

    def missing() -> None:
        warm.cdn.substitute(path, b"", status=404)

    def truncated() -> None:
        warm.cdn.truncate(path, 3)

    def partial() -> None:
        warm.cdn.substitute(path, b"abc", status=206)

    for fault, code in (
        (missing, Code.NOT_FOUND),
        (truncated, Code.TRANSPORT_FAILED),
        (partial, Code.TRANSPORT_FAILED),
    ):
        fault()
        report = warm.sync(features=[FEATURE])
        assert_refused(row_of(report), code)
        assert (report.exit_status(), report.exit_status(allow_missing=True)) == (1, 0)
        assert warm.tree() == stood
    warm.cdn.heal()
    assert warm.row(features=[FEATURE]).result is Result.UPDATED


def test_a_file_of_another_length_is_refused(warm: Delivery) -> None:
    """T15."""
    warm.cdn.substitute(f"{FEATURE}/1.1.0/index.js", b"changed", kind="text/javascript")
    assert_refused(warm.row(features=[FEATURE]), Code.INTEGRITY_MISMATCH)


@pytest.mark.parametrize("name", ["manifest.json", "index.js"])
def test_a_poisoned_immutable_url_is_named_with_the_hash_that_was_seen(warm: Delivery, name: str) -> None:
    """T16."""
    path = f"{FEATURE}/1.1.0/{name}"
    warm.cdn.substitute(path, POISON)

    row = warm.row(features=[FEATURE])

    assert_refused(row, Code.INTEGRITY_MISMATCH)
    assert row.error is not None
    assert warm.cdn.url + path in row.error.message
    assert hashlib.sha256(POISON).hexdigest() in row.error.message


def test_the_same_version_with_another_manifest_is_refused_and_the_first_one_stands(warm: Delivery) -> None:
    """T19."""
    stood = warm.tree()
    document = json.loads(warm.head().data)
    document["versions"][1]["manifestSha256"] = "0" * 64
    warm.cdn.edit(RELEASES, warm.world.keys.release, versions=document["versions"])
    assert_refused(warm.row(features=[FEATURE]), Code.VERSION_EXISTS)
    assert warm.tree() == stood


def test_the_first_one_stands_also_where_it_was_deleted_from_disk(warm: Delivery) -> None:
    """T19: what was accepted says which manifest the version has."""
    stood = warm.tree()
    entries = json.loads(warm.head().data)["versions"]
    entries[1]["manifestSha256"] = "0" * 64
    warm.cdn.edit(RELEASES, warm.world.keys.release, versions=entries)
    shutil.rmtree(warm.root / FEATURE / "1.0.0")

    assert_refused(warm.row(features=[FEATURE]), Code.VERSION_EXISTS)
    assert warm.tree() == stood


def test_no_network_keeps_what_stands(warm: Delivery) -> None:
    """T36."""
    stood = warm.tree()
    warm.cdn.switches.offline = True
    report = warm.sync(features=[FEATURE])
    assert_refused(row_of(report), Code.TRANSPORT_FAILED)
    assert report.exit_status() == 1
    assert warm.tree() == stood


def test_no_network_for_the_remote_index_keeps_all_that_it_listed(site: Delivery) -> None:
    """T36."""
    site.publish("1.0.0")
    site.sync()
    site.cdn.switches.offline = True

    report = site.sync()

    assert report.error is not None
    assert report.error.code is Code.TRANSPORT_FAILED
    assert (row_of(report).result, row_of(report).error) == (Result.KEPT, None)
    assert report.exit_status() == 1


def test_one_answer_in_three_fails_and_everything_arrives(site: Delivery) -> None:
    """T43: retries."""
    site.publish("1.0.0")
    site.cdn.switches.fail_at = range(3, 1000, 3)
    settings = site.settings().transfer

    assert site.row(transfer=type(settings)(attempts=8, backoff_seconds=0.001)).result is Result.UPDATED
    assert site.tree() == site.published("1.0.0")
