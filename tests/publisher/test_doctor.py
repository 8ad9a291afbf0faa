"""What `cdn-release doctor` finds: each thing broken once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from artifact.errors import Code, ContentError, TransientError
from artifact.freshness import CLOCK_TOLERANCE
from artifact.keys import KeySigner, PrivateKey, Signer
from artifact.trust import Role, TrustedKey
from publisher.adapters.http import HttpReader
from publisher.adapters.memory import MemoryStore
from publisher.content_types import private
from publisher.doctor import Patient, examine
from publisher.edge import View
from publisher.findings import OK, PROBLEM, WARNING, Finding
from publisher.publish import publish
from publisher.sources import DirectorySource
from tests.publisher.world import FEATURE, World
from tests.simulator.cdn import Answer, Cdn, Change
from tests.simulator.faults import Faulty

MOUNT = {"pathPrefix": "/patients", "domElementId": "patients"}
OTHER = "feature-b"
CONTAINERS = ("incoming", "receipts", "quarantine", "state")


@pytest.fixture
def world(world: World) -> World:
    world.publish("1.0.0", featureType="domain", mount=MOUNT, routes=["/patients", "/patients/:id"])
    world.publish("1.0.0", OTHER)
    return world


def found(world: World, **parts: Any) -> list[Finding]:
    return list(examine(replace(Patient(world.env, signer=lambda: world.env.signer), **parts)))


def the(findings: list[Finding], level: str) -> Finding:
    """The only finding that is not ok: it says what to do, and a problem has an error to end with."""
    (finding,) = (finding for finding in findings if finding.level != OK)
    assert finding.level == level
    assert finding.remedy
    assert (finding.error is not None) == (level == PROBLEM)
    return finding


def trusting(world: World, key_id: str, **changes: Any) -> World:
    entry: TrustedKey = replace(world.env.trust.keys[key_id], **changes)
    trust = replace(world.env.trust, keys={**world.env.trust.keys, key_id: entry})
    return replace(world, env=replace(world.env, trust=trust))


def test_where_all_is_well_every_check_says_so_and_nothing_is_left_behind(world: World) -> None:
    before = world.objects()
    containers = {name: MemoryStore() for name in CONTAINERS}
    findings = found(world, containers=containers)
    assert {finding.level for finding in findings} == {OK}
    assert {finding.check for finding in findings} == {
        "storage", "clock", "signing key", "trust store", "remote index", "release indexes", "routes",
    }  # fmt: skip
    for name in CONTAINERS:
        assert any(name in finding.what for finding in findings)
    assert world.objects() == before


# Storage


class Closed(Faulty):
    """Permits to read."""

    def delete(self, name: str) -> bool:
        raise TransientError(Code.UNAUTHORIZED, "W1", "the storage does not permit it", where="artifacts")


class Cut(Faulty):
    """Takes what is written, and fails when it is asked for its names."""

    def list(self, prefix: str) -> Iterator[Any]:
        raise TransientError(Code.TRANSPORT_FAILED, "W1", "the storage does not answer", where="artifacts")


def test_a_storage_that_may_only_be_read(world: World) -> None:
    finding = the(found(replace(world, env=world.with_store(Closed(world.store)))), PROBLEM)
    assert finding.check == "storage"
    assert "Contributor" in finding.remedy


def test_the_probe_goes_also_where_the_check_fails(world: World) -> None:
    before = world.objects()
    findings = found(replace(world, env=world.with_store(Cut(world.store))))
    assert findings[0].level == PROBLEM
    assert world.objects() == before


@pytest.mark.parametrize(
    ("code", "level", "word"), [(Code.NOT_FOUND, PROBLEM, "make"), (Code.UNAUTHORIZED, WARNING, "identity")]
)
def test_w1_a_container_that_is_not_there_or_not_to_be_looked_into(
    world: World, code: Code, level: str, word: str
) -> None:
    class Missing(MemoryStore):
        def list(self, prefix: str) -> Iterator[Any]:
            raise TransientError(code, "W1", "no", where="state")

    containers = {"incoming": MemoryStore(), "state": Missing()}
    finding = the(found(world, containers=containers), level)
    assert "state" in finding.what + finding.remedy
    assert word in finding.remedy


@pytest.mark.parametrize("minutes", [6, -6])
def test_a_clock_that_is_wrong(world: World, minutes: int) -> None:
    env = replace(world.env, clock=lambda: world.clock() + timedelta(minutes=minutes))
    assert the(found(replace(world, env=env)), WARNING).check == "clock"


# Keys


@pytest.mark.parametrize("key_id", ["stranger", "release-test"])
def test_a_signing_key_that_readers_would_not_believe(world: World, key_id: str) -> None:
    signer: Signer = KeySigner(key_id, PrivateKey.generate())
    assert the(found(world, signer=lambda: signer), PROBLEM).check == "signing key"


def test_a_signing_key_that_cannot_be_read_ends_no_other_check(world: World) -> None:
    def fail() -> Signer:
        raise TransientError(Code.TRANSPORT_FAILED, "C2", "the Key Vault does not answer", where="vault")

    findings = found(world, signer=fail)
    assert the(findings, PROBLEM).check == "signing key"
    assert len(findings) > 5


def test_s4_a_signing_key_without_its_roles(world: World) -> None:
    findings = found(trusting(world, "release-test", roles=frozenset({Role.RELEASES})))
    (finding,) = (one for one in findings if one.check == "signing key")
    assert finding.level == PROBLEM
    assert "roles releases and index" in finding.what


def test_s4_a_signing_key_whose_scope_is_narrower_than_what_is_published(world: World) -> None:
    narrow = trusting(world, "release-test", features=(FEATURE,))
    found_ = [finding for finding in found(narrow) if finding.check == "signing key" and finding.level == WARNING]
    assert OTHER in found_[0].what


@pytest.mark.parametrize(
    ("key_id", "days", "level"),
    [
        ("build-test", 3, WARNING), ("build-test", 20, OK), ("build-test", -3, OK),
        ("release-test", 3, WARNING),
    ],
)  # fmt: skip
def test_s6_a_key_that_ends_soon_and_a_build_key_that_is_retired(
    world: World, key_id: str, days: int, level: str
) -> None:
    changed = trusting(world, key_id, valid_until=world.clock() + timedelta(days=days))
    (finding,) = (finding for finding in found(changed) if finding.check == "trust store")
    assert finding.level == level
    assert (key_id in finding.what) is (level == WARNING)


def test_s6_a_signing_key_that_has_ended(world: World) -> None:
    ended = trusting(world, "release-test", valid_until=world.clock() - timedelta(days=1))
    (finding,) = (finding for finding in found(ended) if finding.level == PROBLEM)
    assert (finding.check, finding.error and finding.error.code) == ("signing key", Code.KEY_NOT_ALLOWED)


# Indexes


def test_nothing_was_published_here(world: World) -> None:
    empty = replace(world, env=world.with_store(MemoryStore(clock=world.clock)))
    assert the(found(empty), WARNING).check == "remote index"


@pytest.mark.parametrize(("passed", "level"), [(5, OK), (6, WARNING), (8, PROBLEM)])
def test_l13_a_remote_index_that_is_not_signed_again(world: World, passed: int, level: str) -> None:
    world.clock.pass_by(days=passed)
    findings = [one for one in found(world) if one.check == "remote index" and "expir" in one.what]
    assert [one.level for one in findings] == [level]
    assert "timer" in findings[0].remedy or level == OK


def test_l13_release_indexes_that_expire_are_one_finding(world: World) -> None:
    world.clock.pass_by(days=90, minutes=1 + CLOCK_TOLERANCE.seconds // 60)
    (finding,) = (one for one in found(world) if one.check == "release indexes" and one.level == PROBLEM)
    assert FEATURE in finding.what
    assert OTHER in finding.what
    assert finding.error is not None
    assert finding.error.code is Code.EXPIRED


def test_i3_a_remote_index_that_is_behind(world: World) -> None:
    publish(world.env, DirectorySource(world.directory("1.1.0", OTHER), world.env.limits), actor="tester")
    finding = the(found(world), WARNING)
    assert finding.check == "remote index"
    assert OTHER in finding.what


def test_i3_a_feature_that_the_remote_index_does_not_list(world: World) -> None:
    publish(world.env, DirectorySource(world.directory("1.0.0", "feature-c"), world.env.limits), actor="tester")
    assert "feature-c" in the(found(world), WARNING).what


@pytest.mark.parametrize("pointer", ["remote-index.json", f"{FEATURE}/releases.json"])
@pytest.mark.parametrize("how", ["gone", "rubbish", "too long"])
def test_t45_a_pointer_that_is_not_the_newest_state(world: World, pointer: str, how: str) -> None:
    match how:
        case "gone":
            world.store.delete(pointer)
        case "rubbish":
            world.store.put(pointer, b"rubbish", private("x"))
        case _:
            world.store.put(pointer, b"{" * 9_000_000, private("x"))
    finding = the(found(world), WARNING)
    assert "pointer" in finding.what
    assert "rebuild-index" in finding.remedy


def test_a_release_index_that_is_wrong_or_lost_harms_no_other(world: World) -> None:
    world.publish("1.0.0", "feature-c")
    world.store.put(f"{OTHER}/releases.2.json", b"rubbish", private("x.json"))
    for name in (f"{FEATURE}/releases.1.json", f"{FEATURE}/releases.json"):
        world.store.delete(name)
    findings = found(world)
    assert {one.check for one in findings if one.level == PROBLEM} == {OTHER, FEATURE}
    assert all(one.error is not None for one in findings if one.level == PROBLEM)
    assert any("backup" in one.remedy for one in findings if one.check == FEATURE)
    assert any(one.check == "routes" and "1 active" in one.what for one in findings)


def test_w2_an_active_version_whose_manifest_is_gone(world: World) -> None:
    world.store.delete(f"{OTHER}/1.0.0/manifest.json")
    assert the(found(world), PROBLEM).check == OTHER


def test_two_features_that_claim_the_same_place(world: World) -> None:
    world.publish("1.0.0", "feature-c", featureType="domain", mount=MOUNT, routes=["/other", "/patients"])
    what = [one.what for one in found(world) if one.check == "routes"]
    assert len(what) == 3
    assert all("feature-c" in one and FEATURE in one for one in what)
    assert {"pathPrefix", "domElementId", "route"} == {one.split("both claim the ")[1].split()[0] for one in what}


# What readers get


@dataclass
class Serving:
    """An edge over HTTP, and what doctor says of it. Each path is answered with what `headers` changes."""

    cdn: Cdn
    world: World
    headers: dict[str, str | None] = field(default_factory=dict)

    def findings(self, origin: str | None = None) -> list[Finding]:
        for name in self.world.objects():
            self.cdn.switches.changes.setdefault(name, self._with_headers(name))
        view = View(HttpReader(self.cdn.url), self.world.env.trust, self.world.env.limits, origin)
        return found(self.world, view=view)

    def _with_headers(self, name: str) -> Change:
        stored = self.world.store.get(name)
        assert stored is not None
        good: Mapping[str, str | None] = {
            "Content-Type": stored.settings.content_type,
            "Cache-Control": stored.settings.cache_control,
            "X-Content-Type-Options": "nosniff",
            **self.headers,
        }

        def change(answer: Answer) -> Answer:
            kept = {
                name: value
                for name, value in answer.headers.items()
                if name.title() not in good and name.title() not in self.headers
            }
            return replace(answer, headers={**kept, **{name: value for name, value in good.items() if value}})

        return change


@pytest.fixture
def serving(world: World) -> Iterator[Serving]:
    with Cdn(world.store) as cdn:
        yield Serving(cdn, world)


def body(data: bytes) -> Callable[[Answer], Answer]:
    return lambda answer: replace(answer, body=data, headers={"Content-Type": "application/json"})


def test_an_edge_that_serves_what_is_stored(serving: Serving) -> None:
    findings = serving.findings()
    assert {finding.level for finding in findings} == {OK}
    assert len([finding for finding in findings if finding.check == "edge"]) == 4


@pytest.mark.parametrize(
    ("header", "value", "words"),
    [
        ("X-Content-Type-Options", None, "no X-Content-Type-Options"),
        ("Content-Type", "text/html", "Content-Type text/html"),
        ("Cache-Control", "no-store", "Cache-Control no-store"),
        ("Cache-Control", "public, max-age=86400", "Cache-Control public, max-age=86400"),
        ("Cache-Control", None, "Cache-Control none"),
    ],
)
def test_w3_an_edge_that_changes_headers(serving: Serving, header: str, value: str | None, words: str) -> None:
    serving.headers = {header: value}
    warnings = [one for one in serving.findings() if one.level != OK]
    assert warnings
    assert all(one.level == WARNING and words in one.what and one.remedy for one in warnings)
    named = " ".join(one.what for one in warnings)
    for name in ("remote-index.json", "/releases.json", "/1.0.0/manifest.json", ".js"):
        assert name in named


@pytest.mark.parametrize(
    ("allowed", "level"), [(None, WARNING), ("https://elsewhere", WARNING), ("*", OK), ("https://host.example", OK)]
)
def test_an_edge_that_a_web_origin_needs_allows_it(serving: Serving, allowed: str | None, level: str) -> None:
    serving.headers = {"Access-Control-Allow-Origin": allowed}
    assert {one.level for one in serving.findings()} == {OK}
    found_ = serving.findings(origin="https://host.example")
    assert {one.level for one in found_ if one.check == "edge"} == {OK, level}


@pytest.mark.parametrize("pointer", [f"{OTHER}/releases.json", "remote-index.json"])
def test_an_edge_that_is_late_says_which_sequence_it_serves(serving: Serving, pointer: str) -> None:
    old = serving.world.objects()[pointer]
    serving.world.publish("1.1.0", OTHER)
    serving.cdn.switches.changes[pointer] = body(old)
    (finding,) = (one for one in serving.findings() if one.level != OK and "sequence" in one.what)
    assert finding.level == WARNING
    expected = "sequence 1 is served, 2 is stored" if pointer.startswith(OTHER) else "sequence 2 is served, 3 is stored"
    assert expected in finding.what


@pytest.mark.parametrize("name", ["remote-index.json", f"{OTHER}/releases.json", f"{OTHER}/1.0.0/manifest.json"])
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (body(b"<html>sign in</html>"), Code.DOCUMENT_INVALID),
        (lambda answer: replace(answer, status=404, body=b""), Code.NOT_FOUND),
        (lambda answer: replace(answer, status=403, body=b""), Code.UNAUTHORIZED),
    ],
)
def test_t15_t16_an_edge_that_answers_something_else(serving: Serving, name: str, answer: Change, code: Code) -> None:
    serving.cdn.switches.changes[name] = answer
    (finding,) = (one for one in serving.findings() if one.level == PROBLEM)
    assert finding.check == "edge"
    assert finding.remedy
    assert finding.error is not None
    poisoned = name.endswith("manifest.json") and code is Code.DOCUMENT_INVALID
    assert finding.error.code is (Code.INTEGRITY_MISMATCH if poisoned else code)
    assert name in finding.what


def test_t08_an_edge_that_serves_other_bytes_of_the_same_sequence(serving: Serving) -> None:
    name = f"{OTHER}/releases.json"
    data = serving.world.objects()[name]
    serving.cdn.switches.changes[name] = body(json.dumps(json.loads(data), indent=1).encode())
    (finding,) = (one for one in serving.findings() if one.level == PROBLEM)
    assert isinstance(finding.error, ContentError)
    assert finding.error.code is Code.SEQUENCE_FORK


# The app


@dataclass
class AppOf:
    """An app that answers its health."""

    status: int
    answer: bytes

    def ask(self, name: str, *, limit: int) -> tuple[int, bytes, Mapping[str, str]]:
        assert name == "api/health"
        return self.status, self.answer, {}


@pytest.mark.parametrize(
    ("status", "answer", "level"),
    [
        (200, {"status": "ok", "problems": []}, OK),
        (200, {"status": "degraded", "problems": ["2 bundles could not be taken in"]}, WARNING),
        (503, {"status": "failing", "problems": ["the setting FAVN_RELEASE_KEY is missing"]}, PROBLEM),
        (404, "not found", PROBLEM),
    ],
)
def test_c6_what_the_app_says_of_itself(world: World, status: int, answer: Any, level: str) -> None:
    findings = found(world, app=AppOf(status, json.dumps(answer).encode()))
    (finding,) = (one for one in findings if one.check == "app")
    assert finding.level == level
    if isinstance(answer, dict) and answer["problems"]:
        assert answer["problems"][0] in finding.what
