"""Directory mode: what the real loader brings is verified before it is served, and followed without a restart."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from artifact.signing import signed
from publisher import release
from tests.reference_host import node
from tests.reference_host.asking import ask, ask_json, eventually
from tests.reference_host.conftest import UPDATE, Site
from tests.reference_host.disk import alter, replace, replace_index

RunHost = Callable[..., str]

FOREIGN = Path(__file__).parents[1] / "vectors" / "foreign"
LIST = "feature-patientlist"
FIRST_LIST = f"{LIST}/1.0.0"
ALL = ["feature-lab-results", "feature-notifications", LIST]
LOOKED_IN_VAIN = "looking at "
IMMUTABLE = "public, max-age=31536000, immutable"


@pytest.fixture
def url(site: Site, run_host: RunHost) -> str:
    """A host of the root that the real loader filled."""
    site.delivery.sync()
    return run_host("--root", site.root, "--trust-keys", site.trust)


def active(url: str) -> Any:
    """The version of the patient list that the host shows."""
    return ask_json(url, f"artifacts/{LIST}/releases.json")["activeVersion"]


def only_problem(url: str) -> Any:
    """The one problem that the host tells of, once it does."""
    (found,) = eventually(lambda: ask_json(url, "host.json")["problems"])
    return found


def test_every_file_of_a_version_is_served_as_it_was_signed(site: Site, url: str) -> None:
    assert ask_json(url, "host.json") == {"source": "directory", "features": ALL, "problems": []}
    for path in site.root.glob("feature-*/*/**/*"):
        if path.is_file():
            answer = ask(url, f"artifacts/{path.relative_to(site.root).as_posix()}")
            assert (answer.status, answer.body) == (200, path.read_bytes()), path
            assert answer.headers["Cache-Control"] == IMMUTABLE
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_what_another_implementation_made_is_served_as_it_is(run_host: RunHost) -> None:
    url = run_host("--root", FOREIGN / "site", "--trust-keys", FOREIGN / "keys" / "trust.json")
    shown = {"source": "directory", "features": ["feature-lab-results", LIST], "problems": []}
    assert ask_json(url, "host.json") == shown
    file = "feature-lab-results/1.1.0-rc.1/assets/chunk.js"
    assert ask(url, f"artifacts/{file}").body == (FOREIGN / "site" / file).read_bytes()


@pytest.mark.parametrize(
    ("pattern", "kind"),
    [
        ("assets/vendor-*.js", "text/javascript; charset=utf-8"),
        ("assets/*list-*.css", "text/css; charset=utf-8"),
        ("manifest.json", "application/json"),
    ],
)
def test_content_types_are_those_of_the_files(site: Site, url: str, pattern: str, kind: str) -> None:
    assert ask(url, f"artifacts/{site.file(FIRST_LIST, pattern)}").headers["Content-Type"] == kind


def test_a_pointer_is_asked_for_again_each_time(url: str) -> None:
    assert ask(url, f"artifacts/{LIST}/releases.json").headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "artifacts/../../trust.json",
        "artifacts/%2e%2e/%2e%2e/trust.json",
        "artifacts/feature-patientlist/1.0.0/../../../trust.json",
        "artifacts/feature-patientlist/1.0.0/..%2f..%2f..%2ftrust.json",
        "artifacts/feature-patientlist/1.0.0/assets",
        "artifacts/feature-patientlist/1.0.0/",
        "artifacts/feature-patientlist/1.0.0/__proto__",
        "artifacts/feature-patientlist/1.0.0/secret.txt",
        "artifacts/feature-patientlist/9.9.9/manifest.json",
        "artifacts/.loader/state.json",
        "artifacts/__proto__/1.0.0/manifest.json",
        "page/../host.js",
        "trust/../../package.json",
        "server/http.js",
        "host.js",
    ],
)
def test_nothing_is_served_that_no_verified_manifest_lists(site: Site, url: str, path: str) -> None:
    (site.root / FIRST_LIST / "secret.txt").write_text("not listed")
    assert ask(url, path).status == 404


def test_a_malformed_path_and_a_method_that_changes_something_are_refused(url: str) -> None:
    assert ask(url, "artifacts/%zz").status == 400
    assert ask(url, "host.json", method="POST").status == 405


def test_the_page_allows_scripts_by_nonce_and_origin_only(url: str) -> None:
    first, second = (ask(url, "", accept="text/html").headers["Content-Security-Policy"] for _ in range(2))
    assert "default-src 'none'" in first
    assert "unsafe" not in first
    assert first != second


def test_an_update_that_the_loader_brings_is_shown_without_a_restart(site: Site, url: str) -> None:
    assert active(url) == "1.0.0"
    site.publish(UPDATE)
    site.delivery.sync()
    eventually(lambda: active(url) == "1.1.0")
    old = ask(url, f"artifacts/{site.file(FIRST_LIST, 'assets/PatientRecord-*.js')}")
    assert old.status == 200, "a page that is open still loads chunks of the version that it began with"


def test_a_roll_back_is_followed(site: Site, url: str) -> None:
    site.publish(UPDATE)
    site.delivery.rollback("1.0.0")
    site.delivery.sync()
    eventually(lambda: ask_json(url, f"artifacts/{LIST}/releases.json")["sequence"] == 3)
    assert active(url) == "1.0.0"


def test_r6_a_withdrawn_version_is_served_to_nobody(site: Site, url: str) -> None:
    entry = site.file(FIRST_LIST, "assets/feature-patientlist-*.js")
    site.publish(UPDATE)
    site.delivery.sync()
    eventually(lambda: active(url) == "1.1.0")
    site.delivery.withdraw("1.0.0")
    site.delivery.sync()
    eventually(lambda: ask(url, f"artifacts/{FIRST_LIST}/manifest.json").status == 404)
    assert ask(url, f"artifacts/{entry}").status == 404


def test_a_new_feature_appears_and_one_that_the_loader_takes_away_goes(site: Site, url: str) -> None:
    world = site.delivery.world
    world.publish("1.0.0", "feature-new")
    site.delivery.sync()
    eventually(lambda: ask_json(url, "host.json")["features"] == ["feature-lab-results", "feature-new", *ALL[1:]])
    site.delivery.act(release.remove, feature_id="feature-new")
    site.delivery.sync(grace=timedelta(0))
    eventually(lambda: ask_json(url, "host.json")["features"] == ALL)


def test_a_folder_that_cannot_be_looked_into_is_said_and_hides_no_other_feature(site: Site, run_host: RunHost) -> None:
    site.delivery.sync()
    (site.root / "feature-loop").symlink_to("feature-loop")
    url = run_host("--root", site.root, "--trust-keys", site.trust)
    assert ask_json(url, "host.json")["features"] == ALL
    said = only_problem(url)
    assert (said["featureId"], said["code"], said["isKept"]) == ("feature-loop", "transport_failed", False)


class TestRefused:
    """The last good state of the feature stays, the others are as they were, and the host says what is wrong."""

    def expect_kept(self, url: str, code: str, version: str) -> None:
        said = only_problem(url)
        assert (said["featureId"], said["code"], said["isKept"]) == (LIST, code, True)
        assert active(url) == version
        assert ask_json(url, "host.json")["features"] == ALL

    def test_an_index_with_a_lower_sequence(self, site: Site, url: str) -> None:
        pointer = site.root / LIST / "releases.json"
        older = pointer.read_bytes()
        site.publish(UPDATE)
        site.delivery.sync()
        eventually(lambda: active(url) == "1.1.0")
        replace(pointer, older)
        self.expect_kept(url, "sequence_rollback", "1.1.0")

    def test_another_index_of_the_same_sequence(self, site: Site, url: str) -> None:
        document = {**site.delivery.head().index.document(), "x-other": True}
        replace(site.root / LIST / "releases.json", signed(document, site.delivery.world.keys.release))
        self.expect_kept(url, "sequence_fork", "1.0.0")

    def test_a_forged_index(self, site: Site, url: str) -> None:
        replace_index(site.root, LIST, sequence=7)
        self.expect_kept(url, "signature_invalid", "1.0.0")

    def test_no_json_at_all(self, site: Site, url: str) -> None:
        replace(site.root / LIST / "releases.json", b"<html>")
        self.expect_kept(url, "document_invalid", "1.0.0")

    @pytest.mark.parametrize(
        ("fault", "code"),
        [
            ("altered file", "integrity_mismatch"),
            ("altered byte", "integrity_mismatch"),
            ("missing file", "file_missing"),
            ("undeclared file", "file_undeclared"),
            ("link in a file's place", "file_undeclared"),
            ("altered manifest", "integrity_mismatch"),
        ],
    )
    def test_a_version_that_is_not_as_it_was_signed(self, site: Site, url: str, fault: str, code: str) -> None:
        _bring_update_with(site, fault)
        self.expect_kept(url, code, "1.0.0")
        assert ask(url, f"artifacts/{UPDATE}/manifest.json").status == 404

    def test_it_is_shown_as_soon_as_it_is_whole_again(self, site: Site, url: str) -> None:
        pointer = site.root / LIST / "releases.json"
        good = pointer.read_bytes()
        replace_index(site.root, LIST, sequence=7)
        only_problem(url)
        replace(pointer, good)
        eventually(lambda: ask_json(url, "host.json")["problems"] == [])
        assert active(url) == "1.0.0"

    def test_a_feature_that_never_was_good_is_not_shown(self, site: Site, run_host: RunHost) -> None:
        site.delivery.sync()
        alter(site.root / site.file(FIRST_LIST, "assets/vendor-*.js"))
        url = run_host("--root", site.root, "--trust-keys", site.trust)
        said = only_problem(url)
        assert (said["featureId"], said["code"], said["isKept"]) == (LIST, "integrity_mismatch", False)
        assert ask_json(url, "host.json")["features"] == ALL[:-1]
        assert ask(url, f"artifacts/{LIST}/releases.json").status == 404


def test_s5_a_damaged_trust_store_leaves_the_last_good_one_in_force(site: Site, url: str) -> None:
    good = site.trust.read_bytes()
    site.trust.write_text("{}")
    assert ask(url, "trust.json").body == good
    site.publish(UPDATE)
    site.delivery.sync()
    eventually(lambda: active(url) == "1.1.0")


def test_s5_what_only_a_removed_key_vouched_for_is_not_kept(site: Site, url: str) -> None:
    build_key = site.delivery.world.keys.build.key_id
    store = site.delivery.world.keys.trust_document()
    replace(site.trust, json.dumps({key_id: entry for key_id, entry in store.items() if key_id != build_key}).encode())
    eventually(lambda: ask_json(url, "host.json")["features"] == [])
    assert {said["code"] for said in ask_json(url, "host.json")["problems"]} == {"key_unknown"}
    assert ask(url, f"artifacts/{FIRST_LIST}/manifest.json").status == 404


def test_s5_a_key_that_was_removed_while_nothing_could_be_looked_at_vouches_for_nothing_afterwards(
    site: Site, url: str
) -> None:
    away = site.root.with_name("away")
    store = site.delivery.world.keys.trust_document()
    trusted = {key_id: entry for key_id, entry in store.items() if key_id != site.delivery.world.keys.build.key_id}
    site.root.rename(away)
    replace(site.trust, json.dumps(trusted).encode())
    log = site.trust.parent / "host.log"
    before = log.read_text().count(LOOKED_IN_VAIN)
    eventually(lambda: log.read_text().count(LOOKED_IN_VAIN) >= before + 2)  # of two, one began after that
    away.rename(site.root)
    eventually(lambda: ask_json(url, "host.json")["features"] == [])
    assert ask(url, f"artifacts/{FIRST_LIST}/manifest.json").status == 404


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "exactly one of --root and --remote-index"),
        (["--root", "."], "--trust-keys is needed"),
        (["--root", ".", "--remote-index", "https://cdn.example/"], "exactly one of"),
        (["--remote-index", "http://cdn.example/remote-index.json", "--trust-keys", "x"], "plain http is for loopback"),
        (["--root", ".", "--trust-keys", "x", "--port", "99999"], "--port"),
        (["--root", ".", "--trust-keys", "nowhere.json"], "nowhere.json"),
        (["--root", "nowhere", "--trust-keys", str(FOREIGN / "keys" / "trust.json")], "nowhere"),
        (["--rot", "."], "--rot"),
    ],
)
def test_a_wrong_setting_ends_it_with_status_2_and_a_sentence(arguments: list[str], said: str) -> None:
    node.built()
    own = {name: value for name, value in os.environ.items() if not name.startswith("FEATURE_")}
    done = subprocess.run(
        [node.found(), "host/host.js", *arguments], cwd=node.EXAMPLES, env=own, capture_output=True, text=True,
        check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def _bring_update_with(site: Site, fault: str) -> None:
    """The next version comes as the loader brings it, `releases.json` last, but with a fault."""
    site.publish(UPDATE)
    elsewhere = site.folder.parent / "elsewhere"
    dataclasses.replace(site.delivery, root=elsewhere).sync()
    version = shutil.copytree(elsewhere / UPDATE, site.root / UPDATE)
    (chunk,) = version.glob("assets/PatientRecord-*.js")
    match fault:
        case "altered file":
            alter(chunk)
        case "altered byte":
            replace(chunk, bytes([chunk.read_bytes()[0] ^ 1]) + chunk.read_bytes()[1:])
        case "missing file":
            chunk.unlink()
        case "undeclared file":
            (version / "more.js").write_text("export {}")
        case "link in a file's place":
            chunk.unlink()
            chunk.symlink_to(elsewhere / UPDATE / "assets" / chunk.name)
        case "altered manifest":
            alter(version / "manifest.json")
    replace(site.root / LIST / "releases.json", (elsewhere / LIST / "releases.json").read_bytes())
