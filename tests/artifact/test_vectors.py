"""The vectors: ours are made by a script that knows nothing of `artifact`, the foreign ones by somebody else."""

from __future__ import annotations

import ast
import hashlib
import json
from pathlib import Path

import pytest

import artifact
from artifact.bundle import BundleReader, write_tar
from artifact.errors import Code
from artifact.fields import parse_time
from artifact.keys import KeySigner, PrivateKey
from artifact.manifest import parse_manifest, verify_manifest
from artifact.paths import Limits
from artifact.releases import parse_releases, verify_releases
from artifact.remote_index import parse_remote_index, verify_remote_index
from artifact.signing import signed
from artifact.trust import TrustStore
from publisher.pack import gzip
from tests.vectors import generate
from tests.vectors.judge import HERE, JSON, JUDGES, Story, answer, content, vectors, verdict

FOREIGN = HERE / "foreign"
SITE = FOREIGN / "site"
FOREIGN_REMOTE_SHA256 = "c902cef25221244d26a2ca056311ca300e58b4377a677d38ae81f65662cf9b3d"
MOMENT = parse_time("2026-11-23T12:00:00Z")

CASES = [pytest.param(name, vector, id=f"{name}: {vector['name']}") for name in JUDGES for vector in vectors(name)]


@pytest.mark.parametrize(("name", "vector"), CASES)
def test_every_document_is_judged_as_its_vector_says(name: str, vector: JSON) -> None:
    """T01-T08, T17."""
    assert verdict(name, vector, content(vector)) == vector["code"]


@pytest.mark.parametrize("vector", vectors("trust.json"), ids=lambda v: v["name"])
def test_every_trust_store_is_judged_as_its_vector_says(vector: JSON) -> None:
    assert answer(TrustStore.parse, content(vector), source="vector") == vector["code"]


@pytest.mark.parametrize("vector", vectors("actions.json"), ids=lambda v: v["name"])
def test_every_story_goes_as_its_vector_says(vector: JSON) -> None:
    """R6, R7, T19."""
    story = Story(vector)
    for step in vector["steps"]:
        before = story.index
        assert answer(story.take, step) == step["code"], step
        after = story.index
        assert (after is not before) == step["changed"], step
        if step["changed"]:
            assert after is not None
            assert after.sequence == (before.sequence if before is not None else 0) + 1
            assert after.active.text == step["active"], step
            assert (after.canary.text if after.canary is not None else None) == step["canary"], step
            assert [entry.version.text for entry in after.entries] == step["listed"], step
            assert [gone.version.text for gone in after.withdrawn] == step["withdrawn"], step
            assert (after.removed is not None) == step.get("removed", step["action"] == "remove"), step


def test_made_again_the_vectors_are_the_same_bytes() -> None:
    made = generate.files()
    assert made == {name: (HERE / name).read_bytes() for name in made}
    assert {path.name for path in HERE.glob("*.json")} == set(made)


def test_the_vectors_show_every_code_that_artifact_raises() -> None:
    raised = {Code.CONFIGURATION_INVALID}
    for module in Path(artifact.__path__[0]).glob("*.py"):
        if module.name != "errors.py":
            raised |= {
                Code[node.attr]
                for node in ast.walk(ast.parse(module.read_text("utf-8")))
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Code"
            }
    shown = {vector["code"] for name in [*JUDGES, "trust.json"] for vector in vectors(name)}
    shown |= {step["code"] for story in vectors("actions.json") for step in story["steps"]}
    assert shown - {"ok"} == {str(code) for code in raised}


def _foreign_trust() -> TrustStore:
    return TrustStore.parse((FOREIGN / "keys/trust.json").read_bytes(), source="foreign")


def _foreign_signer(key_id: str) -> KeySigner:
    return KeySigner(key_id, PrivateKey.parse((FOREIGN / f"keys/{key_id}.pem").read_text("ascii"), where="foreign"))


def test_the_foreign_remote_index_is_the_one_that_was_handed_over() -> None:
    assert hashlib.sha256((SITE / "remote-index.json").read_bytes()).hexdigest() == FOREIGN_REMOTE_SHA256


@pytest.mark.parametrize("path", sorted(SITE.rglob("*.json")), ids=lambda path: str(path.relative_to(SITE)))
def test_signed_again_a_foreign_document_is_the_same_bytes(path: Path) -> None:
    """F4, S1: to the byte."""
    data = path.read_bytes()
    document = json.loads(data)
    key_id = document.pop("signature")["keyId"]
    assert signed(document, _foreign_signer(key_id)) == data


@pytest.mark.parametrize("path", sorted(SITE.rglob("*releases*.json")), ids=lambda path: str(path.relative_to(SITE)))
def test_a_foreign_release_index_is_written_as_it_was_read(path: Path) -> None:
    data = path.read_bytes()
    index = parse_releases(data, where="foreign", limits=Limits()).index
    assert index.signed(_foreign_signer("release-2026")) == data


def test_a_foreign_remote_index_is_written_as_it_was_read() -> None:
    data = (SITE / "remote-index.json").read_bytes()
    index = parse_remote_index(data, where="foreign", limits=Limits()).index
    assert index.signed(_foreign_signer("release-2026")) == data


def test_the_foreign_site_verifies_from_its_remote_index_to_the_last_file() -> None:
    trust = _foreign_trust()
    parsed = parse_remote_index((SITE / "remote-index.json").read_bytes(), where="remote", limits=Limits())
    remote = verify_remote_index(parsed, trust, at=MOMENT)
    found = []
    for listed in remote.index.entries:
        data = (SITE / listed.releases_url).read_bytes()
        feature_id = listed.feature_id
        releases = verify_releases(
            parse_releases(data, where=listed.releases_url, limits=Limits()), trust, feature_id=feature_id, at=MOMENT
        )
        listed.check(releases, where=listed.releases_url)
        for entry in releases.index.entries:
            folder = SITE / feature_id / entry.version.text
            manifest = verify_manifest(
                parse_manifest((folder / "manifest.json").read_bytes(), where=str(folder), limits=Limits()),
                trust, feature_id=feature_id, version=entry.version, at=entry.published_at,
            )  # fmt: skip
            assert manifest.sha256 == entry.manifest_sha256
            entry.check(manifest.manifest, where=str(folder))
            for file in manifest.manifest.files.values():
                content = (folder / file.path).read_bytes()
                assert (hashlib.sha256(content).digest(), len(content)) == (file.sha256, file.size)
                found.append(file.path)
    assert len(found) == 16


def test_a_foreign_version_makes_a_bundle_that_is_read_back() -> None:
    folder = SITE / "feature-patientlist/1.0.0"
    data = (folder / "manifest.json").read_bytes()
    manifest = parse_manifest(data, where="foreign", limits=Limits()).manifest
    contents = {path: (folder / path).read_bytes() for path in sorted(manifest.files)}
    tar = b"".join(write_tar(data, [(path, len(content), [content]) for path, content in contents.items()]))
    reader = BundleReader(gzip([tar]), where="bundle", limits=Limits())
    assert reader.manifest() == data
    assert {entry.path: b"".join(pieces) for entry, pieces in reader.files(manifest)} == contents
