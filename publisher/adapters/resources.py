"""Which endpoint of Azure's CDNs a resource id names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

FRONT_DOOR, CLASSIC = "afdendpoints", "endpoints"
"""The types of resource, in lower case: ids are compared without regard to it."""

_ID = re.compile(
    r"/subscriptions/(?P<subscription>[0-9a-f-]{36})/resourceGroups/(?P<group>[\w.()-]{1,90})"
    r"/providers/Microsoft\.Cdn/profiles/(?P<profile>[\w-]{1,260})/(?P<kind>afdEndpoints|endpoints)/(?P<endpoint>[\w-]{1,50})",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Resource:
    """An endpoint at the Resource Manager `base_url`. `kind` is FRONT_DOOR or CLASSIC. `prefix` is where the container
    `artifacts` begins at the edge: empty, or `/` and a path.
    """

    base_url: str
    subscription: str
    group: str
    profile: str
    kind: str
    endpoint: str
    domains: tuple[str, ...] = ()
    prefix: str = ""

    @classmethod
    def parse(cls, base_url: str, resource_id: str, domains: tuple[str, ...], prefix: str) -> Resource | None:
        """From a resource id; None where it is that of no endpoint."""
        match = _ID.fullmatch(resource_id)
        if match is None:
            return None
        kind = match["kind"].lower()
        return cls(
            base_url, match["subscription"], match["group"], match["profile"], kind, match["endpoint"], domains, prefix
        )

    @property
    def is_https(self) -> bool:
        """Whether tokens travel encrypted, as they must but on loopback."""
        return self.base_url.startswith("https://")

    def at_edge(self, paths: Sequence[str]) -> list[str]:
        """Paths below `artifacts`, as readers ask for them."""
        return [self.prefix + path for path in paths]
