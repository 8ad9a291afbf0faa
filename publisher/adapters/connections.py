"""Connections of our own requests: by the proxy and the private CA of the usual variables."""

from __future__ import annotations

import os
import ssl
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import urllib3


def open_pool(url: str, **settings: Any) -> urllib3.PoolManager:
    """A pool for requests to the host of `url`, which goes where the Azure libraries go too."""
    parts = urlsplit(url)
    context = None
    if parts.scheme == "https":
        context = ssl.create_default_context()
        bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
        if bundle:
            context.load_verify_locations(bundle)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        return urllib3.ProxyManager(proxy, ssl_context=context, **settings)
    return urllib3.PoolManager(ssl_context=context, **settings)


def reason_of(error: BaseException) -> str:
    """Why a request got no answer, in the operating system's own words: clients put whole URLs into theirs (T21)."""
    inner: BaseException | None = error
    for _ in range(10):
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
        inner = getattr(inner, "inner_exception", None) or (inner and (inner.__cause__ or inner.__context__))
    return type(error).__name__
