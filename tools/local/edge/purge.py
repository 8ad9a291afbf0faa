"""Taking purges, and the log of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from .cache import Cache

MOST_PATHS = 100
"""What Front Door takes in one call."""


class Purges:
    """The private side of the edge: `POST /purge {"paths": ["/a.json", "/feature-a/1.0.0/*"]}`.

    Every call is one line of JSON in `log`: `{"at", "paths", "status", "purged"}`, refused ones too.
    """

    def __init__(self, cache: Cache, log: Path | None) -> None:
        self._cache = cache
        self._log = log

    def application(self) -> web.Application:
        """The web application."""
        application = web.Application()
        application.router.add_post("/purge", self._purge)
        return application

    async def _purge(self, request: web.Request) -> web.Response:
        paths = _paths(await request.read())
        purged = sum(map(self._cache.purge, paths or ()))
        status = 400 if paths is None else 200
        self._record({"paths": paths, "status": status, "purged": purged})
        if paths is None:
            problem = f'expected {{"paths": [...]}}: one to {MOST_PATHS} texts that begin with "/"'
            return web.json_response({"error": problem}, status=status)
        return web.json_response({"purged": purged}, status=status)

    def _record(self, facts: dict[str, Any]) -> None:
        if self._log is None:
            return
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        with self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"at": at, **facts}) + "\n")


def _paths(body: bytes) -> list[str] | None:
    """The paths of a good call, else None."""
    try:
        document = json.loads(body)
    except ValueError:
        return None
    paths = document.get("paths") if isinstance(document, dict) else None
    if not isinstance(paths, list) or not 1 <= len(paths) <= MOST_PATHS:
        return None
    return paths if all(isinstance(path, str) and path.startswith("/") for path in paths) else None
