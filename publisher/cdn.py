"""What people write becomes endpoints of a CDN."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, urlsplit

from artifact.errors import ConfigurationError
from publisher.adapters.resources import CLASSIC, FRONT_DOOR, Resource
from publisher.loopback import is_loopback
from publisher.ports import CdnEndpoint, InFlight, PurgeError, Purger
from publisher.purgeable import PATHS_A_CALL

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

RESOURCE_MANAGER = "https://management.azure.com"
EXPECTED = (
    "the resource id of a Front Door endpoint (/subscriptions/…/profiles/…/afdEndpoints/…) or of a classic one "
    "(…/endpoints/…), or http(s)://HOST[:PORT] of a Varnish; "
    "as needed with ?domains=a.example.org,b.example.org and &prefix=/PATH"
)

_DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}", re.IGNORECASE)
_PREFIX = re.compile(r"(/[\w.~-]+)*", re.ASCII)


def parse_endpoints(text: str, *, where: str) -> tuple[CdnEndpoint, ...]:
    """Endpoints, separated by white space; nothing is asked of them yet. Raises ConfigurationError.

    - a resource id: Front Door or classic CDN, by the identity that runs this. For another cloud than the public one
      its Resource Manager's URL stands before it. `?domains=` limits a purge of Front Door to these domains.
    - `http(s)://HOST[:PORT]`: a cache that takes the method PURGE.

    `?prefix=/PATH` is where the container begins at the edge.
    """
    endpoints = tuple(_endpoint(item, where) for item in text.split())
    if len({endpoint.name for endpoint in endpoints}) < len(endpoints):
        raise ConfigurationError("an endpoint of the CDN is named twice", where=where)
    return endpoints


def _endpoint(text: str, where: str) -> CdnEndpoint:
    try:
        url = urlsplit(text)
        _ = url.port  # which is looked at only now
    except ValueError:
        raise _wrong("not a URL", where, text) from None
    if url.fragment or url.username is not None or url.password is not None:
        raise _wrong("an address with more than an endpoint", where, url.hostname or "")
    domains, prefix = _options(url, where)
    if url.path in {"", "/"} and url.scheme in {"http", "https"} and url.hostname and not domains:
        return CdnEndpoint(
            _name(url.netloc), _Lazily(lambda: _varnish(f"{url.scheme}://{url.netloc}", prefix)), PATHS_A_CALL
        )
    base_url = f"{url.scheme}://{url.netloc}" if url.scheme or url.netloc else RESOURCE_MANAGER
    resource = Resource.parse(base_url, url.path, domains, prefix)
    if resource is None or (resource.kind == CLASSIC and domains):
        raise _wrong("not an endpoint of a CDN", where, text)
    if url.scheme not in {"", "https"} and not (url.scheme == "http" and is_loopback(url.hostname or "")):
        raise _wrong("plain http is for loopback addresses", where, text)
    # One call takes 100 pairs of a domain and a path.
    most = PATHS_A_CALL // max(1, len(domains))
    return CdnEndpoint(_name(f"{resource.profile}.{resource.endpoint}"), _Lazily(lambda: _azure(resource)), most)


def _options(url: SplitResult, where: str) -> tuple[tuple[str, ...], str]:
    try:
        given = dict(parse_qsl(url.query, keep_blank_values=True, strict_parsing=bool(url.query)))
    except ValueError:
        raise _wrong("a bad query", where, url.query) from None
    domains = tuple(given.pop("domains").split(",")) if "domains" in given else ()
    prefix = given.pop("prefix", "")
    if given:
        raise _wrong("unknown", where, " ".join(sorted(given)))
    if len(domains) > PATHS_A_CALL or any(_DOMAIN.fullmatch(domain) is None for domain in domains):
        raise _wrong("not the names of domains", where, ",".join(domains))
    if _PREFIX.fullmatch(prefix) is None:
        raise _wrong("not a prefix", where, prefix)
    return domains, prefix


class _Lazily:
    """A Purger that is made at its first purge: the libraries of some are slow to import. Raises PurgeError alone."""

    def __init__(self, make: Callable[[], Purger]) -> None:
        self._make = cache(make)

    def purge(self, paths: Sequence[str], token: str | None) -> InFlight | None:
        try:
            return self._make().purge(paths, token)
        except PurgeError:
            raise
        except Exception as error:
            # A library stumbles over an answer, a token or a setting: the endpoint fails, and holds up no other.
            raise PurgeError("a purge failed in its library", seen=type(error).__name__, is_over=True) from error


def _varnish(url: str, prefix: str) -> Purger:
    from publisher.adapters.varnish import VarnishPurger  # noqa: PLC0415

    return VarnishPurger(url, prefix)


def _azure(resource: Resource) -> Purger:
    from publisher.adapters import arm  # noqa: PLC0415
    from publisher.adapters.classic import ClassicPurger  # noqa: PLC0415
    from publisher.adapters.frontdoor import FrontDoorPurger  # noqa: PLC0415

    client = arm.open_client(resource.base_url, resource.subscription, _credential())
    return FrontDoorPurger(client, resource) if resource.kind == FRONT_DOOR else ClassicPurger(client, resource)


@cache
def _credential() -> TokenCredential:
    """One for all endpoints: it keeps its tokens."""
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415

    return DefaultAzureCredential()


def _name(text: str) -> str:
    """That of the endpoint's record: what an object may be called."""
    return re.sub(r"[^a-z0-9.-]", "-", text.lower())


def _wrong(what: str, where: str, seen: str) -> ConfigurationError:
    return ConfigurationError(what, where=where, expected=EXPECTED, seen=seen)
