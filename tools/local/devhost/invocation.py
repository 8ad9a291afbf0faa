"""Running one function: on the event loop or in a thread, with one line of log for every invocation."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import uuid4

import azure.functions as func

from .functions import CONTEXT, RETURN, LoadedFunction
from .outputs import QueueOutputs

T = TypeVar("T")


class OutValue(func.Out[T], Generic[T]):
    """What a function sets as an output."""

    def __init__(self) -> None:
        self._value: T | None = None

    def set(self, val: T) -> None:
        """Keep `val`; the host sends it after the function has succeeded."""
        self._value = val

    def get(self) -> T | None:  # type: ignore[override]  # nothing is set at first, in the real worker too
        """What was set, or None."""
        return self._value


class InvocationContext(func.Context):
    """What a function learns of its own invocation where it has a parameter `context`."""

    def __init__(self, function_name: str, invocation_id: str) -> None:
        self._function_name = function_name
        self._invocation_id = invocation_id
        self._local = threading.local()
        self._local.invocation_id = invocation_id

    @property
    def invocation_id(self) -> str:
        """Unique for every attempt."""
        return self._invocation_id

    @property
    def thread_local_storage(self) -> Any:
        """Carries `invocation_id`, as in the real worker."""
        return self._local

    @property
    def function_name(self) -> str:
        """The function's name."""
        return self._function_name

    @property
    def function_directory(self) -> str:
        """A v2 app has no directory of its own for a function."""
        return ""

    @property
    def trace_context(self) -> Any:
        """No distributed tracing here."""
        return None

    @property
    def retry_context(self) -> Any:
        """No retry policies here."""
        return None


class Invoker:
    """Runs functions and sends their outputs. Coroutines share `loop`, as in the real worker: one that blocks shows."""

    def __init__(self, loop: asyncio.AbstractEventLoop, pool: Executor, outputs: QueueOutputs) -> None:
        self._loop = loop
        self._pool = pool
        self._outputs = outputs

    def invoke(self, function: LoadedFunction, value: Any, *, subject: str, attempt: int = 1) -> None:
        """Run `function` from a listener's thread and wait; raises what the function or its output raised."""
        with _recorded(function, subject, attempt) as invocation_id:
            call = _Call(function, value, invocation_id)
            if function.is_async:
                returned = asyncio.run_coroutine_threadsafe(call.start(), self._loop).result()
            else:
                returned = call.start()
            self._outputs.send(function, call.outputs(returned))

    async def invoke_async(
        self,
        function: LoadedFunction,
        value: Any,
        answer: Callable[[LoadedFunction, Mapping[str, Any]], T],
        *,
        subject: str,
    ) -> T:
        """Run `function` from the event loop; what `answer` makes of its outputs. Raises as `invoke` does."""
        with _recorded(function, subject, 1) as invocation_id:
            call = _Call(function, value, invocation_id)
            if function.is_async:
                returned = await call.start()
            else:
                returned = await self._loop.run_in_executor(self._pool, call.start)
            outputs = call.outputs(returned)
            await self._loop.run_in_executor(self._pool, self._outputs.send, function, outputs)
            return answer(function, outputs)


class _Call:
    """The arguments of one invocation, and what it has set."""

    def __init__(self, function: LoadedFunction, value: Any, invocation_id: str) -> None:
        self._function = function
        self._outs: dict[str, OutValue[Any]] = {name: OutValue() for name in function.outputs if name != RETURN}
        self._arguments: dict[str, Any] = {function.trigger["name"]: value, **self._outs}
        if function.wants_context:
            self._arguments[CONTEXT] = InvocationContext(function.name, invocation_id)

    def start(self) -> Any:
        """What the function returns; for a coroutine function, what is to be awaited."""
        return self._function.call(**self._arguments)

    def outputs(self, returned: Any) -> dict[str, Any]:
        """By binding name, the return value under `$return`."""
        return {RETURN: returned, **{name: out.get() for name, out in self._outs.items()}}


def log(**facts: Any) -> None:
    """Write one line to standard error: JSON, or something to read where it is a terminal."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if sys.stderr.isatty():
        shown = {name: value for name, value in facts.items() if name not in ("invocation", "stack")}
        line = " ".join([at[11:19], *(f"{name}={value}" for name, value in shown.items())])
    else:
        line = json.dumps({"at": at, **facts}, default=str)
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


@contextmanager
def _recorded(function: LoadedFunction, subject: str, attempt: int) -> Iterator[str]:
    invocation_id = str(uuid4())
    facts: dict[str, Any] = {"function": function.name, "trigger": function.kind, "subject": subject}
    facts |= {"attempt": attempt, "invocation": invocation_id}
    began = time.monotonic()
    try:
        yield invocation_id
    except BaseException as error:
        log(**facts, outcome="failed", ms=_since(began), error=f"{type(error).__name__}: {error}", stack=_stack(error))
        raise
    log(**facts, outcome="succeeded", ms=_since(began))


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)


def _stack(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
