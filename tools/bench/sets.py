"""The sets of files that are published and fetched: made once, the same on every machine, and signed.

a: 40 files, 6 MiB. b: 2,000 files, 150 MiB. b2: the next version of b, 95 % of its files equal. c: one file of 200 MiB.
Most files are text that compresses as minified JavaScript does; every fifth is incompressible, as images and fonts are.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from artifact.keys import KeySigner, PrivateKey
from artifact.paths import MANIFEST, Limits
from publisher.authoring import sign_directory
from tools.local.keys import BUILD_KEY_ID, SigningKeys
from tools.setup.steps import digest, once

FEATURE = "feature-bench"
ENTRYPOINT = "index.js"
MIB = 1024 * 1024
_EDITION = "1"
"""Changed with what is made here, so that sets of an earlier edition are made anew."""
_INCOMPRESSIBLE = 5
_CHANGED = 20
_SPREAD = 1.2
"""Sigma of the sizes, which are log-normal: few files are large, as in a build output."""


@dataclass(frozen=True, slots=True)
class Set:
    """A signed version directory, `folder` (`…/<featureId>/<version>`); `files` maps paths to sizes in bytes."""

    name: str
    folder: Path
    files: Mapping[str, int]

    @property
    def version(self) -> str:
        return self.folder.name

    @property
    def size(self) -> int:
        """Bytes of all files, without manifest.json."""
        return sum(self.files.values())


@dataclass(frozen=True, slots=True)
class _Planned:
    path: str
    size: int
    seed: str

    @property
    def is_text(self) -> bool:
        return self.path.endswith((".js", ".css"))


def make(folder: Path, keys: SigningKeys) -> dict[str, Set]:
    """All sets, by name, below `folder`; those of an earlier run are used again."""
    b = _plan("b", 2000, 150 * MIB)
    plans = {
        "a": ("1.0.0", _plan("a", 40, 6 * MIB)),
        "b": ("1.0.0", b),
        "b2": ("1.1.0", _successor(b)),
        "c": ("1.0.0", [_Planned(ENTRYPOINT, 200 * MIB, "c")]),
    }
    signer = KeySigner(BUILD_KEY_ID, PrivateKey.parse(keys.build.read_text("utf-8"), where=str(keys.build)))
    return {name: _set(folder / name, name, version, plan, signer) for name, (version, plan) in plans.items()}


def draft(feature_id: str, version: str) -> dict[str, Any]:
    """A manifest as a build leaves it."""
    return {
        "id": feature_id,
        "version": version,
        "displayName": "Benchmark",
        "featureType": "facet",
        "channel": "stable",
        "entrypoints": {"js": [ENTRYPOINT]},
    }


def _set(root: Path, name: str, version: str, plan: list[_Planned], signer: KeySigner) -> Set:
    folder = root / FEATURE / version
    inputs = digest(_EDITION, signer.key.public().pem())
    once(root / ".made", inputs, f"set {name}, {len(plan)} files", lambda: _write(folder, version, plan, signer))
    return Set(name, folder, {planned.path: planned.size for planned in plan})


def _write(folder: Path, version: str, plan: list[_Planned], signer: KeySigner) -> None:
    for planned in plan:
        path = folder / planned.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_content(planned))
    (folder / MANIFEST).write_text(json.dumps(draft(FEATURE, version)), encoding="utf-8")
    sign_directory(folder, signer, Limits())


def _plan(name: str, count: int, total: int) -> list[_Planned]:
    """`count` files of `total` bytes together, the first one the entrypoint."""
    chance = random.Random(f"sizes of {name}")  # noqa: S311 (content to measure with, no secret)
    shares = [chance.lognormvariate(0, _SPREAD) for _ in range(count)]
    scale = total / sum(shares)
    sizes = [max(1, int(share * scale)) for share in shares]
    sizes[-1] += total - sum(sizes)
    return [_Planned(_path(name, number), size, f"{name} {number}") for number, size in enumerate(sizes)]


def _successor(plan: list[_Planned]) -> list[_Planned]:
    """Every twentieth file with other content, and so under another name, as bundlers name them."""
    return [
        _Planned(_path("b2", number), old.size, f"b2 {number}") if number % _CHANGED == _CHANGED // 2 else old
        for number, old in enumerate(plan)
    ]


def _path(name: str, number: int) -> str:
    if number == 0:
        return ENTRYPOINT
    mark = hashlib.sha256(f"{name} {number}".encode()).hexdigest()[:8]
    if number % _INCOMPRESSIBLE == 0:
        return f"assets/images/picture-{number}-{mark}.webp"
    return f"assets/group-{number % 16}/chunk-{mark}.{'css' if number % 16 == 1 else 'js'}"


def _content(planned: _Planned) -> bytes:
    chance = random.Random(planned.seed)  # noqa: S311
    if not planned.is_text or planned.size > 64 * MIB:
        return chance.randbytes(planned.size)
    lines = _lines()
    mean = sum(map(len, lines)) / len(lines)
    text = b""
    while len(text) < planned.size:
        text += b"".join(chance.choices(lines, k=int((planned.size - len(text)) / mean) + 16))
    return text[: planned.size]


@cache
def _lines() -> list[bytes]:
    """Lines of code to choose from: more than a compressor's window holds, of words used as often as in a program."""
    chance = random.Random("lines")  # noqa: S311
    letters = "etnrisaoldcupmfhgvbyxwkjqz_$"
    words = ["".join(chance.choices(letters, k=chance.randint(1, 9))) for _ in range(1000)]
    keywords = [
        "const ",
        "return ",
        "function",
        "=>",
        "(",
        ")",
        "{",
        "}",
        ";",
        ",",
        ".",
        "=",
        "this.",
        "null",
        '"',
        ":",
    ]
    frequencies = [(rank + 3) ** -1.5 for rank in range(len(words))]
    tokens, share = keywords + words, sum(frequencies) / len(keywords)  # every second token is one of the language's
    weights = [share] * len(keywords) + frequencies
    return [("".join(chance.choices(tokens, weights, k=24)) + "\n").encode() for _ in range(20000)]
