"""Changes of JSON documents that leave them JSON, so that a fuzzer gets behind the first parser."""

from __future__ import annotations

import json
import random
from typing import Any

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**53 - 1, 2**53, 1.5, "", "x", "a" * 300, "\x00", "\u202e", "\ud800", "\U0001f600",
    [], {}, [None], [[]], {"": {}}, "1.0.0", "0.0.0-0", "1.0.0+1", "../x", "manifest.json", "feature-x", "0" * 64,
    "2026-11-22T12:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00.1Z", "https://x@y/", "AAAA", "sha256-",
)  # fmt: skip


def mutate(data: bytes, seed: int) -> bytes | None:
    """The document with a few members or items changed, copied or taken out; None where it is no JSON container."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, (dict, list)):
        return None
    chance = random.Random(seed)
    for _ in range(chance.randint(1, 3)):
        _change(chance.choice(list(_containers(document))), document, chance)
    return json.dumps(document, ensure_ascii=chance.random() < 0.9).encode("utf-8", "surrogatepass")


def _containers(value: Any) -> list[Any]:
    if not isinstance(value, (dict, list)):
        return []
    children = value.values() if isinstance(value, dict) else value
    return [value, *(inner for child in children for inner in _containers(child))]


def _change(container: Any, document: Any, chance: random.Random) -> None:
    donor = chance.choice(_containers(document))
    values = [*(donor.values() if isinstance(donor, dict) else donor), *ODD]
    value = json.loads(json.dumps(chance.choice(values)))
    if isinstance(container, list):
        at = chance.randint(0, len(container))
        container[at : at + chance.randint(0, 1)] = [value] * chance.randint(0, 2)
        return
    name = chance.choice([*container, *(donor if isinstance(donor, dict) else ()), "x-new"])
    if chance.random() < 0.3:
        container.pop(name, None)
    else:
        container[name] = value
