"""The HTTP API of the Functions app (C6), as a command calls it."""

from __future__ import annotations

import json
from typing import Any

import urllib3

from artifact.errors import Code, ConfigurationError, ContentError, DeliveryError, TransientError
from publisher.adapters.connections import open_pool, reason_of
from publisher.loopback import is_loopback

TIMEOUT = urllib3.Timeout(connect=10, read=60)
RETRIES = urllib3.Retry(total=0, redirect=0, raise_on_status=False)


class App:
    """An app at `url`, which is without `/api`. `key` is a function key, sent in `x-functions-key`."""

    def __init__(self, url: str, key: str, actor: str) -> None:
        parts = urllib3.util.parse_url(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.host or "")):
            raise ConfigurationError("not an https URL", where="app", expected="https://APP.azurewebsites.net")
        self._base = url.rstrip("/") + "/api/"
        self._headers = {"x-functions-key": key, "X-Actor": actor, "Content-Type": "application/json"}
        self._pool = open_pool(url, maxsize=1, retries=RETRIES, timeout=TIMEOUT)

    def purge(self, request: dict[str, Any]) -> dict[str, Any]:
        """Ask for a purge: `{"operation", "state"}`. Raises the error that the app answers."""
        return self._call("POST", "purge", request)

    def operation(self, name: str) -> dict[str, Any]:
        """The state of a purge."""
        return self._call("GET", f"purge/{name}", None)

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        url = self._base + path
        data = None if body is None else json.dumps(body)
        try:
            answer = self._pool.request(method, url, body=data, headers=self._headers, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            raise TransientError(
                Code.TRANSPORT_FAILED, "C6", "the app does not answer", where=url, seen=reason_of(error)
            ) from None
        try:
            document = json.loads(answer.data) if answer.data else {}
        except ValueError:
            document = {}
        if not isinstance(document, dict) or answer.status not in {200, 202}:
            raise _problem(answer.status, document if isinstance(document, dict) else {}, url)
        return document


def _problem(status: int, document: dict[str, Any], url: str) -> DeliveryError:
    """A problem document (RFC 9457), as an error."""
    detail = str(document.get("detail") or "the app refused")
    rule = str(document.get("rule") or "C6")
    if status in {401, 403}:
        return TransientError(
            Code.UNAUTHORIZED, rule, "the app does not permit it", where=url, expected="a key of its power", seen=status
        )
    try:
        code = Code(str(document.get("code")))
    except ValueError:
        code = Code.TRANSPORT_FAILED
    refused = status in {400, 413, 415, 422}
    return ContentError(code, rule, detail, where=url) if refused else TransientError(code, rule, detail, where=url)
