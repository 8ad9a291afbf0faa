"""Settings become adapters: once, and not before the first trigger fires."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import cache

from publisher.destinations import open_destination
from publisher.environment import Environment
from publisher.ingest import Pipeline
from publisher.keyfiles import load_signer, load_trust
from publisher.settings import Settings


def now() -> datetime:
    """The clock of everything that runs for real."""
    return datetime.now(UTC)


@cache
def pipeline() -> Pipeline:
    """The app's pipeline. Raises ConfigurationError where a setting is missing or wrong."""
    settings = Settings.of(os.environ)
    storage = open_destination(settings.storage)
    environment = Environment(
        artifacts=storage.artifacts,
        trust=load_trust(settings.trust_keys),
        signer=load_signer(settings.release_key, settings.release_key_id),
        clock=now,
        policy=settings.policy,
        takeover=settings.takeover,
        pointer_max_age=settings.pointer_max_age,
    )
    return Pipeline(environment, storage.incoming, storage.receipts, storage.quarantine)
