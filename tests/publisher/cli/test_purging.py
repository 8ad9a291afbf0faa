"""`cdn-release purge`, straight at a Resource Manager."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.publisher.cli.shell import Shell
from tools.local.arm.operations import Purges, Refusal
from tools.local.arm.server import ResourceManager

FEATURE = "feature-patientlist"


@dataclass
class Cdn:
    manager: ResourceManager
    forgotten: list[list[str]] = field(default_factory=list)

    @property
    def variables(self) -> dict[str, str]:
        return {**self.manager.variables(), "CDN_RELEASE_ENDPOINT": self.manager.endpoint("edge")}


@pytest.fixture
def cdn() -> Iterator[Cdn]:
    forgotten: list[list[str]] = []
    purges = Purges({"edge": lambda paths: forgotten.append(list(paths))}, seconds=0.0)
    with ResourceManager(purges) as manager:
        yield Cdn(manager, forgotten)


def test_waiting_ends_when_the_cdn_has_forgotten(shell: Shell, cdn: Cdn) -> None:
    document = shell.json("purge", FEATURE, "--wait", status=0, **cdn.variables)
    assert document["state"] == "succeeded"
    assert [part["state"] for part in document["endpoints"]] == ["succeeded"]
    assert cdn.forgotten == [["/remote-index.json", f"/{FEATURE}/releases.json"]]


def test_without_waiting_it_is_enough_that_the_cdn_has_begun(shell: Shell, cdn: Cdn) -> None:
    cdn.manager.purges.going.clear()
    answer = shell.run("purge", **cdn.variables)
    assert (answer.returncode, answer.stdout) == (0, "running: /remote-index.json\n")


def test_without_waiting_every_call_is_begun_that_is_needed(shell: Shell, cdn: Cdn) -> None:
    domains = ",".join(f"{number}.example.org" for number in range(50))
    endpoint = f"{cdn.manager.endpoint('edge')}?domains={domains}"
    answer = shell.run("purge", FEATURE, "feature-b", "--endpoint", endpoint, **cdn.manager.variables())
    assert answer.returncode == 0
    assert [len(purge.paths) for purge in cdn.manager.purges.all()] == [2, 1]


def test_a_whole_feature_needs_a_reason(shell: Shell, cdn: Cdn) -> None:
    assert shell.run("purge", FEATURE, "--whole", **cdn.variables).returncode == 2
    assert shell.run("purge", FEATURE, "--whole", "--reason", "old", "--wait", **cdn.variables).returncode == 0
    assert cdn.forgotten == [[f"/{FEATURE}/*"]]


def test_a_dry_run_purges_nothing(shell: Shell, cdn: Cdn) -> None:
    document = shell.json("purge", FEATURE, "--dry-run", status=0, **cdn.variables)
    assert document == {"dryRun": True, "paths": ["/remote-index.json", f"/{FEATURE}/releases.json"]}
    assert cdn.manager.purges.all() == []


def test_what_is_not_done_in_time_ends_in_1_and_says_how_far_it_is(shell: Shell, cdn: Cdn) -> None:
    cdn.manager.purges.going.clear()
    answer = shell.run("purge", "--wait", "--timeout", "1", **cdn.variables)
    assert answer.returncode == 1
    assert "running" in answer.stderr


def test_an_identity_that_may_not_purge_ends_at_once(shell: Shell, cdn: Cdn) -> None:
    cdn.manager.purges.refusals = [Refusal(403, "AuthorizationFailed")]
    document = shell.json("purge", "--wait", status=1, **cdn.variables)
    assert document["error"]["code"] == "unauthorized"
    assert cdn.manager.token not in str(document)


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["--app", "https://app.example.org"], ["--app", "http://app.example.org", "--function-key", "k"],
        ["--endpoint", "nonsense"], ["--endpoint", "http://127.0.0.1:1", "--app", "https://app.example.org"],
        ["--endpoint", "http://127.0.0.1:1", "Feature_X"], ["--endpoint", " "],
        ["--endpoint", "http://127.0.0.1:1", "--timeout", "1" + "0" * 400],
    ],
)  # fmt: skip
def test_c1_a_call_that_cannot_be_carried_out_is_2(shell: Shell, arguments: list[str]) -> None:
    assert shell.run("purge", *arguments).returncode == 2


def test_an_app_that_is_away_ends_in_1(shell: Shell) -> None:
    document = shell.json("purge", "--app", "http://127.0.0.1:1", "--function-key", "s3cret", status=1)
    assert document["error"]["code"] == "transport_failed"
    assert "s3cret" not in str(document)
