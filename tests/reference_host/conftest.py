"""A site of the example features, a host that shows it, and a real browser."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from artifact.paths import Limits
from publisher.authoring import sign_directory
from publisher.publish import publish
from publisher.remote import commit_remote
from publisher.sources import DirectorySource
from tests import parts
from tests.reference_host import node
from tests.simulator.environment import Delivery, delivery
from tools.local.reference_host import FLAGS, reference_host

FIRST = ("feature-lab-results/1.0.0", "feature-notifications/1.0.0", "feature-patientlist/1.0.0")
UPDATE = "feature-patientlist/1.1.0"

expect.set_options(timeout=30_000)

SCREENSHOTS = Path(os.environ.get("TEST_ARTIFACTS") or node.EXAMPLES.parent / ".local" / "screenshots")


@dataclass
class Site:
    """The example features, published, on an edge at `url`, and a root that the real loader fills from it."""

    delivery: Delivery
    trust: Path
    folder: Path

    @property
    def url(self) -> str:
        """The edge's base URL."""
        return self.delivery.cdn.url

    @property
    def root(self) -> Path:
        return self.delivery.root

    def publish(self, name: str, **members: Any) -> None:
        """Sign a built version such as `feature-patientlist/1.1.0`, and publish it, also into the remote index.

        `members` stand in its manifest instead of those of the build.
        """
        feature_id = name.partition("/")[0]
        signed = shutil.copytree(node.built() / name, self.folder / name)
        manifest = signed / "manifest.json"
        manifest.write_text(json.dumps({**json.loads(manifest.read_bytes()), **members}), "utf-8")
        world = self.delivery.world
        sign_directory(signed, world.keys.build, Limits())
        publish(world.env, DirectorySource(signed, Limits()), actor="tester")
        commit_remote(world.env, [feature_id])

    def alter_at_the_edge(self, path: str) -> None:
        """One newline more, which changes nothing but the hash: only integrity can tell."""
        self.delivery.cdn.switches.changes[path] = lambda answer: replace(answer, body=answer.body + b"\n")

    def file(self, name: str, pattern: str) -> str:
        """The object name of the one file of a published version that matches."""
        (found,) = (self.folder / name).glob(pattern)
        return found.relative_to(self.folder).as_posix()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """The first versions of the three example features."""
    with delivery(tmp_path) as made:
        made.world.clock.now = datetime.now(UTC)
        trust = tmp_path / "trust.json"
        trust.write_text(json.dumps(made.world.keys.trust_document()))
        site = Site(made, trust, tmp_path / "signed")
        for name in FIRST:
            site.publish(name)
        yield site


@pytest.fixture
def run_host(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """`run_host("--root", folder, "--trust-keys", file)` starts a host and gives its URL, which ends in `/`."""
    node.built()
    with ExitStack() as stack:

        def run(*arguments: str | Path) -> str:
            return stack.enter_context(reference_host(tmp_path / "host.log", *arguments))

        yield run


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium. It ends with the module: while it runs, this thread can have no other event loop."""
    executable = parts.require("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page with a storage of its own. Its last state is kept as a picture of the run."""
    with closing_context(chromium) as page:
        yield page
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{re.sub(r'[^a-z0-9]+', '-', request.node.name)}.png", full_page=True)


@contextmanager
def closing_context(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    try:
        yield context.new_page()
    finally:
        context.close()
