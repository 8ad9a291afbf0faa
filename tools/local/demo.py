"""`make demo`: the whole story on this machine, told with the commands that a user would type."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text
from rich.tree import Tree

from tools.local.children import ChildError
from tools.local.endpoints import Endpoints
from tools.local.keys import RELEASE_KEY_ID
from tools.local.pipeline import LocalPipeline
from tools.local.reference_host import picture, reference_host
from tools.local.until import Told, raise_when_told
from tools.local.varnish import varnish
from tools.setup.steps import ROOT, SetupError

BIN = ROOT / ".venv" / "bin"
DIST = ROOT / "examples" / "dist"
PATIENTS = "feature-patientlist"
FIRST = (f"{PATIENTS}/1.0.0", "feature-lab-results/1.0.0", "feature-notifications/1.0.0", "feature-icons/1.0.0")
UPDATE = f"{PATIENTS}/1.1.0"
PICTURE = ROOT / ".local" / "demo.png"
REFUSED = 3
WAIT_SECONDS = 30

console = Console(highlight=False, soft_wrap=True)


class DemoError(Exception):
    """A command of the story did not end as the story says."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the story is told: a running pipeline and a folder for what it makes."""

    endpoints: Endpoints
    folder: Path

    @property
    def site(self) -> Path:
        """What the host would serve."""
        return self.folder / "site"

    def build(self, name: str) -> Path:
        """A copy of a build output, to sign."""
        target = self.folder / "builds" / name
        shutil.copytree(DIST / name, target)
        return target

    def sign(self, directory: Path, key: Path, key_id: str) -> None:
        run("cdn-release", "sign", directory, "--key", key, "--key-id", key_id)

    def submit(self, directory: Path, expected: int = 0) -> subprocess.CompletedProcess[str]:
        return run(
            "cdn-release", "submit", directory, secret={"--to": self.endpoints.connection_string}, expected=expected
        )

    def release(self, *arguments: str) -> None:
        """An operator's action on what is stored."""
        secret = {
            "--to": self.endpoints.connection_string,
            "--trust-keys": str(self.endpoints.trust_keys),
            "--key": str(self.endpoints.trust_keys.parent / "release.pem"),
            "--key-id": RELEASE_KEY_ID,
        }
        run("cdn-release", *arguments, secret=secret)

    def status(self) -> None:
        secret = {"--to": self.endpoints.connection_string, "--trust-keys": str(self.endpoints.trust_keys)}
        run("cdn-release", "status", "--edge", self.endpoints.edge, secret=secret)

    def sync(self, wanted: Mapping[str, str]) -> None:
        """Sync until the folder holds the wanted active versions: the edge may be late by its max-age."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            run(
                "feature-loader", "sync", "--root", self.site,
                "--remote-index", self.endpoints.remote_index, "--trust-keys", self.endpoints.trust_keys,
            )  # fmt: skip
            if self.active() == wanted:
                return
            if time.monotonic() > deadline:
                raise DemoError(f"the site holds {self.active()}, not {dict(wanted)}")
            time.sleep(0.5)  # the edge's copy of the remote index grows old

    def active(self) -> dict[str, str]:
        """The active version of each feature in the site."""
        indexes = (json.loads(path.read_bytes()) for path in sorted(self.site.glob("*/releases.json")))
        return {index["featureId"]: index["activeVersion"] for index in indexes}


def main() -> int:
    """Exit status 0 where every step of the story ended as it should; 1 also after SIGTERM or SIGINT in its midst."""
    raise_when_told()
    try:
        tell()
    except Told:
        console.print("demo: stopped", style="red")
        return 1
    except (DemoError, ChildError, SetupError, OSError) as error:
        console.print(f"demo: {error}", style="red", markup=False)
        return 1
    return 0


def tell() -> None:
    """The story, in a folder that goes with it."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="favn-demo-") as name:
        folder = Path(name)
        console.print(f"Starting storage, the Functions app and the edge ({edge_name()}) …")
        with LocalPipeline(folder / "pipeline") as endpoints:
            stage = Stage(endpoints, folder)
            ending = story(stage)
            with hosts(stage) as pages:
                Console(highlight=False).print(ending)
                console.print(f"\nThat took {time.monotonic() - began:.0f} s. ", end="")
                show(pages)


def edge_name() -> str:
    """Which of the two edges it is."""
    return "the embedded one: no Varnish is installed" if varnish.find() is None else "a real Varnish"


@contextmanager
def hosts(stage: Stage) -> Iterator[dict[str, str]]:
    """What a browser can open: the same features from the pod's folder and from the edge."""
    trust = ("--trust-keys", stage.endpoints.trust_keys)
    with (
        reference_host(stage.folder / "host.log", "--root", stage.site, *trust) as pod,
        reference_host(stage.folder / "host.log", "--remote-index", stage.endpoints.remote_index, *trust) as cdn,
    ):
        yield {"the pod's folder": pod, "the edge": cdn}


