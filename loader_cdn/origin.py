"""Which URLs the loader asks, and where a redirect may lead (L9, C3, T14).

A URL is judged by one strict pattern before libcurl sees it, so that two parsers cannot disagree about its host.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urljoin

from artifact.errors import Code, ConfigurationError, ContentError

_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?:[/?][!-~]*)?",
    re.IGNORECASE,
)
_FORBIDDEN = re.compile(r"[#\\]")
_AUTHORITY_WITH_USER = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*:)?//[^/?#]*@")
_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host (lower case) and port: what a redirect may not change."""

    scheme: str
    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether the host is 127.0.0.0/8, ::1 or `localhost`, as it is spelled: nothing is looked up."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False


def shown(url: str) -> str:
    """The URL as a message may show it: without credentials, query and fragment, which may be secret."""
    bare = re.split(r"[?#]", url, maxsplit=1)[0]
    return _AUTHORITY_WITH_USER.sub(lambda match: f"{match[1] or ''}//", bare)


def checked(url: str, *, allow_http: bool) -> Origin:
    """The origin of a URL that may be asked. ConfigurationError for any other (C3)."""
    if _AUTHORITY_WITH_USER.match(url):
        raise ConfigurationError("a URL with credentials in it is not asked", rule="C3", where=shown(url))
    origin = _parse(url)
    if origin is None:
        raise ConfigurationError("not an http(s) URL", rule="C3", where=shown(url))
    if origin.scheme == "http" and not (allow_http or origin.is_loopback):
        raise ConfigurationError(
            "plain http is for loopback only, unless it is allowed", rule="C3", where=shown(url), expected="https"
        )
    return origin


def redirected(url: str, location: str) -> str:
    """The absolute URL that `Location: location` of an answer from `url` leads to.

    ContentError `limit_exceeded` (L9) where it leaves the origin of `url` (scheme, host, port) or is no URL.
    """
    target = urljoin(url, location).split("#", 1)[0]
    origin = _parse(target)
    if origin is None or origin != _parse(url):
        raise ContentError(
            Code.LIMIT_EXCEEDED,
            "L9",
            "a redirect to another origin is not followed",
            where=shown(url),
            expected="the same scheme, host and port",
            seen=shown(target),
        )
    return target


def _parse(url: str) -> Origin | None:
    match = _URL.fullmatch(url)
    if match is None or _FORBIDDEN.search(url):
        return None
    scheme = match["scheme"].lower()
    port = int(match["port"]) if match["port"] else _DEFAULT_PORTS[scheme]
    return Origin(scheme, match["host"].lower(), port) if 0 < port < 65536 else None
