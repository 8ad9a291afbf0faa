"""What `sync` brings to a root (L2, L3, L5, L14)."""

from __future__ import annotations

from dataclasses import replace

from loader_cdn.progress import Silent
from loader_cdn.report import Result
from loader_cdn.sync import sync
from tests.publisher.world import FEATURE
from tests.simulator.environment import Delivery
from tests.versions import FILES

OTHER = "feature-lab-results"


def test_every_listed_version_stands_byte_for_byte_as_it_was_signed(site: Delivery) -> None:
    site.publish("1.0.0")
    site.publish("1.1.0", files={**FILES, "index.js": b"2"})

    row = site.row()

    assert (row.result, row.error) == (Result.UPDATED, None)
    assert row.standing == site.head().index
    assert site.tree() == site.published("1.0.0", "1.1.0")


def test_a_feature_by_flag_stands_like_one_of_the_remote_index(site: Delivery) -> None:
    site.publish("1.0.0")
    site.publish("1.0.0", OTHER)

    report = site.sync(features=[FEATURE])

    assert [row.feature_id for row in report.rows] == [FEATURE]
    assert site.tree() == site.published("1.0.0")
    assert report.exit_status() == 0


def test_a_flag_wins_over_the_remote_index(site: Delivery) -> None:
    site.publish("1.0.0")
    site.publish("1.0.0", OTHER)

    with site.cdn.watched() as asked:
        site.sync(features=[FEATURE], remote_index=site.cdn.url + "remote-index.json")

    paths = [request.path for request in asked]
    assert f"{FEATURE}/releases.json" in paths
    assert f"{OTHER}/releases.1.json" in paths
    assert f"{FEATURE}/releases.1.json" not in paths


def test_an_unchanged_remote_index_costs_one_conditional_request(site: Delivery) -> None:
    """L14."""
    site.publish("1.0.0")
    site.publish("1.0.0", OTHER)
    site.sync()

    with site.cdn.watched() as asked:
        report = site.sync()

    assert [(request.path, request.status) for request in asked] == [("remote-index.json", 304)]
    assert [row.result for row in report.rows] == [Result.UNCHANGED] * 2
    assert report.exit_status() == 0


def test_an_unchanged_feature_by_flag_costs_one_conditional_request(site: Delivery) -> None:
    """L14."""
    site.publish("1.0.0")
    site.sync(features=[FEATURE])

    with site.cdn.watched() as asked:
        row = site.row(features=[FEATURE])

    assert [(request.path, request.status) for request in asked] == [(f"{FEATURE}/releases.json", 304)]
    assert row.result is Result.UNCHANGED


def test_an_update_fetches_what_changed_and_links_the_rest(site: Delivery) -> None:
    """L5."""
    site.publish("1.0.0")
    site.sync()
    site.publish("1.1.0", files={**FILES, "index.js": b"changed\n"})

    with site.cdn.watched() as asked:
        site.sync()

    assert {request.path for request in asked} == {
        "remote-index.json",
        f"{FEATURE}/releases.2.json",
        f"{FEATURE}/1.1.0/manifest.json",
        f"{FEATURE}/1.1.0/index.js",
    }
    one, two = (site.root / FEATURE / version / "assets/app.css" for version in ("1.0.0", "1.1.0"))
    assert one.samefile(two)
    assert site.tree() == site.published("1.0.0", "1.1.0")


def test_equal_files_of_one_version_are_fetched_once(site: Delivery) -> None:
    site.publish("1.0.0", files={"index.js": b"same", "a/copy.js": b"same", "b/copy.js": b"same"})

    with site.cdn.watched() as asked:
        site.sync()

    assert sum(request.path.endswith((".js",)) for request in asked) == 1
    assert site.tree() == site.published("1.0.0")


