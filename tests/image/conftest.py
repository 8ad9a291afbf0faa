"""The image, built once for each worker."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import parts
from tests.image import buildah
from tests.image.buildah import Buildah
from tests.image.container import Container
from tests.simulator.environment import Delivery, delivery
from tools.setup import image

NAME = "localhost/feature-loader"
REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="session")
def wheels() -> Path:
    """What pip installs."""
    return image.wheels() or parts.missing("wheels for the loader's image", image.REMEDY)


@pytest.fixture(scope="session")
def builder(wheels: Path) -> Iterator[Buildah]:
    """Has both bases, and the image as NAME."""
    command = parts.require("buildah")
    if os.geteuid() != 0:
        parts.missing("root, which builds images without a daemon,", "run the tests as root")
    bases = image.bases() or parts.missing("base images", image.REMEDY)
    with tempfile.TemporaryDirectory() as folder:
        made = buildah.with_bases(Path(folder), command, bases)
        made.build(NAME, wheels, REVISION=REVISION)
        yield made


@pytest.fixture(scope="session")
def container(builder: Buildah) -> Container:
    """The image's files, and its command."""
    config = builder.inspect(NAME)["config"]
    environment = dict(variable.split("=", 1) for variable in config["Env"])
    return Container(builder.unpack(NAME), environment, config["Entrypoint"])


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Delivery]:
    """An empty environment, its edge, and an empty root."""
    with delivery(tmp_path) as made:
        yield made
