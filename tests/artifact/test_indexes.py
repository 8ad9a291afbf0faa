"""R1, R3, I1, F3: indexes as values: read, changed, written again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from artifact.documents import RELEASES_LIMIT
from artifact.errors import Code, ContentError
from artifact.fields import parse_time
from artifact.keys import KeySigner, PrivateKey
from artifact.manifest import parse_manifest
from artifact.paths import Limits
from artifact.releases import Change, ReleaseIndex, bound_releases, parse_releases
from artifact.remote_index import (
    FeatureWithdrawal,
    RemoteEntry,
    RemoteIndex,
    bound_remote_index,
    parse_remote_index,
)
from artifact.versions import Version
from tests.vectors.judge import JSON, accepted, content, load, releases, remote

SIGNER = KeySigner("release", PrivateKey.parse(load("keys.json")["release"]["privateKey"], where="test"))
NOW = parse_time("2026-11-23T12:00:00Z")
_AT: Any = {"where": "test", "limits": Limits()}


def _unsigned(data: bytes) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(data)
    del document["signature"]
    return document


def _named(name: str, vector_file: str) -> JSON:
    return next(vector for vector in accepted(vector_file) if vector["name"] == name)


@pytest.mark.parametrize("vector", accepted("release-indexes.json"), ids=lambda v: v["name"])
def test_a_release_index_written_again_is_the_same_value(vector: JSON) -> None:
    """F3: with all members that we do not know."""
    index = releases(vector, content(vector)).index
    again = parse_releases(index.signed(SIGNER), where="again", limits=Limits())
    assert again.index == index
    read, written = _unsigned(content(vector)), _unsigned(again.data)
    assert {name: written[name] for name in read} == read
    assert written.keys() - read.keys() <= {"channels", "withdrawn"}


@pytest.mark.parametrize("vector", accepted("remote-indexes.json"), ids=lambda v: v["name"])
def test_a_remote_index_written_again_is_the_same_value(vector: JSON) -> None:
    """F3: with all members that we do not know."""
    index = remote(vector, content(vector)).index
    again = parse_remote_index(index.signed(SIGNER), where="again", limits=Limits())
    assert again.index == index
    assert _unsigned(again.data) == _unsigned(content(vector))


def test_what_is_signed_as_a_release_index_can_be_read() -> None:
    """R1: the writer holds itself against the reader; a state that nobody can read would end the chain of R5."""
    good = parse_releases(content(_named("everything, and unknown members", "release-indexes.json")), **_AT).index
    too_long = Change("publish", reason="x" * RELEASES_LIMIT)
    bad: list[tuple[ReleaseIndex, Code]] = [
        (replace(good, change=too_long), Code.LIMIT_EXCEEDED),
        (replace(good, sequence=2**53), Code.DOCUMENT_INVALID),
        (replace(good, active=Version("9.9.9")), Code.SCHEMA_INVALID),
        (replace(good, canary=Version("9.9.9")), Code.SCHEMA_INVALID),
        (replace(good, entries=good.entries[::-1]), Code.SCHEMA_INVALID),
        (replace(good, change=Change("publish", reason="\udcff")), Code.DOCUMENT_INVALID),
    ]
    for index, code in bad:
        with pytest.raises(ContentError) as refusal:
            index.signed(SIGNER)
        assert refusal.value.code == code


def test_what_is_signed_as_a_remote_index_can_be_read() -> None:
    """I1."""
    entry = RemoteEntry("feature-b", "0" * 64, 1, Version("1.0.0"))
    good = RemoteIndex(1, NOW, (entry,))
    bad = [
        (replace(good, sequence=2**53), Code.DOCUMENT_INVALID),
        (replace(good, entries=(entry, entry)), Code.SCHEMA_INVALID),
        (replace(good, entries=(entry, replace(entry, feature_id="feature-a"))), Code.SCHEMA_INVALID),
        (replace(good, previous_sha256="0" * 64), Code.SCHEMA_INVALID),
    ]
    assert parse_remote_index(good.signed(SIGNER), **_AT).index == good
    for index, code in bad:
        with pytest.raises(ContentError) as refusal:
            index.signed(SIGNER)
        assert refusal.value.code == code


def test_a_withdrawn_feature_is_named_with_its_reason() -> None:
    """I1, I3."""
    index = RemoteIndex(2, NOW, (), withdrawn=(FeatureWithdrawal("feature-old", NOW, ""),))
    assert parse_remote_index(index.signed(SIGNER), **_AT).index == index


def test_ten_thousand_features_fit_into_a_remote_index() -> None:
    """P4, F1."""
    entries = tuple(RemoteEntry(f"f{number:05}", "0" * 64, number + 1, Version("1.0.0")) for number in range(10_000))
    index = RemoteIndex(1, NOW, entries)
    assert parse_remote_index(index.signed(SIGNER), **_AT).index == index
    with pytest.raises(ContentError) as refusal:
        parse_remote_index(index.signed(SIGNER), where="test", limits=Limits(features=9_999))
    assert refusal.value.code == Code.LIMIT_EXCEEDED


def test_entries_are_found_by_name() -> None:
    index = parse_releases(content(_named("everything, and unknown members", "release-indexes.json")), **_AT).index
    assert [entry.version.text for entry in index.entries] == ["2.0.0-rc.1", "1.1.0", "1.0.0"]
    for entry in index.entries:
        assert index.entry(entry.version) is entry
    assert index.entry(Version("1.0.1")) is None
    assert index.withdrawal(Version("1.0.1")) is index.withdrawn[0]
    assert index.withdrawal(Version("1.0.0")) is None
    assert index.channels == {"stable": "1.1.0", "canary": "2.0.0-rc.1"}


def test_a_refused_member_is_named_with_its_place() -> None:
    document = _unsigned(content(_named("everything, and unknown members", "release-indexes.json")))
    document["versions"][1]["version"] = "1.1"
    with pytest.raises(ContentError, match=r"^r\.json: versions\[1\]\.version: bad version .*saw 1\.1\)"):
        parse_releases(json.dumps(document).encode(), where="r.json", limits=Limits())


def test_a_manifest_says_what_an_index_needs_of_it() -> None:
    """R1, R3, M1."""
    data = content(_named("domain with everything, and unknown members", "manifests.json"))
    manifest = parse_manifest(data, **_AT).manifest
    assert manifest.total_bytes == sum(file.size or 0 for file in manifest.files.values()) == 64
    assert manifest.server_functions_sha256 == manifest.files["index.js"].sha256.hex()
    assert manifest.git_sha == "0123456789abcdef0123456789abcdef01234567"
    assert manifest.build_url == "https://ci.example/runs/7"
    without = parse_manifest(content(_named("without sizes", "manifests.json")), **_AT).manifest
    assert without.total_bytes is None
    assert without.server_functions_sha256 is None


@pytest.mark.parametrize("metadata", [None, [], "x", {"gitSha": 1, "buildUrl": ""}, {"gitSha": None}])
def test_metadata_of_another_form_is_the_hosts_business(metadata: object) -> None:
    """M1: kept as it is."""
    document = _unsigned(content(_named("facet", "manifests.json")))
    manifest = parse_manifest(json.dumps({**document, "metadata": metadata}).encode(), **_AT).manifest
    assert (manifest.git_sha, manifest.build_url) == (None, None)


@pytest.mark.parametrize("kind", ["release-indexes.json", "remote-indexes.json"])
def test_a_state_of_the_history_is_bound_by_the_hash_that_the_next_one_names(kind: str) -> None:
    """R3, S6: whichever key signed it then, but signed it was, and to the byte."""
    bind = _bind_releases if kind == "release-indexes.json" else _bind_remote
    data = content(accepted(kind)[1])
    digest = hashlib.sha256(data).hexdigest()
    assert bind(data, digest) == digest
    with pytest.raises(ContentError) as refusal:
        bind(data + b"\n", digest)
    assert refusal.value.code == Code.SEQUENCE_FORK
    unsigned = json.dumps(_unsigned(data)).encode()
    with pytest.raises(ContentError) as refusal:
        bind(unsigned, hashlib.sha256(unsigned).hexdigest())
    assert refusal.value.code == Code.SIGNATURE_INVALID


def _bind_releases(data: bytes, sha256: str) -> str:
    return bound_releases(parse_releases(data, **_AT), sha256=sha256).sha256


def _bind_remote(data: bytes, sha256: str) -> str:
    return bound_remote_index(parse_remote_index(data, **_AT), sha256=sha256).sha256
