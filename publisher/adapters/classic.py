"""Purging Azure CDN from Microsoft (classic), which ends on 2027-09-30. Slow to import."""

from __future__ import annotations

from collections.abc import Sequence

from azure.core.polling import LROPoller
from azure.mgmt.cdn import CdnManagementClient
from azure.mgmt.cdn.models import PurgeParameters
from azure.mgmt.core.polling.arm_polling import ARMPolling

from publisher.adapters import arm
from publisher.adapters.resources import Resource
from publisher.ports import InFlight


class ClassicPurger:
    """A Purger of one endpoint of a classic profile. It knows no domains: all of them are purged."""

    def __init__(self, client: CdnManagementClient, resource: Resource) -> None:
        self._client, self._resource = client, resource

    def purge(self, paths: Sequence[str], token: str | None) -> InFlight | None:
        of = self._resource

        def begin(client: CdnManagementClient, polling: ARMPolling, token: str | None) -> LROPoller[None]:
            return client.endpoints.begin_purge_content(
                of.group, of.profile, of.endpoint, PurgeParameters(content_paths=of.at_edge(paths)),
                polling=polling, continuation_token=token, enforce_https=of.is_https,
            )  # fmt: skip

        return arm.purge(self._client, begin, token, enforce_https=of.is_https)
