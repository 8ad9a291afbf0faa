"""Loading the app and indexing its functions, with the checks that the real worker makes."""

from __future__ import annotations

import importlib.util
import inspect
import json
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import azure.functions as func

from artifact.errors import ConfigurationError

TRIGGERS = ("blobTrigger", "queueTrigger", "httpTrigger", "timerTrigger")
OUTPUTS = ("http", "queue")
RETURN = "$return"
CONTEXT = "context"

Binding = Mapping[str, Any]
"""One binding as in function.json: `{"direction", "type", "name", …}`."""


@dataclass(frozen=True, slots=True)
class LoadedFunction:
    """One function: what triggers it, what it is called with, what it gives back."""

    name: str
    trigger: Binding
    outputs: Mapping[str, Binding]
    call: Callable[..., Any]
    parameter_type: Any
    wants_context: bool

    @property
    def kind(self) -> str:
        """One of `TRIGGERS`."""
        return str(self.trigger["type"])

    @property
    def is_async(self) -> bool:
        """Whether it runs on the event loop; all others run in threads."""
        return inspect.iscoroutinefunction(self.call)


def load_functions(script: Path) -> list[LoadedFunction]:
    """Import the module at `script` and index the one function app in it.

    ConfigurationError where there is no such app, or a function that Azure (or this host) could not run.
    """
    module = _import(script)
    apps = {id(value): value for value in vars(module).values() if isinstance(value, func.FunctionRegister)}
    if len(apps) != 1:
        raise ConfigurationError("expected one function app in the module", where=str(script), seen=len(apps))
    (app,) = apps.values()
    try:
        functions = app.get_functions()
    except ValueError as error:
        raise ConfigurationError("the functions cannot be indexed", where=str(script), seen=str(error)) from error
    return [_loaded(function) for function in functions]


def _import(script: Path) -> Any:
    spec = importlib.util.spec_from_file_location(script.stem, script)
    if spec is None or spec.loader is None or not script.is_file():
        raise ConfigurationError("there is no function app", where=str(script))
    sys.path.insert(0, str(script.parent.resolve()))
    module = importlib.util.module_from_spec(spec)
    sys.modules[script.stem] = module
    spec.loader.exec_module(module)
    return module


def _loaded(function: func.Function) -> LoadedFunction:
    name = function.get_function_name() or ""
    bindings: list[Binding] = json.loads(function.get_function_json())["bindings"]
    trigger = next(b for b in bindings if b["type"].lower().endswith("trigger"))
    outputs = {b["name"]: b for b in bindings if b is not trigger}
    _check_kinds(name, trigger, outputs)
    call = function.get_user_function()
    parameters = set(inspect.signature(call).parameters)
    expected = {trigger["name"], *outputs} - {RETURN}
    if parameters - {CONTEXT} != expected:
        raise ConfigurationError(
            "the parameters are not the bindings", where=name, expected=sorted(expected), seen=sorted(parameters)
        )
    hint = typing.get_type_hints(call).get(trigger["name"])
    return LoadedFunction(name, trigger, outputs, call, hint, CONTEXT in parameters)


def _check_kinds(name: str, trigger: Binding, outputs: Mapping[str, Binding]) -> None:
    if trigger["type"] not in TRIGGERS:
        raise ConfigurationError("a trigger that this host does not know", where=name, seen=trigger["type"])
    for binding in outputs.values():
        if binding["direction"] != "OUT" or binding["type"] not in OUTPUTS:
            raise ConfigurationError("a binding that this host does not know", where=name, seen=binding["type"])
