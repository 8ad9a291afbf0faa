"""The Kubernetes API, as one client of it: JSON in, JSON out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from tests.kubernetes.certificates import KeyPair

SECONDS = urllib3.Timeout(connect=5, read=30)


class ApiError(Exception):
    """The API server refused; `str()` is its status and what it said."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, and the JSON value of the body, or the text that is none."""

    status: int
    body: Any


class Api:
    """Speaks as whoever has `credentials`, a client certificate or a token; without any, as nobody."""

    def __init__(self, url: str, authority: Path, credentials: KeyPair | str | None = None) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {credentials}"} if isinstance(credentials, str) else {}
        pair = credentials if isinstance(credentials, KeyPair) else None
        self._pool = urllib3.PoolManager(
            ca_certs=str(authority),
            cert_file=str(pair.public) if pair else None,
            key_file=str(pair.private) if pair else None,
            timeout=SECONDS,
            retries=False,
        )

    def request(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """Ask, and take any answer. urllib3's HTTPError where there is none."""
        headers = {**self._headers, **(headers or {})}
        response = self._pool.request(method, self._url + path, json=body, headers=headers)
        try:
            return Answer(response.status, json.loads(response.data))
        except ValueError:
            return Answer(response.status, response.data.decode("utf-8", "replace"))

    def get(self, path: str) -> Any:
        """The value at a path. ApiError."""
        return self._done("GET", path)

    def create(self, path: str, body: Any) -> Any:
        """Put a new object into a collection; the object as it was stored. ApiError."""
        return self._done("POST", path, body)

    def patch(self, path: str, change: Any) -> Answer:
        """A JSON merge patch of an object. ApiError."""
        answer = self.request("PATCH", path, change, {"Content-Type": "application/merge-patch+json"})
        if answer.status != 200:
            raise ApiError(f"PATCH {path}: {answer.status}: {answer.body}")
        return answer

    def delete(self, path: str) -> None:
        """Remove an object. ApiError."""
        self._done("DELETE", path)

    def close(self) -> None:
        """Close its connections."""
        self._pool.clear()

    def _done(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.request(method, path, body)
        if not 200 <= answer.status < 300:
            raise ApiError(f"{method} {path}: {answer.status}: {answer.body}")
        return answer.body
