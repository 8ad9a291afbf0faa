"""The library's own converters, as the real worker uses them: between what the host sends and what functions see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import azure.functions as func
from azure.functions.meta import Datum


def decode(kind: str, data: Datum, metadata: Mapping[str, Datum] | None = None) -> Any:
    """The value that a function with a trigger of `kind` gets for `data` and the trigger's metadata."""
    return _converter(kind).decode(data, trigger_metadata=metadata)


def encode(kind: str, value: Any) -> Any:
    """What the host gets for a function's output of `kind`; NotImplementedError where the worker would refuse it."""
    return _converter(kind).encode(value, expected_type=None)


def _converter(kind: str) -> Any:
    registry: Any = func.get_binding_registry  # the library gives it no types
    return registry().get(kind)
