"""Settings become adapters: once, and not before the first trigger fires."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import cache
from threading import Lock
from urllib.parse import urlsplit

from publisher import logs
from publisher.cdn import parse_endpoints
from publisher.destinations import open_destination
from publisher.environment import Environment
from publisher.keyfiles import load_trust
from publisher.pipeline import Pipeline
from publisher.ports import BulkStore
from publisher.release_key import check_release_key
from publisher.settings import CHANGES, POISON, PURGES, Settings
from publisher.signers import signer_source

_once = Lock()


def now() -> datetime:
    """The clock of everything that runs for real."""
    return datetime.now(UTC)


def invocation(function: str, invocation_id: str, **facts: object) -> AbstractContextManager[None]:
    """One run of a function, as operators see it; the first one too."""
    from publisher import telemetry  # noqa: PLC0415 (commands have no use for it)

    with _once:
        _watch()
    return telemetry.invocation(function, invocation_id, **facts)


def pipeline() -> Pipeline:
    """The app's pipeline, with the release key of this moment for all that one run of a function signs.

    Raises ConfigurationError where a setting is missing or wrong, and TransientError where the key cannot be had.
    """
    with _once:
        _watch()
        of_now = _opened()
    return of_now()


@cache
def _watch() -> None:
    """Tell operators what happens, also where the other settings are wrong."""
    from publisher.adapters import azure_monitor  # noqa: PLC0415 (the app indexes without it)

    logs.install()
    azure_monitor.configure()


@cache
def _opened() -> Callable[[], Pipeline]:
    from publisher.adapters.http import HttpReader  # noqa: PLC0415
    from publisher.adapters.queue_account import QueueAccount  # noqa: PLC0415 (the app indexes without it)

    settings = Settings.of(os.environ)
    storage = open_destination(settings.storage)
    inbox = storage.of_account()
    queues = QueueAccount(settings.queues)
    changes, purges, poison = (queues.queue(name) for name in (CHANGES, PURGES, POISON))
    cdn = parse_endpoints(settings.purge_endpoints, where="FAVN_PURGE_ENDPOINTS")
    edges = {urlsplit(url).netloc: HttpReader(url) for url in settings.edge_urls}
    environment = _environment(settings, storage.artifacts)
    storage.ensure_containers()

    def of_now() -> Pipeline:
        return Pipeline(
            environment=environment(),
            incoming=inbox.incoming,
            receipts=inbox.receipts,
            quarantine=inbox.quarantine,
            state=inbox.state,
            changes=changes,
            purges=purges,
            poison=poison,
            leases=inbox.leases,
            cdn=cdn,
            edges=edges,
            retention=settings.retention,
        )

    return of_now


def _environment(settings: Settings, artifacts: BulkStore) -> Callable[[], Environment]:
    trust = load_trust(settings.trust_keys)
    signer = signer_source(
        settings.release_key,
        settings.release_key_id,
        accept=lambda key: check_release_key(key, trust),
        reread=settings.release_key_reread,
    )

    def of_now() -> Environment:
        return Environment(
            artifacts=artifacts,
            trust=trust,
            signer=signer(),
            clock=now,
            policy=settings.policy,
            takeover=settings.takeover,
            pointer_max_age=settings.pointer_max_age,
        )

    return of_now
