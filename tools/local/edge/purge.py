"""Taking purges: `PURGE /path` forgets one object, `PURGE /prefix/*` all below."""

from __future__ import annotations

import re

from aiohttp import web

from .memory import Memory

_PURGEABLE = re.compile(r"/([^?#*]*|[^?#*]*/\*|\*)")


class Purges:
    """The private side of the edge."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def application(self) -> web.Application:
        """The web application."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._purge)
        return application

    async def _purge(self, request: web.Request) -> web.Response:
        if request.method != "PURGE" or _PURGEABLE.fullmatch(request.raw_path) is None:
            return web.Response(status=400, text="expected PURGE /path or PURGE /prefix/*\n")
        self._memory.purge(request.raw_path)
        return web.Response(text="forgotten\n")