def test_paths_with_every_character_that_is_allowed_are_fetched(site: Delivery) -> None:
    """P3: some of them must be escaped in a URL."""
    name = "a/!$&'()+,-.0;=@A[]^_`a{}~.js"
    site.publish("1.0.0", files={"index.js": b"1", name: b"2"})

    assert site.row().error is None
    assert site.tree()[f"{FEATURE}/1.0.0/{name}"] == b"2"


def test_a_rollback_is_a_higher_sequence_and_fetches_no_file(site: Delivery) -> None:
    """R4."""
    site.publish("1.0.0")
    site.publish("1.1.0", files={**FILES, "index.js": b"2"})
    site.sync()
    site.rollback("1.0.0")

    with site.cdn.watched() as asked:
        row = site.row()

    assert [request.path for request in asked] == ["remote-index.json", f"{FEATURE}/releases.3.json"]
    assert row.standing is not None
    assert (row.result, row.standing.active.text, row.standing.sequence) == (Result.UPDATED, "1.0.0", 3)


def test_t15_readers_ask_only_for_what_is_there_and_need_no_query_to_get_past_a_cache(site: Delivery) -> None:
    """An edge that remembers a 404, or takes a query for another object, must not matter."""
    with site.cdn.watched() as asked:
        site.publish("1.0.0")
        for version in ("1.1.0", "1.2.0"):
            site.sync()
            site.publish(version, files={**FILES, "index.js": version.encode()})
        site.sync()
        site.rollback("1.1.0")
        site.sync()
        site.withdraw("1.2.0")
        site.sync()
        site.sync(features=[FEATURE])
    assert {request.status for request in asked} <= {200, 304}
    assert not any("?" in request.path for request in asked)
    pointers = {"remote-index.json", f"{FEATURE}/releases.json"}
    fetched = [request.path for request in asked if request.status == 200 and request.path not in pointers]
    assert len(fetched) == len(set(fetched))


def test_a_feature_with_a_fault_harms_no_other(site: Delivery) -> None:
    site.publish("1.0.0")
    site.publish("1.0.0", OTHER)
    site.cdn.tamper(f"{OTHER}/1.0.0/index.js")

    report = site.sync()

    assert {row.feature_id: row.result for row in report.rows} == {FEATURE: Result.UPDATED, OTHER: Result.FAILED}
    assert site.tree() == site.published("1.0.0")
    assert report.exit_status() == 3


def test_no_empty_directory_is_left_of_a_feature_that_failed(site: Delivery) -> None:
    """L3."""
    site.publish("1.0.0")
    site.cdn.substitute(f"{FEATURE}/1.0.0/index.js", b"", status=404)

    row = site.row()

    assert row.result is Result.FAILED
    assert site.tree() == {}
    assert not (site.root / FEATURE).exists()


def test_a_server_without_etags_says_it_all_again_and_nothing_is_touched(site: Delivery) -> None:
    site.publish("1.0.0")
    path = f"{FEATURE}/releases.json"
    site.cdn.substitute(path, site.head().data, kind="application/json")
    site.sync(features=[FEATURE])
    before = (site.root / path).stat().st_ino

    assert site.row(features=[FEATURE]).result is Result.UNCHANGED
    assert (site.root / path).stat().st_ino == before


def test_the_root_may_be_a_link(site: Delivery) -> None:
    site.publish("1.0.0")
    real = site.root.with_name("real")
    real.mkdir()
    site.root.symlink_to(real)
    assert site.row().result is Result.UPDATED
    assert site.tree() == site.published("1.0.0")


def test_two_features_under_one_url_are_told_apart(site: Delivery) -> None:
    site.publish("1.0.0")
    url = f"{site.cdn.url}{FEATURE}/"
    settings = replace(site.settings(), remote_index=None, features={FEATURE: url, OTHER: url})

    report = sync(settings, progress=Silent(), clock=site.world.clock)

    assert {row.feature_id: row.result for row in report.rows} == {FEATURE: Result.UPDATED, OTHER: Result.FAILED}
