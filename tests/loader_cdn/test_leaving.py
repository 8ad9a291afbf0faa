"""What goes, when, and what stays (L8, L12, L15, R6, I3)."""

from __future__ import annotations

import shutil
from datetime import timedelta

from artifact.actions import Policy
from artifact.errors import Code
from loader_cdn.report import Result
from publisher import release
from tests.publisher.world import FEATURE
from tests.simulator.environment import Delivery, assert_refused
from tests.versions import FILES

OTHER = "feature-lab-results"
GRACE = timedelta(minutes=10)


def _publish_many(site: Delivery, *versions: str) -> None:
    for version in versions:
        site.publish(version, files={**FILES, "index.js": version.encode()})


def test_a_version_that_left_the_window_goes_after_the_grace_period(site: Delivery) -> None:
    """L8."""
    window = Policy().window
    versions = [f"1.{number}.0" for number in range(window + 1)]
    _publish_many(site, *versions[:window])
    site.sync(grace=GRACE)
    _publish_many(site, versions[window])

    site.sync(grace=GRACE)
    assert site.tree() == site.published(*versions), "a host may still read what the index before listed"

    site.world.clock.pass_by(seconds=599)
    site.sync(grace=GRACE)
    assert site.tree() == site.published(*versions)

    site.world.clock.pass_by(seconds=1)
    site.sync(grace=GRACE)
    assert site.tree() == site.published(*versions[1:])


def test_a_version_that_returns_within_the_grace_period_was_never_absent(site: Delivery) -> None:
    versions = [f"1.{number}.0" for number in range(Policy().window)]
    _publish_many(site, *versions)
    site.sync()
    before = (site.root / FEATURE / versions[0]).stat().st_ino
    site.act(release.withdraw, site.head().index.entries[1].version, successor=None)
    site.sync()
    _publish_many(site, "2.0.0")

    with site.cdn.watched() as asked:
        site.sync()

    assert not any(f"/{versions[0]}/" in request.path for request in asked)
    assert (site.root / FEATURE / versions[0]).stat().st_ino == before


def test_a_clock_that_was_wrong_does_not_keep_a_version_for_ever(site: Delivery) -> None:
    """T38."""
    versions = [f"1.{number}.0" for number in range(Policy().window + 1)]
    _publish_many(site, *versions[:-1])
    site.sync(grace=GRACE)
    _publish_many(site, versions[-1])
    site.world.clock.pass_by(days=6)
    site.sync(grace=GRACE)

    site.world.clock.pass_by(days=-6)
    site.sync(grace=GRACE)
    site.world.clock.pass_by(minutes=10)
    site.sync(grace=GRACE)

    assert site.tree() == site.published(*versions[1:])


def test_a_withdrawn_version_goes_at_once(site: Delivery) -> None:
    """R6."""
    _publish_many(site, "1.0.0", "1.1.0")
    site.sync()
    site.withdraw("1.0.0")
    assert site.row().result is Result.UPDATED
    assert site.tree() == site.published("1.1.0")
    assert not (site.root / FEATURE / "1.0.0").exists()


def test_a_withdrawn_active_version_gives_way_to_its_successor(site: Delivery) -> None:
    """R6."""
    _publish_many(site, "1.0.0", "1.1.0")
    site.sync()
    site.withdraw("1.1.0", successor="1.0.0")
    row = site.row()
    assert row.standing is not None
    assert row.standing.active.text == "1.0.0"
    assert not (site.root / FEATURE / "1.1.0").exists()


def test_an_index_that_lists_a_withdrawn_version_again_is_refused(site: Delivery) -> None:
    """R6: also by a loader that has nothing but its memory left."""
    _publish_many(site, "1.0.0", "1.1.0")
    listed = site.head().index.document()["versions"]
    site.sync(features=[FEATURE])
    site.withdraw("1.0.0")
    site.sync(features=[FEATURE])
    path = f"{FEATURE}/releases.json"
    site.cdn.edit(path, site.world.keys.release, sequence=9, versions=listed, withdrawn=[])

    assert_refused(site.row(features=[FEATURE]), Code.VERSION_WITHDRAWN)
    shutil.rmtree(site.root / FEATURE)
    assert_refused(site.row(features=[FEATURE]), Code.VERSION_WITHDRAWN, Result.FAILED)


def test_a_feature_that_is_removed_from_the_remote_index_goes_after_the_grace_period(site: Delivery) -> None:
    """I3, L12."""
    site.publish("1.0.0")
    site.publish("1.0.0", OTHER)
    site.sync(grace=GRACE)
    site.act(release.remove, feature_id=OTHER)

    report = site.sync(grace=GRACE)
    assert [row.feature_id for row in report.rows] == [FEATURE]
    assert site.tree(OTHER) == site.published("1.0.0", feature_id=OTHER) | {
        f"{OTHER}/releases.json": site.world.objects()[f"{OTHER}/releases.1.json"]
    }

    site.world.clock.pass_by(minutes=10)
    site.sync(grace=GRACE)
    assert not (site.root / OTHER).exists()
    assert site.tree() == site.published("1.0.0")


def test_a_feature_that_no_flag_registers_any_more_goes_after_the_grace_period(site: Delivery) -> None:
    """L12."""
    site.publish("1.0.0")
    site.publish("1.0.0", OTHER)
    site.sync(features=[FEATURE, OTHER], grace=GRACE)
    site.sync(features=[FEATURE], grace=GRACE)
    site.world.clock.pass_by(minutes=9)
    site.sync(features=[FEATURE, OTHER], grace=GRACE)
    site.world.clock.pass_by(minutes=9)
    site.sync(features=[FEATURE], grace=GRACE)
    assert site.tree(OTHER) == site.published("1.0.0", feature_id=OTHER), "the grace period began anew"

    site.world.clock.pass_by(minutes=10)
    site.sync(features=[FEATURE], grace=GRACE)
    assert not (site.root / OTHER).exists()


def test_a_feature_that_moves_from_a_flag_to_the_remote_index_stays(site: Delivery) -> None:
    site.publish("1.0.0")
    site.sync(features=[FEATURE])
    with site.cdn.watched() as asked:
        assert site.row(grace=timedelta(0)).result is Result.UNCHANGED
    assert [request.path for request in asked] == ["remote-index.json"]


def test_nothing_goes_while_nobody_knows_what_is_registered(site: Delivery) -> None:
    """L8, T36."""
    site.publish("1.0.0")
    site.sync()
    (site.root / ".loader/remote-index.json").unlink()
    site.cdn.switches.offline = True

    report = site.sync(grace=timedelta(0))

    assert [(row.feature_id, row.result) for row in report.rows] == [(FEATURE, Result.KEPT)]
    assert site.tree() == site.published("1.0.0")


def test_leaving_the_loader_removes_only_what_it_brought(site: Delivery) -> None:
    """L15."""
    site.publish("1.0.0")
    site.publish("1.0.0", OTHER)
    site.sync()
    shutil.rmtree(site.root / ".loader")
    _publish_many(site, "1.1.0")
    site.sync(features=[FEATURE])

    site.sync(features=[OTHER], grace=timedelta(0))

    assert sorted(path.name for path in (site.root / FEATURE).iterdir()) == ["1.0.0"]


def test_nothing_is_left_in_the_loaders_own_directory(site: Delivery) -> None:
    _publish_many(site, "1.0.0", "1.1.0")
    site.sync()
    site.withdraw("1.0.0")
    site.sync()
    work = site.root / ".loader"
    assert sorted(path.name for path in work.rglob("*")) == [
        "brought.json",
        "lock",
        "remote-index.json",
        "staging",
        "state.json",
    ]
