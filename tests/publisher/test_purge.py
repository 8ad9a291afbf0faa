"""W4: what may be purged."""

from __future__ import annotations

import pytest

from artifact.errors import Code, ContentError
from publisher import purge
from publisher.operations import QUEUED
from tests.publisher.platform import bodies, deliver, names
from tests.publisher.world import FEATURE, World

POINTER = f"/{FEATURE}/releases.json"


def ask(world: World, *paths: str) -> None:
    purge.request(world.pipeline, paths, actor="anna", reason="looks stale")


def test_a_purge_that_is_asked_for_is_remembered_until_it_is_carried_out(world: World) -> None:
    asked = purge.request(world.pipeline, [POINTER, POINTER], actor="anna", reason="looks stale")
    found = purge.operation(world.pipeline, asked.operation)
    assert found == asked
    assert (asked.state, asked.paths, asked.actor, asked.reason) == (QUEUED, (POINTER,), "anna", "looks stale")
    assert bodies(world.pipeline.purges) == [purge.WAKE_UP]


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "remote-index.json", "/*", "//*", "/../*", "/Feature/releases.json", f"/{FEATURE}/releases.1.json",
        f"/{FEATURE}/1.0.0/index.js", f"/{FEATURE}/v1/*", f"/{FEATURE}/releases.json?x", f"/{FEATURE}/*/*",
        "https://elsewhere/remote-index.json", "/remote-index.1.json",
    ],
)  # fmt: skip
def test_t21_no_other_path_can_be_purged(world: World, path: str) -> None:
    with pytest.raises(ContentError) as caught:
        ask(world, POINTER, path)
    assert caught.value.code is Code.PATH_INVALID
    assert names(world.pipeline.state) == []
    assert bodies(world.pipeline.purges) == []


@pytest.mark.parametrize(
    "path", ["/remote-index.json", POINTER, f"/{FEATURE}/*", f"/{FEATURE}/1.0.0/*", f"/{FEATURE}/1.0.0-rc.1/*"]
)
def test_pointers_features_and_versions_can_be_purged(world: World, path: str) -> None:
    ask(world, path)
    deliver(world.pipeline)
    assert world.edge.calls == [[path]]


def test_more_than_100_paths_or_none_are_refused(world: World) -> None:
    for paths in ([], [f"/feature-{number}/*" for number in range(101)]):
        with pytest.raises(ContentError) as caught:
            ask(world, *paths)
        assert caught.value.code is Code.LIMIT_EXCEEDED
