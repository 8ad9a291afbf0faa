"""The HTTP side: requests, headers and tokens as Azure has them; and the log of all calls."""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from .operations import Purge, Purges, Refusal

TOKENS, RESULTS = "/msi/token", "/operationresults/"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
PROFILE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/local/providers/Microsoft.Cdn/profiles/local"
_PURGE = re.compile(
    r"/subscriptions/[0-9a-f-]{36}/resourcegroups/[^/]+/providers/microsoft\.cdn/profiles/[^/]+"
    r"/(?:afdendpoints|endpoints)/([^/]+)/purge"
)


class ResourceManager:
    """Runs from `with` to its end. `retry_after`: seconds that a caller is told to wait before it looks, or
    what else the header says. While it is
    `away`, connections end without an answer.

    Every call to purge is a line of JSON in `log`: `{"at", "endpoint", "paths", "status"}`.
    """

    def __init__(self, purges: Purges, *, log: Path | None = None, port: int = 0, retry_after: int | str = 1) -> None:
        self.purges = purges
        self.log, self.retry_after = log, retry_after
        self.away = False
        self.secret, self.token = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        self._writing = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.manager = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.purges.going.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def endpoint(self, name: str, kind: str = "afdEndpoints") -> str:
        """What names an endpoint to the app."""
        return f"{self.url}{PROFILE}/{kind}/{name}"

    def variables(self) -> dict[str, str]:
        """The environment of an app that has an identity here, and no other."""
        return {
            "IDENTITY_ENDPOINT": self.url + TOKENS,
            "IDENTITY_HEADER": self.secret,
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        }

    def record(self, endpoint: str, paths: Any, status: int) -> None:
        """Add to the log."""
        if self.log is None:
            return
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = json.dumps({"at": at, "endpoint": endpoint, "paths": paths, "status": status})
        with self._writing, self.log.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    manager: ResourceManager


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def parse_request(self) -> bool:
        if self.server.manager.away:
            self.close_connection = True
            return False
        return super().parse_request()

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == TOKENS:
            self._token()
        elif not self._is_authorized():
            self._refuse(Refusal(401, "AuthenticationFailed"))
        elif path.startswith(RESULTS):
            self._result(path.removeprefix(RESULTS))
        else:
            self._refuse(Refusal(404, "ResourceNotFound"))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        match = _PURGE.fullmatch(urlsplit(self.path).path.lower())
        if not self._is_authorized():
            self._refuse(Refusal(401, "AuthenticationFailed"))
        elif match is None or "api-version" not in parse_qs(urlsplit(self.path).query):
            self._refuse(Refusal(404, "ResourceNotFound"))
        else:
            self._purge(match[1], body)

    def _purge(self, endpoint: str, body: bytes) -> None:
        manager = self.server.manager
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        taken = manager.purges.begin(endpoint, document)
        paths = document.get("contentPaths") if isinstance(document, dict) else None
        manager.record(endpoint, paths, taken.status if isinstance(taken, Refusal) else 202)
        if isinstance(taken, Refusal):
            self._refuse(taken)
            return
        place = f"{manager.url}{RESULTS}{taken.operation}"
        self._send(
            202,
            None,
            {
                "Azure-AsyncOperation": f"{place}?api-version=2026-10-01",
                "Location": f"{place}/location?api-version=2026-10-01",
                "Retry-After": str(manager.retry_after),
            },
        )

    def _result(self, name: str) -> None:
        """The operation, or, at its `Location`, what came of it: nothing."""
        operation, _, part = name.partition("/")
        purge = self.server.manager.purges.look(operation)
        waiting = {"Retry-After": str(self.server.manager.retry_after)}
        match purge:
            case None:
                self._refuse(Refusal(404, "NotFound"))
            case Purge(status="InProgress"):
                self._send(202 if part else 200, None if part else purge.document(), waiting)
            case _:
                self._send(200, None if part else purge.document())

    def _token(self) -> None:
        """As App Service gives it to an app with a managed identity."""
        manager = self.server.manager
        resource = parse_qs(urlsplit(self.path).query).get("resource")
        if self.headers.get("X-IDENTITY-HEADER") != manager.secret or resource != [manager.url]:
            self._send(400, {"error": "invalid_request"})
            return
        expires = str(int(time.time()) + 3600)
        self._send(200, {"access_token": manager.token, "expires_on": expires, "token_type": "Bearer"})

    def _is_authorized(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {self.server.manager.token}"

    def _refuse(self, refusal: Refusal) -> None:
        error = {"error": {"code": refusal.code, "message": "told so"}}
        self._send(refusal.status, error, dict(refusal.headers))

    def _send(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        body = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        if body:
            self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        return
