"""The central claim, over two real edges that go stale independently, whatever purging does: a reader is late by
max-age at most, and never sees a mixture (I2, W4, T10, T44).
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from artifact.errors import Code
from loader_cdn.report import Report
from tests.edges.site import Reader, Site, get, in_background
from tests.tools.running import WAIT
from tools.local.arm.operations import Refusal

MAX_AGE = 1
SLACK = 2.0
"""Seconds between the moment when an edge has asked the storage and the one when it dates the answer, on a machine that
has other things to do. Without it a claim about time could not be made at all.
"""

FEATURES = ("feature-a", "feature-b", "feature-c")
STEPS = 14


def story(site: Site, ended: threading.Event) -> None:
    """Versions come, and some are rolled back."""
    chance = random.Random(7)
    versions = dict.fromkeys(FEATURES, 0)
    for step in range(STEPS):
        feature_id = chance.choice(FEATURES)
        if step % 4 == 3 and versions[feature_id]:
            site.rollback(feature_id, f"1.{versions[feature_id] - 1}.0")
        versions[feature_id] += 1
        site.publish(feature_id, f"1.{versions[feature_id]}.0", {"index.js": f"export default {step}\n".encode()})
        if ended.wait(0.15):
            return
    ended.set()


@contextmanager
def told(site: Site) -> Iterator[threading.Event]:
    """The story, beside the block; the event says that it has ended, and ends it."""
    ended = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        telling = pool.submit(story, site, ended)
        try:
            yield ended
        finally:
            ended.set()
            telling.result()


def purging_is(site: Site, how: str) -> None:
    site.purges = how != "off"
    purges = site.manager.purges
    if how == "late":
        purges._seconds = 1.5
    if how == "failing":
        purges.refusals = [Refusal(429, "TooManyRequests"), Refusal(500, "InternalServerError")] * 100
        purges.failures = 100


def check_answer(report: Report, reader: Reader, before: int) -> None:
    """Whatever it says, nothing went backward, and all that stands is of one moment."""
    assert reader.sequence >= before
    reader.check()
    errors = [report.error, *(row.error for row in report.rows)]
    assert {error.code for error in errors if error is not None} <= {Code.SEQUENCE_ROLLBACK}


@pytest.mark.parametrize("purging", ["off", "on", "late", "failing"])
def test_a_reader_is_late_by_max_age_at_most_and_never_sees_a_mixture(site: Site, purging: str) -> None:
    site = site.max_age(MAX_AGE)
    purging_is(site, purging)
    readers = [site.reader(name) for name in ("first", "second", "between")]
    for feature_id in FEATURES:
        site.publish(feature_id, "1.0.0")
    passes, deadline = 0, time.monotonic() + WAIT
    with in_background(site.work_off_purges), told(site) as ended:
        while not ended.is_set() or any(reader.sequence < site.newest for reader in readers):
            assert time.monotonic() < deadline, "not all readers have arrived"
            for number, reader in enumerate(readers):
                # The third one meets another edge at every pass, as behind a balancer.
                edge = site.edges[number if number < 2 else passes % 2]
                before, began = reader.sequence, time.monotonic()
                check_answer(reader.sync(edge), reader, before)
                if number < 2:
                    due = [n for n, at in list(site.published.items()) if at <= began - MAX_AGE - SLACK]
                    assert reader.sequence >= max(due, default=0), "later than max-age"
            passes += 1
    assert passes > 3
    assert {reader.sequence for reader in readers} == {site.newest}


def test_with_purging_a_reader_is_not_late_however_long_pointers_may_be_kept(site: Site) -> None:
    site = site.max_age(3600)
    reader = site.reader("first")
    for minor in range(4):
        site.publish("feature-a", f"1.{minor}.0", {"index.js": f"export default {minor}\n".encode()})
        while site.manager.purges.all() == [] or len(site.manager.purges.all()) <= minor:
            site.work_off_purges()
        assert site.manager.purges.wait(WAIT)
        reader.sync(site.edges[minor % 2])
        assert reader.sequence == site.newest
        reader.check()
        while site._queue.count():
            site.work_off_purges()


def test_no_edge_serves_a_pointer_that_is_older_than_max_age_however_often_it_was_vouched_for_again(
    site: Site,
) -> None:
    """Nothing changes: each time the storage says so, and says nothing else, the copy is good for max-age once more."""
    site = site.max_age(MAX_AGE)
    site.purges = False
    site.publish("feature-a", "1.0.0")
    ages, misses = set(), 0
    while misses < 12:
        for edge in site.edges:
            answer = get(edge, "remote-index.json")
            ages.add(int(answer.headers["age"]))
            misses += answer.headers["x-cache"] == "MISS"
    assert ages <= set(range(MAX_AGE + 1))
