"""What tests of the loader share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulator.environment import Delivery, delivery


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Delivery]:
    """An empty environment, its edge, and an empty root."""
    with delivery(tmp_path) as made:
        yield made
