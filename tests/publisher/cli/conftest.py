"""What tests of the command share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.publisher.cli.shell import Shell
from tests.versions import Keys


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    keys = Keys.new()
    keys.write(tmp_path / "keys")
    return Shell(tmp_path, keys, (tmp_path / "cdn").as_uri())
