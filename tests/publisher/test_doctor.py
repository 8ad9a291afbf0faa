"""What `cdn-release doctor` finds: each thing broken once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from artifact.errors import Code, TransientError
from artifact.keys import KeySigner, PrivateKey
from artifact.trust import Role
from publisher.content_types import private
from publisher.doctor import OK, PROBLEM, WARNING, Finding, Patient, examine
from publisher.publish import publish
from publisher.sources import DirectorySource
from tests.publisher.world import FEATURE, World
from tests.simulator.faults import Faulty

GOOD = {"x-content-type-options": "nosniff", "access-control-allow-origin": "*"}


@dataclass
class EdgeOf:
    """An edge that serves a world's objects, with some headers changed and some objects replaced."""

    world: World
    headers: dict[str, str] = field(default_factory=lambda: dict(GOOD))
    replaced: dict[str, bytes | None] = field(default_factory=dict)

    def get(self, name: str, *, limit: int) -> tuple[bytes, Mapping[str, str]] | None:
        found = self.world.store.get(name)
        assert found is not None
        data = self.replaced.get(name, found.data)
        headers = {"content-type": found.settings.content_type, "cache-control": found.settings.cache_control}
        return None if data is None else (data, {**headers, **self.headers})


MOUNT = {"pathPrefix": "/patients", "domElementId": "patients"}


@pytest.fixture
def world(world: World) -> World:
    world.publish("1.0.0", featureType="domain", mount=MOUNT, routes=["/patients", "/patients/:id"])
    world.publish("1.0.0", "feature-b")
    return world


def found(world: World, **parts: object) -> list[Finding]:
    patient = Patient(world.store, world.env.trust, world.env.signer, EdgeOf(world), world.clock(), world.env.limits)
    return list(examine(replace(patient, **parts)))  # type: ignore[arg-type]


def levels(findings: list[Finding]) -> set[str]:
    return {finding.level for finding in findings}


def the(findings: list[Finding], level: str) -> Finding:
    """The only finding of a level; it says what to do."""
    (finding,) = (finding for finding in findings if finding.level == level)
    assert finding.remedy
    return finding


def test_where_all_is_well_every_check_says_so(world: World) -> None:
    before = world.objects()
    findings = found(world)
    assert levels(findings) == {OK}
    checks = [finding.check for finding in findings]
    assert checks == [
        "storage",
        "clock",
        "signing key",
        "trust store",
        "remote index",
        "remote index",
        "routes",
        "edge",
    ]
    assert world.objects() == before


def test_a_storage_that_permits_nothing(world: World) -> None:
    class Closed(Faulty):
        def delete(self, name: str) -> bool:
            raise TransientError(Code.UNAUTHORIZED, "W1", "the storage does not permit it", where="artifacts")

    finding = the(found(world, store=Closed(world.store)), PROBLEM)
    assert finding.check == "storage"
    assert finding.error is not None
    assert "Contributor" in finding.remedy


def test_a_clock_that_is_wrong(world: World) -> None:
    assert "clock" in the(found(world, now=world.clock() + timedelta(minutes=6)), WARNING).check


@pytest.mark.parametrize("key_id", ["stranger", "release-test"])
def test_a_signing_key_that_readers_would_not_believe(world: World, key_id: str) -> None:
    finding = the(found(world, signer=KeySigner(key_id, PrivateKey.generate())), PROBLEM)
    assert finding.check == "signing key"


def test_a_signing_key_without_its_roles(world: World) -> None:
    entry = replace(world.env.trust.keys["release-test"], roles=frozenset({Role.RELEASES}))
    trust = replace(world.env.trust, keys={**world.env.trust.keys, "release-test": entry})
    assert "role" in next(finding for finding in found(world, trust=trust) if finding.level == PROBLEM).what


def test_a_key_that_ends_soon(world: World) -> None:
    entry = replace(world.env.trust.keys["build-test"], valid_until=world.clock() + timedelta(days=3))
    trust = replace(world.env.trust, keys={**world.env.trust.keys, "build-test": entry})
    assert "build-test" in the(found(world, trust=trust), WARNING).what


@pytest.mark.parametrize(("days", "level"), [(6, WARNING), (8, PROBLEM)])
def test_a_remote_index_that_expires(world: World, days: int, level: str) -> None:
    later = world.clock() + timedelta(days=days)
    finding = next(one for one in found(world, now=later) if one.check == "remote index")
    assert finding.level == level


def test_a_remote_index_that_is_behind(world: World) -> None:
    publish(world.env, DirectorySource(world.directory("1.1.0", "feature-b"), world.env.limits), actor="tester")
    findings = [one for one in found(world, edge=None) if one.level == WARNING]
    assert [one.check for one in findings] == ["remote index"]
    assert "feature-b" in findings[0].what


def test_a_release_index_that_is_wrong_or_gone(world: World) -> None:
    world.store.put("feature-b/releases.2.json", b"rubbish", private("x.json"))
    for name in ("releases.json", "releases.1.json"):
        world.store.delete(f"{FEATURE}/{name}")
    problems = {one.check for one in found(world, edge=None) if one.level == PROBLEM}
    assert problems == {"feature-b", FEATURE}


def test_two_features_that_claim_the_same_place(world: World) -> None:
    world.publish("1.0.0", "feature-c", featureType="domain", mount=MOUNT, routes=["/other", "/patients"])
    what = [one.what for one in found(world, edge=None) if one.check == "routes"]
    assert len(what) == 3
    assert all("feature-c" in one and FEATURE in one for one in what)
    assert {"pathPrefix", "domElementId", "route"} == {one.split("both claim the ")[1].split()[0] for one in what}


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("x-content-type-options", ""), ("access-control-allow-origin", "https://elsewhere"),
        ("content-type", "text/html"), ("cache-control", "no-store"),
    ],
)  # fmt: skip
def test_an_edge_that_changes_headers(world: World, header: str, value: str) -> None:
    warnings = [one for one in found(world, edge=EdgeOf(world, {**GOOD, header: value})) if one.level == WARNING]
    assert len(warnings) == 2  # of a pointer and of an immutable object
    assert all(header in one.what.lower() and one.remedy for one in warnings)


def test_an_edge_that_is_behind_or_serves_nothing(world: World) -> None:
    stale = EdgeOf(world, replaced={f"{FEATURE}/releases.json": b"older"})
    assert FEATURE in the(found(world, edge=stale), WARNING).what
    empty = EdgeOf(world, replaced={"remote-index.json": None})
    assert the(found(world, edge=empty), PROBLEM).check == "edge"
