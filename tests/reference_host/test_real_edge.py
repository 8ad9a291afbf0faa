"""The reference host before a real Varnish, in a real Chromium: the trust chain from real storage to the page."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from artifact.paths import Limits
from publisher.authoring import sign_directory
from tests import parts
from tests.edges.site import Site, running_site
from tests.reference_host import node
from tests.reference_host.conftest import FIRST, UPDATE
from tests.reference_host.test_browser import BELL, FIRST_LIST, LAB, LIST, entry, expect_blocked, expect_mounted
from tests.tools.running import WAIT
from tools.local.azurite import Account

RunHost = Callable[..., str]


@pytest.fixture
def real(tmp_path: Path, storage: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The first versions of the three example features. Pointers are kept for an hour, unless they are purged."""
    parts.require("varnishd")
    with running_site(tmp_path, storage, monkeypatch) as running:
        site = running.max_age(3600)
        for name in FIRST:
            publish(site, name)
        yield site


def publish(site: Site, name: str) -> None:
    signed = shutil.copytree(node.built() / name, site.folder / "signed" / name)
    sign_directory(signed, site.keys.build, Limits())
    site.publish_directory(signed)


def from_cdn(site: Site, run_host: RunHost, tmp_path: Path) -> str:
    trust = tmp_path / "trust.json"
    trust.write_text(site.trust)
    return run_host("--remote-index", f"{site.edges[0].url}/remote-index.json", "--trust-keys", trust)


def test_features_mount_from_a_real_edge_and_an_update_arrives_on_reload_after_the_purge(
    real: Site, run_host: RunHost, page: Page, tmp_path: Path
) -> None:
    page.goto(from_cdn(real, run_host, tmp_path))
    expect_mounted(page, LAB, BELL, LIST)
    publish(real, UPDATE)
    page.reload()
    expect_mounted(page, LIST)
    expect(entry(page, LIST)).to_contain_text("1.0.0")  # nothing was purged yet
    real.work_off_purges()
    assert real.manager.purges.wait(WAIT)
    page.reload()
    expect_mounted(page, LAB, BELL)
    expect(entry(page, LIST)).to_contain_text("1.1.0")


def test_t16_a_file_poisoned_at_a_real_edge_is_blocked_and_the_page_says_so(
    real: Site, run_host: RunHost, page: Page, tmp_path: Path
) -> None:
    (script,) = (real.folder / "signed" / FIRST_LIST).glob("assets/feature-patientlist-*.js")
    name = script.relative_to(real.folder / "signed").as_posix()
    real.poison(name, real.object(name) + b"\n")
    page.goto(from_cdn(real, run_host, tmp_path))
    expect_blocked(page, LIST, name)
    expect_mounted(page, LAB, BELL)
