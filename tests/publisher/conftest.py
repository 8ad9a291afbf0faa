"""What tests of the publisher share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.publisher.vault import Vault, running_vault
from tests.publisher.world import World, new_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    return new_world(tmp_path / "dist")


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with running_vault(tmp_path) as running:
        yield running
