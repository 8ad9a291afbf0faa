"""Purging Varnish, or whatever else takes the method PURGE: one request a path, `/prefix/*` for all below it."""

from __future__ import annotations

from collections.abc import Sequence

import urllib3

from publisher.adapters.connections import open_pool, reason_of
from publisher.ports import InFlight, PurgeError

TIMEOUT = urllib3.Timeout(connect=5, read=30)
RETRIES = urllib3.Retry(total=0, redirect=0, raise_on_status=False)


class VarnishPurger:
    """A Purger for a cache that has forgotten when it answers 200: nothing is ever in flight."""

    def __init__(self, url: str, prefix: str = "") -> None:
        self._base = url.rstrip("/") + prefix
        self._pool = open_pool(url, maxsize=1, retries=RETRIES, timeout=TIMEOUT)

    def purge(self, paths: Sequence[str], token: str | None) -> InFlight | None:
        for path in paths:
            try:
                answer = self._pool.request("PURGE", self._base + path, redirect=False)
            except urllib3.exceptions.HTTPError as error:
                raise PurgeError("the cache does not answer", seen=reason_of(error)) from None
            if answer.status != 200:
                raise PurgeError("the cache refused a purge", seen=answer.status)
        return None
