"""In a real Chromium: what is signed is mounted, what is altered is blocked and said, and the rest goes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.reference_host.asking import ask_json, eventually
from tests.reference_host.conftest import UPDATE, Site
from tests.reference_host.disk import alter, replace_index

RunHost = Callable[..., str]

LAB, BELL, LIST = "feature-lab-results", "feature-notifications", "feature-patientlist"
FIRST_LIST = "feature-patientlist/1.0.0"
SHOWN = {LAB: "Blood film", BELL: "4 unread notifications", LIST: "10 inpatients on your wards"}
"""Words of each feature that only its own code puts on the page."""

REMOTE_INDEX = "remote-index.json"


def from_cdn(site: Site, run_host: RunHost) -> str:
    """The URL of a host whose pages read the remote index from the edge."""
    return run_host("--remote-index", site.url + REMOTE_INDEX, "--trust-keys", site.trust)


def from_directory(site: Site, run_host: RunHost) -> str:
    """The URL of a host of the root that the real loader filled from the edge."""
    site.delivery.sync()
    return run_host("--root", site.root, "--trust-keys", site.trust)


def place(page: Page, feature_id: str) -> Locator:
    """Where a feature is mounted."""
    return page.locator(f".shell-place[data-feature={feature_id}]")


def entry(page: Page, feature_id: str) -> Locator:
    """What the navigation says of a feature."""
    return page.locator(f"#shell-features [data-feature={feature_id}]")


def problem(page: Page, feature_id: str) -> Locator:
    """What the page says went wrong with a feature."""
    return page.locator(f".shell-problem[data-feature='{feature_id}']")


def expect_mounted(page: Page, *feature_ids: str) -> None:
    for feature_id in feature_ids:
        expect(place(page, feature_id)).to_contain_text(SHOWN[feature_id])
        expect(problem(page, feature_id)).to_have_count(0)


def expect_blocked(page: Page, feature_id: str, path: str) -> None:
    """The page says that this file is not as it was signed, and what was expected and seen."""
    said = problem(page, feature_id)
    expect(said).to_contain_text("blocked by the browser")
    expect(said).to_contain_text(path)
    expect(said).to_contain_text("expected sha256-")
    expect(said).to_contain_text("saw sha256-")
    expect(entry(page, feature_id)).to_have_attribute("data-state", "failed")


class TestMounting:
    def test_features_mount_from_the_cdn(self, site: Site, run_host: RunHost, page: Page) -> None:
        page.goto(from_cdn(site, run_host))
        expect_mounted(page, LAB, BELL, LIST)
        for feature_id in SHOWN:
            expect(entry(page, feature_id)).to_contain_text("1.0.0")
            expect(entry(page, feature_id)).to_contain_text(f"CDN {site.url.split('/')[2]}")

    def test_features_mount_from_the_loaders_directory(self, site: Site, run_host: RunHost, page: Page) -> None:
        page.goto(from_directory(site, run_host))
        site.delivery.cdn.switches.offline = True
        expect_mounted(page, LAB, BELL, LIST)
        for feature_id in SHOWN:
            expect(entry(page, feature_id)).to_contain_text("1.0.0")
            expect(entry(page, feature_id)).to_contain_text("this pod's directory")

    def test_an_address_below_a_features_prefix_shows_that_feature_and_the_facets(
        self, site: Site, run_host: RunHost, page: Page
    ) -> None:
        page.goto(from_cdn(site, run_host) + "patients/P-1055")
        expect(place(page, LIST)).to_contain_text("Brightwell, Janek")
        expect_mounted(page, BELL)
        expect(place(page, LAB)).to_be_hidden()

    def test_a_facet_has_no_place_of_its_own_whatever_its_manifest_says(
        self, site: Site, run_host: RunHost, page: Page
    ) -> None:
        site.publish(
            "feature-icons/1.0.0", featureType="facet", mount={"pathPrefix": {}, "domElementId": "shell-stage"}
        )
        page.goto(from_cdn(site, run_host))
        expect(entry(page, "feature-icons")).to_have_attribute("data-state", "mounted")
        expect_mounted(page, LAB, BELL, LIST)

    @pytest.mark.parametrize("prefix", ["javascript:alert(1)", "//elsewhere.example/", "http://["])
    def test_a_prefix_that_is_no_path_of_this_host_is_no_link(
        self, site: Site, run_host: RunHost, page: Page, prefix: str
    ) -> None:
        site.publish(UPDATE, mount={"pathPrefix": prefix, "domElementId": "patients"})
        page.goto(from_cdn(site, run_host))
        expect(entry(page, LIST)).to_contain_text("1.1.0")
        expect(entry(page, LIST).get_by_role("link")).to_have_count(0)
        expect_mounted(page, LAB, BELL)

    def test_t15_a_404_that_the_edge_remembers_of_the_next_state_does_not_hurt(
        self, site: Site, run_host: RunHost, page: Page
    ) -> None:
        site.delivery.cdn.stale(f"{LIST}/releases.2.json")
        site.publish(UPDATE)
        page.goto(from_cdn(site, run_host))
        expect_mounted(page, LAB, BELL)
        expect(entry(page, LIST)).to_contain_text("1.1.0")
        expect(problem(page, LIST)).to_have_count(0)

    def test_nothing_but_the_probe_is_on_the_console_and_nothing_breaks_the_policy(
        self, site: Site, run_host: RunHost, page: Page
    ) -> None:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(error.message))
        page.goto(from_cdn(site, run_host))
        expect_mounted(page, LAB, BELL, LIST)
        assert len(said) == 1, said
        assert "/page/probed.js" in said[0]


class TestBlocking:
    @pytest.mark.parametrize("pattern", ["assets/feature-patientlist-*.js", "assets/vendor-*.js", "assets/*list-*.css"])
    def test_a_file_altered_at_the_edge_is_blocked_and_the_others_mount(
        self, site: Site, run_host: RunHost, page: Page, pattern: str
    ) -> None:
        path = site.file(FIRST_LIST, pattern)
        site.alter_at_the_edge(path)
        page.goto(from_cdn(site, run_host))
        expect_blocked(page, LIST, path)
        expect(place(page, LIST)).to_be_hidden()
        expect_mounted(page, LAB, BELL)

    def test_a_chunk_altered_at_the_edge_is_blocked_when_it_is_loaded(
        self, site: Site, run_host: RunHost, page: Page
    ) -> None:
        path = site.file(FIRST_LIST, "assets/PatientRecord-*.js")
        site.alter_at_the_edge(path)
        page.goto(from_cdn(site, run_host))
        expect_mounted(page, LIST)
        place(page, LIST).get_by_text("Marlow, Edith").click()
        expect_blocked(page, LIST, path)

    def test_a_style_sheet_that_a_chunk_would_bring_is_checked_too(
        self, site: Site, run_host: RunHost, page: Page
    ) -> None:
        path = site.file(FIRST_LIST, "assets/PatientRecord-*.css")
        site.alter_at_the_edge(path)
        page.goto(from_cdn(site, run_host))
        expect_blocked(page, LIST, path)

    def test_a_browser_that_has_an_altered_file_in_its_cache_gets_the_right_one_once_the_edge_is_healed(
        self, site: Site, run_host: RunHost, page: Page
    ) -> None:
        path = site.file(FIRST_LIST, "assets/feature-patientlist-*.js")
        site.alter_at_the_edge(path)
        page.goto(from_cdn(site, run_host))
        expect_blocked(page, LIST, path)
        site.delivery.cdn.heal()
        page.reload()
        # The copy in the cache may be blocked once more; looking at it replaces it.
        expect(page.locator(".shell-problem, .pl").first).to_be_visible()
        page.reload()
        expect_mounted(page, LAB, BELL, LIST)

    def test_a_browser_that_ignores_integrity_mounts_nothing(self, site: Site, run_host: RunHost, page: Page) -> None:
        page.add_init_script(
            "const write = JSON.stringify;"
            "JSON.stringify = value => write(value?.integrity ? {imports: value.imports} : value)"
        )
        page.goto(from_cdn(site, run_host))
        expect(problem(page, "")).to_contain_text("does not keep to the integrity of import maps")
        expect(page.locator(".shell-place")).to_have_count(0)


class TestIndexes:
    def test_an_update_arrives_on_reload_as_soon_as_the_edge_serves_the_new_index(
        self, site: Site, run_host: RunHost, page: Page
    ) -> None:
        site.delivery.cdn.stale(REMOTE_INDEX)
        site.publish(UPDATE)
        page.goto(from_cdn(site, run_host))
        expect_mounted(page, LIST)
        expect(entry(page, LIST)).to_contain_text("1.0.0")
        site.delivery.cdn.heal()
        page.reload()
        expect(place(page, LIST)).to_contain_text("highest early warning score first")
        expect(entry(page, LIST)).to_contain_text("1.1.0")

    @pytest.mark.parametrize("forgery", ["another key", "another content"])
    def test_a_forged_remote_index_is_refused_with_words(
        self, site: Site, run_host: RunHost, page: Page, forgery: str
    ) -> None:
        if forgery == "another key":
            site.delivery.cdn.swap_keys(REMOTE_INDEX, site.delivery.world.keys.stranger)
        else:
            site.delivery.cdn.edit(REMOTE_INDEX, sequence=99)
        page.goto(from_cdn(site, run_host))
        said = problem(page, "")
        expect(said).to_contain_text("Nothing is shown")
        expect(said).to_contain_text("not trusted" if forgery == "another key" else "is not over this content")
        expect(page.locator(".shell-place")).to_have_count(0)

    def test_an_older_remote_index_is_refused_by_a_browser_that_has_seen_a_newer_one(
        self, site: Site, run_host: RunHost, page: Page
    ) -> None:
        old = site.delivery.cdn.state()
        site.publish(UPDATE)
        page.goto(from_cdn(site, run_host))
        expect(entry(page, LIST)).to_contain_text("1.1.0")
        site.delivery.cdn.replay(old, REMOTE_INDEX)
        page.reload()
        expect(problem(page, "")).to_contain_text("sequence_rollback, R4")

    def test_a_damaged_memory_is_as_none(self, site: Site, run_host: RunHost, page: Page) -> None:
        page.goto(from_cdn(site, run_host))
        expect_mounted(page, LIST)
        page.evaluate("for (const name of Object.keys(localStorage)) localStorage[name] = '{'")
        page.reload()
        expect_mounted(page, LAB, BELL, LIST)

    def test_an_expired_remote_index_is_refused(self, site: Site, run_host: RunHost, page: Page) -> None:
        site.delivery.world.clock.pass_by(days=-8)
        site.publish(UPDATE)
        page.goto(from_cdn(site, run_host))
        expect(problem(page, "")).to_contain_text("expired, L13")

    @pytest.mark.parametrize("document", ["releases.1.json", "1.0.0/manifest.json"])
    def test_a_document_altered_at_the_edge_refuses_its_feature_alone(
        self, site: Site, run_host: RunHost, page: Page, document: str
    ) -> None:
        site.delivery.cdn.edit(f"{LIST}/{document}", displayName="Somebody's list")
        page.goto(from_cdn(site, run_host))
        expect(problem(page, LIST)).to_contain_text("integrity_mismatch")
        expect(place(page, LIST)).to_have_count(0)
        expect_mounted(page, LAB, BELL)


class TestDirectory:
    def test_an_update_that_the_loader_brings_arrives_on_reload(
        self, site: Site, run_host: RunHost, page: Page
    ) -> None:
        url = from_directory(site, run_host)
        page.goto(url)
        expect_mounted(page, LIST)
        site.publish(UPDATE)
        site.delivery.sync()
        eventually(lambda: ask_json(url, f"artifacts/{LIST}/releases.json")["activeVersion"] == "1.1.0")
        page.reload()
        expect(place(page, LIST)).to_contain_text("highest early warning score first")
        expect(entry(page, LIST)).to_contain_text("1.1.0")

    def test_the_last_good_version_stays_and_the_page_says_why(self, site: Site, run_host: RunHost, page: Page) -> None:
        url = from_directory(site, run_host)
        replace_index(site.root, LIST, activeVersion="9.9.9")
        eventually(lambda: ask_json(url, "host.json")["problems"])
        page.goto(url)
        expect(place(page, LIST)).to_contain_text(SHOWN[LIST])
        expect(problem(page, LIST)).to_contain_text("the last good version stays")
        expect(entry(page, LIST)).to_have_attribute("data-state", "kept")
        expect_mounted(page, LAB, BELL)

    def test_what_expires_after_the_loader_brought_it_is_kept_and_the_page_says_so(
        self, site: Site, run_host: RunHost, page: Page
    ) -> None:
        site.delivery.world.clock.pass_by(days=-91)
        site.publish(UPDATE)
        page.goto(from_directory(site, run_host))
        expect(place(page, LIST)).to_contain_text("highest early warning score first")
        expect(entry(page, LIST)).to_contain_text("has expired")
        expect(entry(page, LAB)).not_to_contain_text("has expired")

    def test_a_file_altered_on_disk_after_it_was_verified_is_blocked_by_the_browser(
        self, site: Site, run_host: RunHost, page: Page
    ) -> None:
        url = from_directory(site, run_host)
        path = site.file(FIRST_LIST, "assets/feature-patientlist-*.js")
        alter(site.root / path)
        page.goto(url)
        expect_blocked(page, LIST, path)
        expect_mounted(page, LAB, BELL)
