"""C2: `doctor`, as operators run it."""

from __future__ import annotations

from tests.publisher.cli.shell import Shell


def test_doctor_of_a_sound_environment_ends_with_0_and_leaves_nothing_behind(shell: Shell) -> None:
    shell.json("publish", shell.directory("1.0.0"))
    before = sorted(shell.folder.rglob("*"))
    document = shell.json("doctor")
    assert {finding["level"] for finding in document["findings"]} == {"ok"}
    assert [path for path in sorted(shell.folder.rglob("*")) if ".favn-work" not in str(path)] == [
        path for path in before if ".favn-work" not in str(path)
    ]


def test_doctor_names_what_is_wrong_and_what_to_do(shell: Shell) -> None:
    shell.json("publish", shell.directory("1.0.0"))
    answer = shell.run("doctor", CDN_RELEASE_KEY_ID="build-test")
    assert answer.returncode == 2
    assert "not that of its entry" in answer.stderr
    unreachable = shell.run("doctor", "--edge", "http://127.0.0.1:9")
    assert unreachable.returncode == 1
    assert "127.0.0.1:9" in unreachable.stdout
