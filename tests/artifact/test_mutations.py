"""T01: every byte of every document that must be accepted, altered, taken out, and with another before it.

Each such change is refused with a ContentError, or the value is provably the same: the canonical form of the document,
or the files of the bundle, to the byte.
"""

from __future__ import annotations

import io
import json
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache, partial
from pathlib import Path

import pytest

from artifact.documents import REMOTE_INDEX_LIMIT, canonical, parse
from artifact.errors import ConfigurationError, ContentError
from artifact.trust import TrustStore
from tests.vectors import judge
from tests.vectors.judge import HERE, JSON, JUDGES, accepted, answer, bundle, content
from tests.vectors.making.archive import BLOCK, gzip

SITE = HERE / "foreign/site"
FOREIGN = sorted({path.read_bytes(): path for path in sorted(SITE.rglob("*.json"))}.values())
"""Each once: the pointers hold the bytes of the newest immutable state."""

SIGNED = ("manifests.json", "release-indexes.json", "remote-indexes.json")


def _mutants(data: bytes, at: int) -> Iterator[bytes]:
    """What a bit error, a careless editor and an attacker make of the byte at `at`."""
    byte = data[at]
    before, after = data[:at], data[at + 1 :]
    for other in {byte ^ 0x01, byte ^ 0x20, ord(" ")} - {byte}:
        yield before + bytes([other]) + after
    yield before + after
    yield before + b" " + data[at:]


def _survivors(
    data: bytes,
    judge: Callable[[bytes], object],
    same: Callable[[bytes], bool],
    mutants: Callable[[bytes, int], Iterator[bytes]] = _mutants,
) -> list[bytes]:
    """The mutants that are accepted without being the same value."""
    found = []
    for at in range(len(data)):
        for mutant in mutants(data, at):
            try:
                judge(mutant)
            except ContentError:
                continue
            if not same(mutant):
                found.append(mutant)
    return found


def _value(data: bytes) -> bytes:
    return canonical(parse(data, limit=REMOTE_INDEX_LIMIT, where="test"))


def _documents() -> Iterator[tuple[str, str, JSON, bytes]]:
    for name in SIGNED:
        for vector in accepted(name):
            yield f"{name}: {vector['name']}", name, vector, content(vector)


@cache
def _foreign_trust() -> TrustStore:
    return TrustStore.parse((HERE / "foreign/keys/trust.json").read_bytes(), source="foreign")


@pytest.mark.parametrize(("name", "vector", "data"), [pytest.param(*case, id=label) for label, *case in _documents()])
def test_every_byte_of_a_signed_document_counts(name: str, vector: JSON, data: bytes) -> None:
    """T01, T04."""
    value = _value(data)
    assert answer(JUDGES[name], vector, data) == "ok"
    assert _survivors(data, partial(JUDGES[name], vector), lambda mutant: _value(mutant) == value) == []


@pytest.mark.parametrize("path", FOREIGN, ids=lambda path: str(path.relative_to(SITE)))
def test_every_byte_of_a_foreign_document_counts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """T01, T04."""
    data = path.read_bytes()
    said = json.loads(data)
    vector = {"trust": "foreign", "featureId": said.get("featureId", said.get("id")), "version": said.get("version")}
    vector["at"] = "2026-11-23T12:00:00Z"
    monkeypatch.setattr(judge, "store", lambda _name: _foreign_trust())
    kind = "remote-indexes" if "kind" in said else "manifests" if "integrity" in said else "release-indexes"
    value = _value(data)
    assert answer(JUDGES[f"{kind}.json"], vector, data) == "ok"
    assert _survivors(data, partial(JUDGES[f"{kind}.json"], vector), lambda m: _value(m) == value) == []


@pytest.mark.parametrize("vector", accepted("documents.json"), ids=lambda v: v["name"])
def test_a_changed_document_is_read_as_what_it_says_or_refused(vector: JSON) -> None:
    """T04: nothing but a ContentError comes out, and what is accepted has one canonical form."""
    for at in range(len(content(vector))):
        for mutant in _mutants(content(vector), at):
            try:
                document = parse(mutant, limit=vector["limit"], where="test")
            except ContentError:
                continue
            assert parse(canonical(document), limit=2 * vector["limit"], where="test") == document


@pytest.mark.parametrize("vector", accepted("trust.json"), ids=lambda v: v["name"])
def test_a_changed_trust_store_is_another_one_or_a_configuration_error(vector: JSON) -> None:
    """S3: it is not signed, but it never ends in anything else."""
    data = content(vector)
    for at in range(len(data)):
        for mutant in _mutants(data, at):
            with suppress(ConfigurationError):
                assert TrustStore.parse(mutant, source="test").keys


@cache
def _smallest_bundle() -> tuple[JSON, bytes]:
    vector = min(accepted("bundles.json"), key=lambda vector: len(vector["base64"]))
    return vector, content(vector)


def _bit_and_cut(data: bytes, at: int) -> Iterator[bytes]:
    yield data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    yield data[:at] + data[at + 1 :]


def test_every_byte_of_a_bundle_counts() -> None:
    """T01, T17."""
    vector, data = _smallest_bundle()
    files = bundle(vector, data)
    assert _survivors(data, partial(bundle, vector), lambda m: bundle(vector, m) == files, _bit_and_cut) == []


def test_every_byte_of_the_archive_in_a_bundle_counts_also_where_the_gzip_is_whole() -> None:
    """T01, T17."""
    vector, data = _smallest_bundle()
    files = bundle(vector, data)

    def judged(tar: bytes) -> dict[str, bytes]:
        return bundle(vector, gzip(tar))

    assert _survivors(_inflated(data), judged, lambda m: judged(m) == files, _bit_and_cut) == []


@pytest.mark.parametrize("flip", [0x01, 0x10, 0xFF])
def test_a_header_changed_with_its_checksum_gives_the_same_files_or_none(flip: int) -> None:
    """T17: modes, times and owners are not looked at; all else is."""
    vector, data = _smallest_bundle()
    files, tar = bundle(vector, data), _inflated(data)
    free = set()
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        headers = [found.offset for found in archive.getmembers()]
    for start in headers:
        for at in range(BLOCK):
            block = bytearray(tar[start : start + BLOCK])
            block[at] ^= flip
            block[148:156] = b"%06o\0 " % (sum(block) - sum(block[148:156]) + 8 * 0x20)
            mutant = gzip(tar[:start] + block + tar[start + BLOCK :])
            if answer(bundle, vector, mutant) == "ok":
                assert bundle(vector, mutant) == files
                free.add(at)
    name, kind_link_and_magic, prefix = range(20), range(156, 265), range(345, 500)
    assert free.isdisjoint({*name, *kind_link_and_magic, *prefix})


def _inflated(data: bytes) -> bytes:
    return zlib.decompress(data, 16 + zlib.MAX_WBITS)
