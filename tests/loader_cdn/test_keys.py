"""Keys that are removed, retired, replaced and stolen (S5, S6, T12)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from artifact.errors import Code
from artifact.keys import KeySigner, PrivateKey
from artifact.trust import TrustStore
from loader_cdn.report import Result
from publisher import release
from publisher.remote import refresh_remote
from tests.publisher.world import FEATURE
from tests.simulator.environment import Delivery, assert_refused, row_of, trust_without
from tests.versions import FILES

CHANGED = {**FILES, "index.js": b"changed\n"}


def _trust(site: Delivery, **added: KeySigner) -> str:
    """The trust store with further keys, by role."""
    document = site.world.keys.trust_document()
    for role, signer in added.items():
        roles = ["manifest"] if role == "build" else ["releases", "index"]
        public = signer.key.public().pem()
        document[signer.key_id] = {"publicKey": public, "roles": roles, "features": ["*"]}
    return json.dumps(document)


@pytest.mark.parametrize("key", ["release", "build"])
def test_what_only_a_removed_key_vouched_for_is_taken_away_at_once(
    site: Delivery, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    """S5: without grace, and loudly."""
    site.publish("1.0.0")
    site.sync()
    signer = getattr(site.world.keys, key)

    report = site.sync(
        trust_keys=trust_without(site.world.keys.trust_document(), signer), features=[FEATURE], remote_index=None
    )

    assert_refused(row_of(report), Code.KEY_UNKNOWN, Result.FAILED)
    assert site.tree() == {}
    assert "nobody who is trusted vouches for it" in caplog.text
    assert report.exit_status() == 3


def test_it_is_taken_away_also_where_the_source_cannot_be_asked(site: Delivery) -> None:
    """S5."""
    site.publish("1.0.0")
    site.sync()
    site.cdn.switches.offline = True
    site.sync(trust_keys=trust_without(site.world.keys.trust_document(), site.world.keys.build))
    assert site.tree() == {}


def test_a_version_that_is_only_waiting_to_go_is_taken_away_too(site: Delivery) -> None:
    """S5: no index lists it any more, but a host may still read it."""
    new = KeySigner("build-new", PrivateKey.generate())
    both = _trust(site, build=new)
    site.world.env = replace(site.world.env, trust=TrustStore.parse(both.encode(), source="both"))
    site.publish("1.0.0")
    site.world.keys = replace(site.world.keys, build=new)
    versions = [f"1.{number}.0" for number in range(1, 6)]
    for version in versions[:4]:
        site.publish(version, files=CHANGED)
    site.sync(trust_keys=both)
    site.publish(versions[4], files=CHANGED)
    site.sync(trust_keys=both)
    assert (site.root / FEATURE / "1.0.0").exists()

    site.sync(trust_keys=json.dumps({name: key for name, key in json.loads(both).items() if name != "build-test"}))

    assert site.tree() == site.published(*versions)


def test_a_key_under_the_same_name_is_another_key(site: Delivery) -> None:
    """S5: the label only selects."""
    site.publish("1.0.0")
    site.sync()
    document = site.world.keys.trust_document()
    document["release-test"]["publicKey"] = site.world.keys.stranger.key.public().pem()
    site.sync(trust_keys=json.dumps(document))
    assert site.tree() == {}


def test_keys_rotate_without_an_outage_and_without_fetching_a_file_again(site: Delivery) -> None:
    """S6, T46."""
    site.publish("1.0.0")
    site.sync()
    new = KeySigner("release-new", PrivateKey.generate())
    both = _trust(site, release=new)
    site.world.env = replace(site.world.env, signer=new, trust=TrustStore.parse(both.encode(), source="both"))
    site.act(release.refresh)
    refresh_remote(site.world.env)

    with site.cdn.watched() as asked:
        assert site.row(trust_keys=both).result is Result.UPDATED
    assert not any("/1.0.0/" in request.path for request in asked)

    only_new = trust_without(json.loads(both), site.world.keys.release)
    assert site.row(trust_keys=only_new).result is Result.UNCHANGED
    assert site.tree() == site.published("1.0.0")


def test_a_loader_that_slept_through_a_rotation_comes_back_by_itself(site: Delivery) -> None:
    """S6: its index is signed by nobody who is trusted, and the newer one is there already."""
    site.publish("1.0.0")
    site.sync()
    new = KeySigner("release-new", PrivateKey.generate())
    both = _trust(site, release=new)
    site.world.env = replace(site.world.env, signer=new, trust=TrustStore.parse(both.encode(), source="both"))
    site.act(release.refresh)

    with site.cdn.watched() as asked:
        row = site.row(trust_keys=trust_without(json.loads(both), site.world.keys.release))

    assert row.result is Result.UPDATED
    assert not any("/1.0.0/" in request.path for request in asked)
    assert site.tree() == site.published("1.0.0")


def test_a_retired_build_key_vouches_for_what_was_published_in_its_time(site: Delivery) -> None:
    """S6: warm and cold."""
    site.publish("1.0.0")
    site.sync()
    document = site.world.keys.trust_document()
    document["build-test"]["validUntil"] = "2026-11-23T13:00:00Z"
    retired = json.dumps(document)
    site.world.clock.pass_by(days=1)
    assert site.row(trust_keys=retired).result is Result.UNCHANGED
    site.root = site.root.with_name("cold")
    assert site.row(trust_keys=retired).result is Result.UPDATED

    site.publish("1.1.0", files=CHANGED)
    assert_refused(site.row(trust_keys=retired), Code.KEY_NOT_ALLOWED)
    assert site.published("1.0.0").keys() - {f"{FEATURE}/releases.json"} <= site.tree().keys()


def test_a_stolen_keys_huge_sequence_is_forgotten_with_the_key(site: Delivery) -> None:
    """T12: the way back is to remove the key, and to say the last good sequence."""
    site.publish("1.0.0")
    site.sync(features=[FEATURE])
    thief = site.world.keys.stranger
    with_thief = _trust(site, release=thief)
    path = f"{FEATURE}/releases.json"
    site.cdn.edit(path, thief, sequence=2**53 - 1)
    assert site.row(trust_keys=with_thief, features=[FEATURE]).result is Result.UPDATED
    site.cdn.heal()
    assert_refused(site.row(trust_keys=with_thief, features=[FEATURE]), Code.SEQUENCE_ROLLBACK)

    recovered = site.row(features=[FEATURE], min_sequence={FEATURE: 1})

    assert recovered.result is Result.UPDATED
    assert site.tree() == site.published("1.0.0")


def test_a_stolen_keys_remote_index_is_forgotten_with_the_key(site: Delivery) -> None:
    """T12."""
    site.publish("1.0.0")
    site.sync()
    thief = site.world.keys.stranger
    with_thief = _trust(site, release=thief)
    site.cdn.edit("remote-index.json", thief, sequence=2**53 - 1)
    assert site.sync(trust_keys=with_thief).error is None
    site.cdn.heal()

    report = site.sync(grace=timedelta(0))

    assert report.error is None
    assert site.tree() == site.published("1.0.0")
