"""The HTTP API of the Functions app (C6), as a command calls it."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import SplitResult, urlsplit

import urllib3

from artifact.documents import parse
from artifact.errors import Code, ConfigurationError, ContentError, DeliveryError, TransientError
from publisher.adapters.connections import open_pool, reason_of
from publisher.loopback import is_loopback
from publisher.operations import STATES

TIMEOUT = urllib3.Timeout(connect=10, read=60)
RETRIES = urllib3.Retry(total=0, redirect=0, raise_on_status=False)
ANSWER_LIMIT = 1024 * 1024


class App:
    """An app at `url`, which is without `/api`. `key` is a function key, sent in `x-functions-key`.

    Raises ConfigurationError for what is no URL of an app, or cannot stand in a header.
    """

    def __init__(self, url: str, key: str, actor: str) -> None:
        if not _is_of_an_app(url):
            raise ConfigurationError("not an https URL", where="app", expected="https://APP.azurewebsites.net")
        for option, value in (("--function-key", key), ("--actor", actor)):
            if re.fullmatch("[!-~]([ -~]*[!-~])?", value) is None:
                raise ConfigurationError("not printable ASCII, which a header takes", rule="C6", where=option)
        self._base = url.rstrip("/") + "/api/"
        self._headers = {"x-functions-key": key, "X-Actor": actor, "Content-Type": "application/json"}
        self._pool = open_pool(url, maxsize=1, retries=RETRIES, timeout=TIMEOUT)

    def purge(self, request: dict[str, Any]) -> dict[str, Any]:
        """Ask for a purge: `{"operation", "state"}`. Raises the error that the app answers."""
        return self._operation("POST", "purge", request)

    def operation(self, name: str) -> dict[str, Any]:
        """The state of a purge."""
        return self._operation("GET", f"purge/{name}", None)

    def _operation(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        found = self._call(method, path, body)
        name, state = found.get("operation"), found.get("state")
        if not isinstance(name, str) or re.fullmatch("[0-9a-f]{32}", name) is None or state not in STATES:
            raise TransientError(Code.TRANSPORT_FAILED, "C6", "not the answer of an app", where=self._base + path)
        return found

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
            document = parse(answer.data, limit=ANSWER_LIMIT, where=url)
        except ContentError:
            document = {}
        if answer.status not in {200, 202}:
            raise _problem(answer.status, document, url)
        return document


def _is_of_an_app(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port  # which is looked at only now
        urllib3.util.parse_url(url)
    except (ValueError, urllib3.exceptions.HTTPError):
        return False
    host = parts.hostname or ""
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    return bool(host) and is_safe and not _has_more(parts)


def _has_more(parts: SplitResult) -> bool:
    """Than a place: such as a key, which would stand in messages."""
    return bool(parts.query or parts.fragment) or parts.username is not None or parts.password is not None


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
