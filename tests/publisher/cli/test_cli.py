"""C1, C2: the commands, their answers and their exit statuses."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

import pytest

from tests.publisher.cli.shell import Shell
from tests.versions import FILES, draft

FEATURE = "feature-patientlist"


def test_a_build_output_becomes_a_release_by_keygen_sign_and_publish(shell: Shell) -> None:
    folder = shell.folder / "build"
    folder.mkdir()
    (folder / "index.js").write_text("export {};\n")
    (folder / "manifest.json").write_text(json.dumps(draft(FEATURE, "1.0.0")))
    made = shell.json("keygen", "build-2026", "--out", "mine", "--features", "feature-*")
    key = Path(shell.folder / made["privateKey"])
    assert key.stat().st_mode & 0o777 == 0o600
    trust = {**shell.keys.trust_document(), **made["trust"]}
    (shell.folder / "keys" / "trust.json").write_text(json.dumps(trust))
    signed = shell.json("sign", folder, CDN_RELEASE_KEY=str(key), CDN_RELEASE_KEY_ID="build-2026")
    assert (signed["files"], signed["keyId"]) == (1, "build-2026")
    published = shell.json("publish", folder)
    assert (published["sequence"], published["activeVersion"], published["remoteIndexSequence"]) == (1, "1.0.0", 1)


def test_keygen_prints_the_trust_store_entry_with_the_roles_and_features_asked_for(shell: Shell) -> None:
    made = shell.json("keygen", "release-2026", "--role", "releases", "--role", "index", "--features", "feature-*")
    entry = made["trust"]["release-2026"]
    assert (entry["roles"], entry["features"]) == (["releases", "index"], ["feature-*"])
    unknown = shell.run("keygen", "other", "--role", "admin")
    assert unknown.returncode == 2
    assert "manifest" in unknown.stderr


def test_keygen_never_overwrites_a_key(shell: Shell) -> None:
    assert shell.run("keygen", "mine").returncode == 0
    again = shell.run("keygen", "mine")
    assert again.returncode == 2
    assert "mine.pem" in again.stderr


def test_b1_pack_gives_the_same_bytes_for_the_same_directory_and_publish_takes_the_bundle(shell: Shell) -> None:
    folder = shell.directory()
    moved = shell.folder / "elsewhere"
    shutil.copytree(folder, moved)
    assert shell.run("pack", folder, "--out", "a.tar.gz").returncode == 0
    assert shell.run("pack", moved, "--out", "b.tar.gz").returncode == 0
    first = (shell.folder / "a.tar.gz").read_bytes()
    assert first == (shell.folder / "b.tar.gz").read_bytes()
    with tarfile.open(shell.folder / "a.tar.gz") as archive:
        assert archive.getnames() == ["manifest.json", *sorted(FILES)]
    assert shell.json("publish", "a.tar.gz")["unchanged"] is False
    assert shell.json("publish", folder)["unchanged"] is True


def test_a_dry_run_says_what_would_be_written_and_writes_nothing(shell: Shell) -> None:
    answer = shell.json("publish", shell.directory(), "--dry-run")
    names = [write["name"] for write in answer["writes"]]
    assert names[0] == f"{FEATURE}/1.0.0/manifest.json"
    assert names[-2:] == ["remote-index.1.json", "remote-index.json"]
    assert not list((shell.folder / "cdn").rglob("*.json"))


def test_the_release_workflow_from_canary_to_withdrawal(shell: Shell) -> None:
    shell.json("publish", shell.directory("1.0.0"))
    shell.json("publish", shell.directory("1.1.0", channel="canary"))
    early = shell.run("promote", FEATURE)
    assert early.returncode == 1
    assert "soak" in early.stderr
    assert shell.run("promote", FEATURE, "--force").returncode == 2
    assert shell.json("promote", FEATURE, "--force", "--reason", "tested by hand")["activeVersion"] == "1.1.0"
    rolled = shell.json("rollback", FEATURE, "1.0.0", "--reason", "blank page", "--ticket", "INC-7")
    assert (rolled["sequence"], rolled["activeVersion"]) == (4, "1.0.0")
    assert shell.json("canary", FEATURE, "1.1.0")["channels"] == {"stable": "1.0.0", "canary": "1.1.0"}
    assert shell.json("refresh", FEATURE)["sequence"] == 6
    assert shell.json("withdraw", FEATURE, "1.1.0", "--reason", "leaks names")["channels"] == {"stable": "1.0.0"}
    assert not (shell.folder / "cdn" / FEATURE / "1.1.0" / "index.js").exists()
    status = shell.json("status")
    (feature,) = status["features"]
    assert feature["change"]["action"] == "withdraw"
    assert feature["listedSequence"] == feature["sequence"] == 7
    refused = shell.run("publish", shell.directory("1.1.0", channel="canary"))
    assert refused.returncode == 3
    assert "version_withdrawn" in refused.stderr
    assert shell.json("remove", FEATURE, "--reason", "retired")["sequence"] == 8
    assert shell.json("status")["features"] == []


def test_status_is_a_table_that_names_every_feature(shell: Shell) -> None:
    shell.run("publish", shell.directory("1.0.0"))
    answer = shell.run("status")
    assert answer.returncode == 0
    for text in ("remote index: sequence 1", FEATURE, "1.0.0", "in 89 d", "publish 1.0.0 tester"):
        assert text in answer.stdout


def test_verify_finds_a_tampered_file_in_a_published_tree_and_names_it(shell: Shell) -> None:
    shell.run("publish", shell.directory("1.0.0"))
    tree = shell.folder / "cdn"
    assert shell.json("verify", tree)["features"][0]["error"] is None
    (tree / FEATURE / "1.0.0" / "index.js").write_bytes(b"export const mount = () => [];\n")
    answer = shell.run("verify", tree)
    assert answer.returncode == 3
    assert f"{FEATURE}/1.0.0/index.js" in answer.stderr


def test_verify_of_a_version_directory_says_who_signed_it(shell: Shell) -> None:
    answer = shell.run("verify", shell.directory("1.0.0"))
    assert answer.returncode == 0
    assert "build-test" in answer.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "texts"),
    [
        (("rollback", FEATURE, "not-a-version"), 2, ("not-a-version", "SemVer")),
        (("status", "Feature_X"), 2, ("Feature_X",)),
        (("rollback", FEATURE, "9.9.9"), 1, ("not a listed version", "1.0.0", "9.9.9")),
        (("rollback", "feature-nobody", "1.0.0"), 1, ("was ever published", "feature-nobody")),
        (("verify", "nowhere"), 2, ("nowhere",)),
        (("withdraw", FEATURE, "1.0.0"), 2, ("--reason",)),
        (("frobnicate",), 2, ("frobnicate",)),
    ],
)
def test_c1_bad_calls_end_with_the_right_status_and_say_what_was_seen(
    shell: Shell, arguments: tuple[str, ...], status: int, texts: tuple[str, ...]
) -> None:
    shell.run("publish", shell.directory("1.0.0"))
    answer = shell.run(*arguments)
    assert answer.returncode == status, answer.stderr
    assert all(text in answer.stderr for text in texts), answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("variable", "value", "text"),
    [
        ("CDN_RELEASE_TO", "nonsense", "expected"),
        ("CDN_RELEASE_TRUST_KEYS", "missing.json", "missing.json"),
        ("CDN_RELEASE_TRUST_KEYS", "{}", "no key"),
        ("CDN_RELEASE_KEY", "missing.pem", "missing.pem"),
        ("CDN_RELEASE_KEY", "keys/trust.json", "trust.json"),
    ],
)
def test_c1_bad_configuration_ends_with_2_and_names_what_is_wrong(
    shell: Shell, variable: str, value: str, text: str
) -> None:
    answer = shell.run("publish", shell.directory("1.0.0"), **{variable: value})
    assert answer.returncode == 2, answer.stderr
    assert text in answer.stderr
    assert "Traceback" not in answer.stderr


def test_c1_an_error_with_json_is_one_document_with_code_rule_and_message(shell: Shell) -> None:
    folder = shell.directory("1.0.0")
    (folder / "index.js").write_bytes(b"tampered")
    document = shell.json("publish", folder, status=3)
    assert document["error"]["code"] == "integrity_mismatch"
    assert document["error"]["rule"] == "M3"
    assert "index.js" in document["error"]["message"]


def test_t21_no_message_shows_a_key_or_a_credential(shell: Shell) -> None:
    secret = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
    connection = f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey={secret};BlobEndpoint=http://127.0.0.1:9/a;"
    answer = shell.run("status", CDN_RELEASE_TO=connection)
    assert answer.returncode == 1
    assert secret not in answer.stdout + answer.stderr
    pem = (shell.folder / "keys" / "release.pem").read_text()
    broken = shell.run("publish", shell.directory(), CDN_RELEASE_KEY=pem.replace("MC4C", "XXXX"))
    assert broken.returncode == 2
    assert pem.splitlines()[1] not in broken.stdout + broken.stderr


@pytest.mark.parametrize("name", ["keygen", "sign", "pack", "submit", "publish", "status", "verify", "rollback",
                                  "promote", "canary", "withdraw", "remove", "refresh"])  # fmt: skip
def test_every_command_has_help(shell: Shell, name: str) -> None:
    answer = shell.run(name, "--help")
    assert answer.returncode == 0
    assert "Usage: cdn-release " + name in answer.stdout
