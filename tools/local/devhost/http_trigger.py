"""The HTTP trigger and the admin pages, on aiohttp."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import azure.functions as func
from aiohttp import web
from azure.functions.meta import Datum
from multidict import CIMultiDict

from .converters import decode, encode
from .functions import RETURN, LoadedFunction
from .invocation import Invoker
from .keys import Keys
from .routes import Route, find
from .settings import HostSettings

BODY_LIMIT = 100 * 1024 * 1024


class HttpTriggers:
    """All HTTP-triggered functions of an app. Without keys nothing is protected, as with `func start`."""

    def __init__(
        self,
        functions: Sequence[LoadedFunction],
        timers: Mapping[str, Callable[[], None]],
        settings: HostSettings,
        invoker: Invoker,
        keys: Keys | None,
    ) -> None:
        prefix = settings.value("extensions.http.routePrefix", "api").strip("/")
        self._routes = sorted((Route.of(function, prefix) for function in functions), key=lambda route: route.rank)
        self._timers, self._settings, self._keys = timers, settings, keys
        self._invoker = invoker
        self._began = time.monotonic()

    def application(self) -> web.Application:
        """The web application: the functions, and `/admin/host/status`, `/admin/functions/{name}`."""
        application = web.Application(client_max_size=BODY_LIMIT)
        application.router.add_get("/admin/host/status", self._status)
        application.router.add_post("/admin/functions/{name}", self._run_timer)
        application.router.add_route("*", "/{path:.*}", self._call)
        return application

    async def _status(self, _request: web.Request) -> web.Response:
        uptime = int((time.monotonic() - self._began) * 1000)
        return web.json_response({"id": self._settings.host_id, "state": "Running", "processUptime": uptime})

    async def _run_timer(self, request: web.Request) -> web.Response:
        """Run a timer now (202), as the real admin API does."""
        name = request.match_info["name"]
        if self._keys is not None and not self._keys.allow(request, name, "ADMIN"):
            return web.Response(status=401)
        if name not in self._timers:
            return web.Response(status=404)
        asyncio.get_running_loop().run_in_executor(None, self._timers[name])
        return web.Response(status=202)

    async def _call(self, request: web.Request) -> web.Response:
        found = find(self._routes, request.method, request.rel_url.raw_path)
        if found is None:
            return web.Response(status=404)
        function, parameters = found
        level = function.trigger.get("authLevel", "FUNCTION")
        if self._keys is not None and not self._keys.allow(request, function.name, level):
            return web.Response(status=401)
        value = await _request(request, parameters)
        try:
            return await self._invoker.invoke_async(
                function, value, _answer, subject=f"{request.method} {request.path}"
            )
        except Exception:  # noqa: BLE001 - the invocation has logged it; the caller learns no more than in Azure
            return web.Response(status=500)


def _answer(function: LoadedFunction, values: Mapping[str, Any]) -> web.Response:
    name = next((name for name, binding in function.outputs.items() if binding["type"] == "http"), RETURN)
    return _response(values.get(name))


async def _request(request: web.Request, parameters: Mapping[str, str]) -> func.HttpRequest:
    body = await request.read()
    try:
        content = Datum(body.decode(), "string")
    except UnicodeDecodeError:
        content = Datum(body, "bytes")
    facts = {
        "method": Datum(request.method, "string"),
        "url": Datum(str(request.url), "string"),
        "headers": {name.lower(): Datum(value, "string") for name, value in request.headers.items()},
        "query": {name: Datum(value, "string") for name, value in request.query.items()},
        "params": {name: Datum(value, "string") for name, value in parameters.items()},
        "body": content,
    }
    value: func.HttpRequest = decode("httpTrigger", Datum(facts, "http"))
    return value


def _response(returned: Any) -> web.Response:
    """None is 204, a text is 200, a HttpResponse is itself."""
    if returned is None:
        return web.Response(status=204)
    datum = encode("http", returned)
    if datum.type == "string":
        return web.Response(text=datum.value)
    headers = CIMultiDict((name, value.value) for name, value in datum.value["headers"].items())
    for cookie in datum.value["cookies"] or ():
        for morsel in cookie.values():
            headers.add("Set-Cookie", morsel.OutputString())
    return web.Response(status=int(datum.value["status_code"].value), headers=headers, body=datum.value["body"].value)
