"""What tests of the publisher share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.publisher.world import World, new_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    return new_world(tmp_path / "dist")
