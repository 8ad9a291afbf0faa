"""Settings become adapters: once, and not before the first trigger fires."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import cache
from threading import Lock

from publisher import telemetry
from publisher.destinations import open_destination
from publisher.environment import Environment
from publisher.keyfiles import load_signer, load_trust
from publisher.pipeline import Pipeline
from publisher.ports import BulkStore, Purger
from publisher.settings import CHANGES, POISON, PURGES, Settings

_once = Lock()


def now() -> datetime:
    """The clock of everything that runs for real."""
    return datetime.now(UTC)


def pipeline() -> Pipeline:
    """The app's pipeline. Raises ConfigurationError where a setting is missing or wrong."""
    with _once:
        return _pipeline()


@cache
def _pipeline() -> Pipeline:
    # Imported here: the app indexes without them.
    from publisher.adapters import azure_monitor  # noqa: PLC0415
    from publisher.adapters.queue_account import QueueAccount  # noqa: PLC0415

    telemetry.install()
    azure_monitor.configure()
    settings = Settings.of(os.environ)
    storage = open_destination(settings.storage)
    inbox = storage.of_account()
    queues = QueueAccount(settings.queues)
    storage.ensure_containers()
    return Pipeline(
        environment=_environment(settings, storage.artifacts),
        incoming=inbox.incoming,
        receipts=inbox.receipts,
        quarantine=inbox.quarantine,
        state=inbox.state,
        changes=queues.queue(CHANGES),
        purges=queues.queue(PURGES),
        poison=queues.queue(POISON),
        leases=inbox.leases,
        purger=_purger(settings),
        retention=settings.retention,
    )


def _environment(settings: Settings, artifacts: BulkStore) -> Environment:
    return Environment(
        artifacts=artifacts,
        trust=load_trust(settings.trust_keys),
        signer=load_signer(settings.release_key, settings.release_key_id),
        clock=now,
        policy=settings.policy,
        takeover=settings.takeover,
        pointer_max_age=settings.pointer_max_age,
    )


def _purger(settings: Settings) -> Purger:
    from publisher.adapters.purge import EdgePurger, NoCdn  # noqa: PLC0415

    return NoCdn() if settings.purge_url is None else EdgePurger(settings.purge_url)
