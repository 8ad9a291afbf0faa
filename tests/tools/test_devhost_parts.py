"""The parts of the development host that decide: schedules, routes, paths, settings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from artifact.errors import ConfigurationError
from tools.local.devhost.blob_events import BlobPath
from tools.local.devhost.routes import Route, find
from tools.local.devhost.settings import HostSettings
from tools.local.devhost.timers import schedule

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)  # a Monday


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*/15 * * * * *", NOON + timedelta(seconds=15)),
        ("0 */5 * * * *", NOON + timedelta(minutes=5)),
        ("30 12 * * *", NOON + timedelta(minutes=30)),
        ("0 0 4 * * *", NOON + timedelta(hours=16)),
        ("0 0 9-17 * * MON-FRI", NOON + timedelta(hours=1)),
        ("0 0 4 13 * FRI", datetime(2027, 8, 13, 4, tzinfo=UTC)),  # both, not either: the next Friday the 13th
        ("00:10:00", NOON + timedelta(minutes=10)),
        ("1.02:00:00", NOON + timedelta(days=1, hours=2)),
    ],
)
def test_a_schedule_is_ncrontab_or_a_time_span(text: str, expected: datetime) -> None:
    assert schedule(text)(NOON) == expected


@pytest.mark.parametrize("text", ["", "* * *", "0 0 25 * * *", "every day", "1:2", "0:0:x"])
def test_a_wrong_schedule_is_a_configuration_error(text: str) -> None:
    with pytest.raises(ConfigurationError):
        schedule(text)


@pytest.mark.parametrize(
    ("path", "container", "fits", "does_not"),
    [
        ("incoming/{name}", "incoming", ["a", "a/b.tar.gz"], [""]),
        ("incoming", "incoming", ["a", "a/b"], []),
        ("c/{folder}/{file}.txt", "c", ["a/b.txt", "a/b/c.txt"], ["b.txt", "a/b.txt.gz"]),
        ("c/x.{ext}", "c", ["x.y"], ["xzy"]),
    ],
)
def test_a_blob_path_is_a_container_and_a_pattern(
    path: str, container: str, fits: list[str], does_not: list[str]
) -> None:
    parsed = BlobPath.parse(path)
    assert parsed.container == container
    assert all(parsed.pattern.fullmatch(name) for name in fits)
    assert not any(parsed.pattern.fullmatch(name) for name in does_not)


def routes(*templates: str) -> list[Route]:
    made = [Route.of(function(template), "api") for template in templates]
    return sorted(made, key=lambda route: route.rank)


def function(template: str) -> Any:
    return SimpleNamespace(name=template, trigger={"route": template, "methods": ["GET"]})


@pytest.mark.parametrize(
    ("path", "template", "parameters"),
    [
        ("/api/features", "features", {}),
        ("/API/Features/", "features", {}),
        ("/api/features/a%2Fb", "features/{id}", {"id": "a/b"}),
        ("/api/features/7", "features/{number:int}", {"number": "7"}),
        ("/api/features/a/canary", "features/{id}/{action:regex(^(canary|promote)$)}", {"id": "a", "action": "canary"}),
        ("/api/features/a/other", "features/{id}/{*rest}", {"id": "a", "rest": "other"}),
        ("/api/features/a/b/c", "features/{id}/{*rest}", {"id": "a", "rest": "b/c"}),
        ("/api/maybe", "maybe/{x?}", {}),
        ("/api/maybe/1", "maybe/{x?}", {"x": "1"}),
    ],
)
def test_the_most_specific_route_answers(path: str, template: str, parameters: dict[str, str]) -> None:
    known = routes(
        "features/{id}/{*rest}",
        "features/{id}",
        "features/{number:int}",
        "features",
        "features/{id}/{action:regex(^(canary|promote)$)}",
        "maybe/{x?}",
    )
    found = find(known, "GET", path)
    assert found is not None
    assert (found[0].name, found[1]) == (template, parameters)
    assert find(known, "POST", path) is None


def test_host_json_is_read_beside_the_app_and_overridden_by_app_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = '{"extensions": {"queues": {"batchSize": 3, "visibilityTimeout": "00:00:30"}, "http": {"routePrefix": ""}}}'
    (tmp_path / "host.json").write_text(text, "utf-8")
    monkeypatch.setenv("AzureFunctionsJobHost__extensions__queues__visibilityTimeout", "00:00:02")
    settings = HostSettings.load(tmp_path / "function_app.py", poll=1, lease=1)
    assert settings.value("extensions.queues.batchSize", 16) == 3
    assert settings.value("extensions.queues.visibilityTimeout", timedelta(0)) == timedelta(seconds=2)
    assert settings.value("extensions.http.routePrefix", "api") == ""
    assert settings.value("extensions.queues.maxDequeueCount", 5) == 5


def test_a_host_json_that_is_none_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text("{", "utf-8")
    with pytest.raises(ConfigurationError, match=r"host\.json"):
        HostSettings.load(tmp_path / "function_app.py", poll=1, lease=1)


def test_a_setting_stands_between_percent_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWEEP", "0 */5 * * * *")
    settings = HostSettings.load(tmp_path / "function_app.py", poll=1, lease=1)
    assert settings.resolve("%SWEEP%") == "0 */5 * * * *"
    with pytest.raises(ConfigurationError, match="NOT_THERE"):
        settings.resolve("a-%NOT_THERE%")
