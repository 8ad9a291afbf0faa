"""What must happen when an edge is stale, poisoned, frozen, or remembers that something was not there."""

from __future__ import annotations

import hashlib
import logging
from datetime import timedelta

import pytest

from artifact.errors import Code
from loader_cdn.report import Result
from tests.edges.site import Reader, Site, get, now
from tests.simulator.environment import assert_refused, row_of, tree
from tests.tools.running import WAIT

FEATURE = "feature-a"
PAGE = b"<!doctype html><title>Welcome</title>"


@pytest.fixture
def still(site: Site) -> Site:
    """Pointers are kept for an hour and nothing is purged: what an edge has, it keeps."""
    site = site.max_age(3600)
    site.purges = False
    site.publish(FEATURE, "1.0.0")
    site.publish("feature-b", "1.0.0")
    return site


def warm(site: Site) -> tuple[Reader, Reader]:
    """A reader behind each edge, up to date."""
    readers = site.reader("first"), site.reader("second")
    for reader, edge in zip(readers, site.edges, strict=True):
        assert reader.sync(edge).exit_status() == 0
    return readers


def test_t09_a_frozen_edge_keeps_readers_where_they_are_visibly_and_convinces_no_new_one(
    still: Site, caplog: pytest.LogCaptureFixture
) -> None:
    reader, _ = warm(still)
    stood = tree(reader.root)
    still.publish(FEATURE, "1.1.0")
    later = now() + timedelta(days=8)
    with caplog.at_level(logging.WARNING):
        report = reader.sync(still.edges[0], at=later)
    assert {row.result for row in report.rows} == {Result.UNCHANGED}
    assert "the remote index has expired" in caplog.text
    assert tree(reader.root) == stood

    report = still.reader("new").sync(still.edges[0], at=later)
    assert report.error is not None
    assert report.error.code is Code.EXPIRED
    still.purge("/remote-index.json")
    reader.sync(still.edges[0])
    assert reader.sequence == still.newest


def test_t10_an_edge_with_documents_of_several_moments_makes_readers_late_and_never_inconsistent(still: Site) -> None:
    first, second = warm(still)
    still.publish(FEATURE, "1.1.0")
    still.purge(f"/{FEATURE}/releases.json")
    first.sync(still.edges[0])
    first.check()
    assert first.sequence == 2

    by_feature = still.reader("by feature")
    assert row_of(by_feature.sync(still.edges[0], features=[FEATURE]), FEATURE).result is Result.UPDATED
    assert (by_feature.root / FEATURE / "1.1.0").is_dir()

    still.purge("/remote-index.json")
    second.sync(still.edges[1])
    second.check()
    assert second.sequence == still.newest


def test_t10_a_reader_that_moves_to_a_staler_edge_keeps_what_it_has_and_says_so(still: Site) -> None:
    reader, _ = warm(still)
    still.publish(FEATURE, "1.1.0")
    still.edges[0].__exit__()
    with still.edges[0]:  # it has forgotten everything
        reader.sync(still.edges[0])
        assert reader.sequence == still.newest
        report = reader.sync(still.edges[1])
        assert report.error is not None
        assert report.error.code is Code.SEQUENCE_ROLLBACK
        assert {row.result for row in report.rows} == {Result.KEPT}
        assert reader.sequence == still.newest
        reader.check()


def test_t15_a_404_that_an_edge_keeps_of_the_next_state_does_not_hurt(still: Site) -> None:
    """Anybody may ask for it before it is there."""
    reader, _ = warm(still)
    assert get(still.edges[0], f"{FEATURE}/releases.2.json").status == 404
    assert get(still.edges[0], "remote-index.3.json").status == 404
    still.publish(FEATURE, "1.1.0")
    still.purge("/remote-index.json", f"/{FEATURE}/releases.json")
    assert get(still.edges[0], f"{FEATURE}/releases.2.json").status == 404
    assert row_of(reader.sync(still.edges[0]), FEATURE).result is Result.UPDATED
    reader.check()


def test_t15_a_page_with_status_200_is_refused_and_what_stands_is_kept(still: Site) -> None:
    reader, _ = warm(still)
    stood = tree(reader.root)
    still.publish(FEATURE, "1.1.0")
    still.poison(f"{FEATURE}/1.1.0/manifest.json", PAGE)
    still.purge("/remote-index.json")
    assert_refused(row_of(reader.sync(still.edges[0]), FEATURE), Code.INTEGRITY_MISMATCH)
    assert tree(reader.root) == stood


def test_t16_a_file_poisoned_at_one_edge_is_refused_with_its_url_and_hash_until_it_is_purged(still: Site) -> None:
    first, second = warm(still)
    still.publish(FEATURE, "1.1.0", {"index.js": b"export default 1\n"})
    still.poison(f"{FEATURE}/1.1.0/index.js", b"export default 6\n")
    still.purge("/remote-index.json")

    row = row_of(first.sync(still.edges[0]), FEATURE)
    assert_refused(row, Code.INTEGRITY_MISMATCH)
    said = str(row.error)
    assert f"{still.edges[0].url}/{FEATURE}/1.1.0/index.js" in said
    assert hashlib.sha256(b"export default 6\n").hexdigest() in said or "export" not in said
    first_root = tree(first.root, FEATURE)
    assert not any("1.1.0" in path for path in first_root)

    assert second.sync(still.edges[1]).exit_status() == 0
    second.check()
    still.purge(f"/{FEATURE}/*")
    assert first.sync(still.edges[0]).exit_status() == 0
    first.check()


def test_t44_a_restarted_app_goes_on_with_the_purge_in_flight_and_both_edges_forget_once(still: Site) -> None:
    reader, _ = warm(still)
    still.purges = True
    going = still.manager.purges.going
    going.clear()
    still.publish(FEATURE, "1.1.0")
    still.work_off_purges()
    reader.sync(still.edges[0])
    assert reader.sequence == 2
    going.set()
    assert still.manager.purges.wait(WAIT)
    while still._queue.count():
        still.work_off_purges()  # each time an app that was just started
    assert len(still.manager.purges.all()) == 1
    for edge in still.edges:
        reader.sync(edge)
        assert reader.sequence == still.newest