def show(pages: Mapping[str, str]) -> None:
    """Where to look; the pages stay until somebody who sees this has seen them."""
    if picture(pages["the edge"] + "patients", PICTURE):
        console.print(f"A picture of the page is in {PICTURE.relative_to(ROOT)}.", markup=False)
    for source, url in pages.items():
        console.print(f"A host that mounts the features from {source}, verified in the browser: {url}", markup=False)
    if sys.stdin.isatty():
        with suppress(Told, EOFError):
            input("Open them, then press Enter to end. ")
    console.print("Next: `make up` keeps the pipeline running; README.md.", markup=False)


def story(stage: Stage) -> Panel:
    """Publish, deliver, update, refuse a forgery, roll back; the last screen."""
    build_key, label = stage.endpoints.build_key, stage.endpoints.build_key_id
    chapter("1. CI signs four build outputs and submits one bundle each; the app verifies, writes and lists them")
    for name in FIRST:
        directory = stage.build(name)
        stage.sign(directory, build_key, label)
        stage.submit(directory)
    chapter("2. A pod's loader fetches through the edge, verifies every byte, and swaps the versions into its folder")
    first = {name.partition("/")[0]: "1.0.0" for name in FIRST}
    stage.sync(first)

    chapter("3. The team releases 1.1.0: only what changed is fetched")
    update = stage.build(UPDATE)
    stage.sign(update, build_key, label)
    stage.submit(update)
    stage.sync({**first, PATIENTS: "1.1.0"})

    chapter("4. Somebody forges 1.2.0 with a key of his own: refused, moved aside, nothing changes")
    refusal = forge(stage)

    chapter("5. Two in the morning: back to 1.0.0, a higher sequence that says who and why")
    stage.release("rollback", PATIENTS, "1.0.0", "--reason", "blank page on ward 4", "--ticket", "INC-7")
    stage.sync(first)
    run("feature-loader", "verify", stage.site, "--trust-keys", stage.endpoints.trust_keys)

    chapter("What was published, as an operator sees it")
    stage.status()
    return last_screen(stage, refusal)


def forge(stage: Stage) -> str:
    """Submit a bundle that a stranger signed; the refusal's line."""
    run("cdn-release", "keygen", "stranger", "--out", stage.folder / "stranger")
    forged = forged_build(stage)
    stage.sign(forged, stage.folder / "stranger" / "stranger.pem", "stranger")
    answer = stage.submit(forged, expected=REFUSED)
    return next(line for line in answer.stderr.splitlines() if "refused" in line)


def forged_build(stage: Stage) -> Path:
    """A version that looks like the team's next one."""
    target = stage.folder / "forged"
    shutil.copytree(DIST / UPDATE, target)
    manifest = target / "manifest.json"
    document: dict[str, Any] = json.loads(manifest.read_bytes())
    manifest.write_text(json.dumps({**document, "version": "1.2.0"}), "utf-8")
    return target


def last_screen(stage: Stage, refusal: str) -> Panel:
    """The tree on disk, the refused forgery, and the roll-back."""
    tree = Tree("the pod's folder")
    rolled_back = ""
    for path in sorted(stage.site.iterdir()):
        if path.name.startswith("."):
            continue
        index = json.loads((path / "releases.json").read_bytes())
        change = index["change"]
        feature = tree.add(f"{path.name}/")
        feature.add(f"releases.json   sequence {index['sequence']}, active {index['activeVersion']}")
        for version in sorted(entry for entry in path.iterdir() if entry.is_dir()):
            files = [file for file in version.rglob("*") if file.is_file()]
            size = sum(file.stat().st_size for file in files)
            feature.add(f"{version.name}/   {len(files)} files, {size / 1000:.0f} kB")
        if change["action"] == "rollback":
            rolled_back = f"{change['actor']}: {change['reason']} ({change['ticket']})"
    told = Text(f"\nRefused forgery: {refusal}\n\nRolled back: {PATIENTS} to 1.0.0 by {rolled_back}", overflow="fold")
    return Panel(Group(tree, told), title="What a host could serve now, every byte verified", padding=(1, 2))


def chapter(title: str) -> None:
    """A heading."""
    console.print(f"\n[bold]{title}[/bold]")


def run(
    command: str,
    *arguments: str | Path,
    secret: Mapping[str, str] | None = None,
    expected: int = 0,
) -> subprocess.CompletedProcess[str]:
    """Run one of the two commands and show it with what it prints; `secret` options are given by their variables."""
    given = [str(argument) for argument in arguments]
    options = secret or {}
    console.print(f"$ {command} {' '.join(shown(given))}", style="cyan", markup=False)
    variables = {f"CDN_RELEASE_{name[2:].upper().replace('-', '_')}": value for name, value in options.items()}
    answer = subprocess.run(
        [BIN / command, *given], env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    for line in (answer.stdout + answer.stderr).splitlines():
        console.print(f"  {line}", markup=False)
    if answer.returncode != expected:
        raise DemoError(f"{command} ended with {answer.returncode}, not {expected}")
    return answer


def shown(arguments: Iterable[str]) -> list[str]:
    """The arguments with long paths cut to their ends, and words with spaces quoted."""
    short = [str(Path("…", *Path(text).parts[-2:])) if text.startswith("/") else text for text in arguments]
    return [f"'{text}'" if " " in text else text for text in short]


if __name__ == "__main__":
    sys.exit(main())
