"""The real parts of these tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import parts
from tests.edges.site import Site, running_site
from tools.local.azurite import Account


@pytest.fixture
def site(tmp_path: Path, storage: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    parts.require("varnishd")
    with running_site(tmp_path, storage, monkeypatch) as running:
        yield running
