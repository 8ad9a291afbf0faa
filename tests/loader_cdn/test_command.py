"""The `feature-loader` command: flags, environment, output, exit status (C1, C3, C4, C5, L10)."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from tests.loader_cdn.command import COMMAND, Ended, end, run, start, sync_arguments
from tests.publisher.world import FEATURE
from tests.simulator.environment import Delivery

OTHER = "feature-lab-results"


def _trust(site: Delivery) -> str:
    return json.dumps(site.world.keys.trust_document())


@pytest.fixture
def published(site: Delivery) -> Delivery:
    """One feature, published at the real time."""
    sync_arguments(site)
    site.publish("1.0.0")
    return site


def test_sync_answers_with_the_document_of_c4(published: Delivery) -> None:
    ended = run(*sync_arguments(published))
    assert ended.status == 0
    assert ended.json == {
        "root": str(published.root),
        "error": None,
        "features": [
            {"featureId": FEATURE, "result": "updated", "sequence": 1, "activeVersion": "1.0.0", "error": None}
        ],
    }
    assert ended.err == ""


def test_every_flag_has_an_environment_variable(published: Delivery) -> None:
    """C1."""
    ended = run(
        "sync",
        FEATURE_LOADER_ROOT=str(published.root),
        FEATURE_LOADER_TRUST_KEYS=_trust(published),
        FEATURE_REMOTE_INDEX_URL=published.cdn.url + "remote-index.json",
        FEATURE_LOADER_READY_FILE=str(published.root / "ready"),
        FEATURE_LOADER_JSON="true",
    )
    assert ended.status == 0, ended.err
    assert ended.json["features"][0]["result"] == "updated"
    assert (published.root / "ready").exists()


def test_features_from_the_environment_are_divided_by_white_space(published: Delivery) -> None:
    published.publish("1.0.0", OTHER)
    urls = [f"{feature_id}={published.cdn.url}{feature_id}" for feature_id in (FEATURE, OTHER)]
    ended = run(
        "sync", "--json", "--root", published.root, "--trust-keys", _trust(published),
        FEATURE_LOADER_FEATURE=" ".join(urls), FEATURE_LOADER_MIN_SEQUENCE=f"{FEATURE}=2",
    )  # fmt: skip
    assert [(row["featureId"], row["result"]) for row in ended.json["features"]] == [
        (OTHER, "updated"),
        (FEATURE, "failed"),
    ]
    assert ended.status == 3, "the gravest counts"


def test_people_get_one_line_a_feature_and_logs_are_json_lines(published: Delivery) -> None:
    """C1."""
    arguments = [argument for argument in sync_arguments(published) if argument != "--json"]
    published.cdn.substitute(f"{FEATURE}/1.0.0/index.js", b"", status=404)
    ended = run(*arguments)
    assert ended.status == 1
    assert re.fullmatch(rf"{FEATURE}  failed +nothing in place  .*index\.js: .* \[not_found, C5\]\n", ended.out)
    lines = [json.loads(line) for line in ended.err.splitlines()]
    assert [line["level"] for line in lines] == ["error"]
    assert "index.js" in lines[0]["message"]


def test_a_terminal_shows_a_progress_bar(published: Delivery) -> None:
    """C1."""
    arguments = [argument for argument in sync_arguments(published) if argument != "--json"]
    terminal, other = pty.openpty()
    done = subprocess.run([COMMAND, *arguments], stdout=other, stderr=other, check=False, timeout=60)
    os.close(other)
    shown = b""
    while chunk := _read(terminal):
        shown += chunk
    os.close(terminal)
    assert done.returncode == 0
    assert "4/4 files" in shown.decode()
    assert "updated    1.0.0 (sequence 1)" in shown.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other end is closed
        return b""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing is registered"),
        (["--feature", "feature-a"], "not a pair"),
        (["--feature", "Feature=https://cdn.example.org/"], "bad feature id"),
        (["--feature", "a=https://x.example/", "--feature", "a=https://y.example/"], "a feature is registered twice"),
        (["--feature", "a=ftp://x.example/"], "not an http(s) URL"),
        (["--feature", "a=http://cdn.example.org/"], "plain http is for loopback only"),
        (["--feature", "a=https://user:secret@cdn.example.org/"], "credentials"),
        (["--feature", "a=https://cdn.example.org/?sig=secret"], "a query or fragment"),
        (["--feature", f"a=registry.example/a@sha256:{'0' * 64}"], "this is an image"),
        (["--remote-index", "cdn.example.org"], "not an http(s) URL"),
        (["--feature", "a=https://x.example/", "--min-sequence", "a=-1"], "not a sequence"),
    ],
)
def test_a_wrong_setting_ends_with_2_and_a_sentence(tmp_path: Path, arguments: list[str], message: str) -> None:
    """C5."""
    ended = run("sync", "--json", "--root", tmp_path / "root", "--trust-keys", "{}", *arguments)
    assert ended.status == 2
    assert ended.json["error"]["code"] == "configuration_invalid"
    assert message in ended.json["error"]["message"]
    assert message in ended.err
    assert "secret" not in ended.out + ended.err
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize(
    ("trust", "message"),
    [
        ("{}", "the trust store has no key"),
        ("nowhere.json", "the trust store cannot be read"),
        ('{"a": "b"}', "not a key"),
        ("{", "not JSON"),
    ],
)
def test_a_trust_store_that_is_no_use_ends_with_2(published: Delivery, trust: str, message: str) -> None:
    """S5."""
    ended = run(*sync_arguments(published), "--trust-keys", trust)
    assert ended.status == 2
    assert message in ended.json["error"]["message"]


def test_an_unknown_flag_or_a_missing_one_ends_with_2() -> None:
    assert run("sync", "--colour").status == 2
    missing = run("sync")
    assert missing.status == 2
    assert "--root" in missing.err


@pytest.mark.parametrize("name", ["releases.json", "manifest.json"])
def test_a_root_that_is_a_feature_itself_is_refused(published: Delivery, name: str) -> None:
    published.root.mkdir()
    (published.root / name).write_bytes(b"{}")
    ended = run(*sync_arguments(published))
    assert ended.status == 2
    assert "--root is the directory that holds all features" in ended.json["error"]["message"]


def test_a_root_that_is_no_directory_is_refused(published: Delivery) -> None:
    published.root.write_bytes(b"")
    ended = run(*sync_arguments(published))
    assert ended.status == 2
    assert str(published.root) in ended.json["error"]["message"]


def test_the_file_systems_own_root_is_refused(published: Delivery) -> None:
    ended = run(*sync_arguments(published), "--root", "/")
    assert ended.status == 2
    assert "not a place for features" in ended.json["error"]["message"]


def test_the_readiness_file_of_an_earlier_run_goes_at_the_start_and_comes_at_the_end(
    published: Delivery, tmp_path: Path
) -> None:
    """L10."""
    ready = tmp_path / "ready"
    ready.write_bytes(b"earlier")
    seen: list[bool] = []
    published.cdn.on_request = lambda number, path: seen.append(ready.exists())

    assert run(*sync_arguments(published, "--ready-file", ready)).status == 0

    assert seen
    assert not any(seen)
    assert json.loads(ready.read_bytes())["features"][0]["result"] == "updated"


def test_the_readiness_file_comes_also_where_a_feature_was_tried_and_reported(
    published: Delivery, tmp_path: Path
) -> None:
    """L10."""
    published.cdn.tamper(f"{FEATURE}/1.0.0/index.js")
    assert run(*sync_arguments(published, "--ready-file", tmp_path / "ready")).status == 3
    assert (tmp_path / "ready").exists()


def test_there_is_no_readiness_while_nobody_knows_what_is_registered(published: Delivery, tmp_path: Path) -> None:
    """L10."""
    published.cdn.substitute("remote-index.json", b"", status=404)
    ended = run(*sync_arguments(published, "--ready-file", tmp_path / "ready", "--allow-missing"))
    assert (ended.status, ended.json["error"]["code"]) == (0, "not_found")
    assert not (tmp_path / "ready").exists()


def test_no_secret_of_a_url_is_logged(published: Delivery) -> None:
    """T21."""
    ended = run(*sync_arguments(published), "--remote-index", published.cdn.url + "remote-index.json?sig=hush")
    assert ended.status == 2
    assert "hush" not in ended.out + ended.err


def test_help_shows_examples_and_variables() -> None:
    ended = run("sync", "--help")
    assert ended.status == 0
    assert "Examples:" in ended.out
    assert "FEATURE_LOADER_READY_FILE" in ended.out


def test_a_shell_can_complete_it() -> None:
    ended = run(_FEATURE_LOADER_COMPLETE="bash_complete", COMP_WORDS="feature-loader sy", COMP_CWORD="1")
    assert "sync" in ended.out


# verify


@pytest.fixture
def standing(published: Delivery) -> Delivery:
    """The feature stands."""
    assert published.sync().exit_status() == 0
    return published


def _verify(site: Delivery) -> Ended:
    return run("verify", "--json", "--trust-keys", _trust(site), site.root)


def test_verify_answers_as_sync_does_and_writes_nothing(standing: Delivery) -> None:
    """C3."""
    before = {path: path.stat().st_mtime_ns for path in standing.root.rglob("*")}
    ended = _verify(standing)
    assert ended.status == 0
    assert ended.json == {
        "root": str(standing.root),
        "error": None,
        "features": [
            {"featureId": FEATURE, "result": "unchanged", "sequence": 1, "activeVersion": "1.0.0", "error": None}
        ],
    }
    assert {path: path.stat().st_mtime_ns for path in standing.root.rglob("*")} == before


@pytest.mark.parametrize(
    ("path", "content", "code"),
    [
        ("1.0.0/index.js", b"x", "integrity_mismatch"),
        ("1.0.0/more.js", b"x", "file_undeclared"),
        ("1.0.0/index.js", None, "file_missing"),
        ("1.0.0/manifest.json", None, "file_missing"),
        ("1.0.0/manifest.json", b"{}", "schema_invalid"),
        ("releases.json", b"{}", "schema_invalid"),
        ("releases.json", None, "file_missing"),
    ],
)
def test_verify_finds_what_is_wrong(standing: Delivery, path: str, content: bytes | None, code: str) -> None:
    file = standing.root / FEATURE / path
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    ended = _verify(standing)
    row = ended.json["features"][0]
    assert (ended.status, row["result"], row["error"]["code"]) == (3, "failed", code)
    assert str(standing.root / FEATURE) in row["error"]["message"]


def test_verify_passes_whole_versions_that_no_index_lists_and_no_partial_ones(standing: Delivery) -> None:
    """C3."""
    listed = standing.head()
    standing.publish("1.1.0", files={"index.js": b"2"})
    standing.sync()
    (standing.root / FEATURE / "releases.json").write_bytes(listed.data)
    assert _verify(standing).status == 0
    (standing.root / FEATURE / "1.1.0/index.js").unlink()
    assert _verify(standing).status == 3


def test_verify_reports_an_expired_index(standing: Delivery) -> None:
    """C3, L13."""
    expired = {**standing.head().index.document(), "expiresAt": "2020-01-01T00:00:00Z"}
    from artifact.signing import signed

    data = signed(expired, standing.world.keys.release)
    (standing.root / FEATURE / "releases.json").write_bytes(data)
    ended = _verify(standing)
    row = ended.json["features"][0]
    assert (ended.status, row["result"], row["error"]["code"]) == (0, "unchanged", "expired")


def test_verify_of_a_wrong_directory_says_which_one_it_takes(standing: Delivery, tmp_path: Path) -> None:
    for wrong in (standing.root / FEATURE, tmp_path / "nowhere", standing.root / FEATURE / "1.0.0/assets"):
        ended = run("verify", "--json", "--trust-keys", _trust(standing), wrong)
        assert ended.status == 2
        assert ended.json["error"]["code"] == "configuration_invalid"


def test_two_commands_at_once_on_an_empty_root_end_in_one_state(published: Delivery) -> None:
    """T35."""
    first, second = start(*sync_arguments(published)), start(*sync_arguments(published))
    ended = [end(first), end(second)]
    assert [one.status for one in ended] == [0, 0]
    assert sorted(one.json["features"][0]["result"] for one in ended) == ["unchanged", "updated"]
    assert published.tree() == published.published("1.0.0")
