"""The real parts of these tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import parts
from tests.charts.helm import Helm


@pytest.fixture
def helm(tmp_path: Path) -> Helm:
    return Helm(parts.in_cluster("helm"), tmp_path)
