"""What examples/host/README.md says is so."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.reference_host import node
from tests.reference_host.conftest import Site

README = (node.HOST / "README.md").read_text(encoding="utf-8")


def test_the_example_mounts_the_features(site: Site, run_host: Callable[..., str], page: Page) -> None:
    (example,) = re.findall(r"<!-- example -->\n```js\n(.*?)```", README, re.DOTALL)
    script = example.replace("https://cdn.example/prod/", site.url)
    url = run_host("--remote-index", site.url + "remote-index.json", "--trust-keys", site.trust)
    page.goto(f"{url}trust.json")  # a document of the host without the shell
    page.add_script_tag(type="module", content=script)
    for text in ("Blood film", "4 unread notifications", "10 inpatients on your wards"):
        expect(page.locator("body")).to_contain_text(text)


def test_the_modules_size_is_as_stated() -> None:
    node.built()
    size = json.loads(node.run("host/size.js"))
    stated = re.search(r"minified it is ([\d.]+) kB, ([\d.]+) kB with gzip", README)
    assert stated is not None
    # Another zlib packs a few bytes more or less.
    for kind, kilobytes in zip(("minified", "gzip"), stated.groups(), strict=True):
        assert size[kind] / 1000 == pytest.approx(float(kilobytes), abs=0.1)


def test_the_module_has_no_dependencies() -> None:
    imported = {
        source
        for path in (node.HOST / "trust").glob("*.js")
        for source in re.findall(r"from '([^']+)'", path.read_text(encoding="utf-8"))
    }
    assert imported
    assert all(source.startswith("./") for source in imported)
