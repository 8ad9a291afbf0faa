"""What tests of the API share."""

from __future__ import annotations

import pytest

from tests.publisher.api.caller import Caller, caller_in
from tests.publisher.world import World


@pytest.fixture
def caller(world: World) -> Caller:
    return caller_in(world)
