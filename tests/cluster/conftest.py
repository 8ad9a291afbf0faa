"""What tests in a cluster share."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.simulator.environment import Delivery, delivery


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Delivery]:
    """An empty environment at the real time, its edge, and an empty root."""
    with delivery(tmp_path) as made:
        made.world.clock.now = datetime.now(UTC)
        yield made
