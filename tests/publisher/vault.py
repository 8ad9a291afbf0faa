"""A Key Vault and the identity of an app, by their public REST contracts and under the name that a vault has.

A client reaches it by a proxy, as in a closed network; so the library asks for the real host, and checks its
certificate and its challenge.
"""

from __future__ import annotations

import itertools
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.loader_cdn.hostile import PrivateAuthority

NAMES = "*.vault.azure.net"
TOKEN = "token-of-the-app"
CHALLENGE = 'Bearer authorization="https://login.microsoftonline.com/00000000-0000-0000-0000-000000000001", resource='

_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Answer:
    """What is answered instead of a secret."""

    status: int
    code: str
    headers: dict[str, str] = field(default_factory=dict)


FORBIDDEN = Answer(403, "Forbidden")
BUSY = Answer(429, "Throttled", {"Retry-After": "1"})
BROKEN = Answer(500, "InternalServerError")


@dataclass
class Vault:
    """Secrets by name, the newest version last, and what is answered first. `asked` are the paths that had a token.

    `host` is of this vault alone: the library remembers the challenge of a host for as long as the process runs.
    """

    host: str
    ca_file: Path
    proxy: str
    secrets: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    instead: list[Answer] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    resource: str = "https://vault.azure.net"
    answering: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Event = field(default_factory=threading.Event)

    def put(self, name: str, value: str, **tags: str) -> str:
        """A new version of a secret; its id."""
        versions = self.secrets.setdefault(name, [])
        version = f"{len(versions) + 1:032x}"
        identity = f"{self.url(name)}/{version}"
        attributes = {"enabled": True, "created": 1795392000, "updated": 1795392000, "recoveryLevel": "Recoverable"}
        versions.append({"id": identity, "value": value, "attributes": attributes, "tags": tags})
        return identity

    def url(self, name: str) -> str:
        """What names a secret, in its newest version."""
        return f"https://{self.host}/secrets/{name}"

    def variables(self) -> dict[str, str]:
        """The environment of a process with a managed identity in this network."""
        return {
            "HTTPS_PROXY": self.proxy,
            "NO_PROXY": "127.0.0.1",
            "REQUESTS_CA_BUNDLE": str(self.ca_file),
            "IDENTITY_ENDPOINT": f"{self.proxy}/token",
            "IDENTITY_HEADER": "of-this-app",
        }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    vault: Vault
    context: ssl.SSLContext


class _Handler(BaseHTTPRequestHandler):
    """The proxy and the identity endpoint; inside a tunnel, the vault."""

    server: _Server
    protocol_version = "HTTP/1.1"
    in_tunnel = False

    def do_CONNECT(self) -> None:
        if self.path != f"{self.server.vault.host}:443":
            self._send(502, {"error": {"code": "NoSuchHost"}})
            return
        self.send_response(200)
        self.end_headers()
        self.connection = self.request = self.server.context.wrap_socket(self.connection, server_side=True)
        self.setup()
        self.in_tunnel, self.close_connection = True, False

    def do_GET(self) -> None:
        if self.in_tunnel:
            self._secret()
        else:
            self._token()

    def _token(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        if self.headers.get("X-IDENTITY-HEADER") != "of-this-app" or query["resource"] != ["https://vault.azure.net"]:
            self._send(400, {"error": "invalid_request"})
            return
        self._send(200, {"access_token": TOKEN, "expires_on": str(int(time.time()) + 3600), "token_type": "Bearer"})

    def _secret(self) -> None:
        vault, url = self.server.vault, urlsplit(self.path)
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            challenge = f'{CHALLENGE}"{vault.resource}"'
            self._send(401, {"error": {"code": "Unauthorized"}}, {"WWW-Authenticate": challenge})
            return
        assert "api-version" in parse_qs(url.query)
        vault.asked.append(url.path)
        vault.arrived.set()
        vault.answering.wait(10)
        if vault.instead:
            answer = vault.instead.pop(0)
            self._send(answer.status, {"error": {"code": answer.code, "message": "told so"}}, answer.headers)
            return
        found = self._find(*url.path.strip("/").split("/"))
        self._send(200 if found else 404, found or {"error": {"code": "SecretNotFound", "message": "no such secret"}})

    def _find(self, kind: str, name: str, version: str = "") -> dict[str, Any] | None:
        assert kind == "secrets"
        versions = self.server.vault.secrets.get(name, [])
        return next((one for one in reversed(versions) if one["id"].endswith(version)), None)

    def _send(self, status: int, document: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        return


@contextmanager
def running_vault(folder: Path) -> Iterator[Vault]:
    """A vault that answers while the block runs; clear `answering` and it keeps its callers waiting."""
    authority = PrivateAuthority(folder, (NAMES,))
    server = _Server(("127.0.0.1", 0), _Handler)
    server.context = authority.server_context()
    vault = server.vault = Vault(
        f"favn-{next(_NUMBERS)}.vault.azure.net", authority.ca_file, f"http://127.0.0.1:{server.server_port}"
    )
    vault.answering.set()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield vault
    finally:
        vault.answering.set()
        server.shutdown()
        server.server_close()
        thread.join()
