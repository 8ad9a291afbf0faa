"""Purging without Azure: no CDN at all, and an edge that takes `POST {"paths": [...]}`."""

from __future__ import annotations

from collections.abc import Sequence

import urllib3

from artifact.errors import Code, TransientError

TIMEOUT = urllib3.Timeout(connect=5, read=30)


class NoCdn:
    """The Purger of an environment without a CDN: there is nothing to forget."""

    def purge(self, paths: Sequence[str]) -> None:
        return


class EdgePurger:
    """A Purger for a proxy that is told by one request."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool = urllib3.PoolManager(retries=False, timeout=TIMEOUT)

    def purge(self, paths: Sequence[str]) -> None:
        try:
            answer = self._pool.request("POST", self._url, json={"paths": list(paths)})
        except urllib3.exceptions.HTTPError as error:
            raise _failed("the CDN does not answer", type(error).__name__) from None
        if answer.status != 200:
            raise _failed("the CDN refused a purge", answer.status)


def _failed(what: str, seen: object) -> TransientError:
    return TransientError(Code.TRANSPORT_FAILED, "W4", what, where="purge", seen=seen)
