"""The reference host (examples/host) on this machine, and a picture of what it shows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tools.setup import node
from tools.setup.steps import ROOT

from .children import Child

EXAMPLES = ROOT / "examples"
HOST = EXAMPLES / "host" / "host.js"
END_WITH_PARENT = ROOT / "tools" / "azurite" / "end-with-parent.cjs"
START_SECONDS = 60

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
"""Nothing but the page is asked for, and it works in a container."""


@contextmanager
def reference_host(log: Path, *arguments: str | Path) -> Iterator[str]:
    """Runs `host.js` with these arguments; its URL, which ends in `/`. ChildError or SetupError where it does not."""
    chosen = node.require()
    command = [chosen.node, "--require", END_WITH_PARENT, HOST, "--json", "--port", "0", *arguments]
    with Child("host", command, {}, log, folder=EXAMPLES) as child:
        yield child.ready(START_SECONDS)["url"]


def find_chromium() -> str | None:
    """A Chromium that is installed."""
    return next((found for name in CHROMIUM if (found := shutil.which(name))), None)


def picture(url: str, path: Path) -> bool:
    """A picture of a page of the host, once something is mounted or said; False where no Chromium can make one."""
    executable = find_chromium()
    if executable is None:
        return False
    from playwright.sync_api import Error, sync_playwright  # noqa: PLC0415 (slow to import, and seldom used)

    with suppress(Error, OSError), sync_playwright() as playwright:
        path.parent.mkdir(parents=True, exist_ok=True)
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(url)
        page.locator("#shell-features li[data-state=mounted], .shell-problem").first.wait_for()
        page.wait_for_load_state("networkidle")  # the other features, images and fonts
        page.screenshot(path=path)
        browser.close()
        return True
    return False
