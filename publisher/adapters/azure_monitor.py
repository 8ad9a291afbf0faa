"""Application Insights, through the maintained distribution of OpenTelemetry. Slow to import: only where it is on."""

from __future__ import annotations

import logging
import os

from publisher.logs import OURS

SETTING = "APPLICATIONINSIGHTS_CONNECTION_STRING"

_QUIET = ("azure_sdk", "django", "fastapi", "flask", "psycopg2", "requests", "urllib", "urllib3")
"""A span for every storage request would be most of the bill, and URLs are none of its business (T21)."""

logger = logging.getLogger("favn.publisher.azure_monitor")


def configure() -> bool:
    """Collect and send, where the platform has given us a connection string; whether it has a good one."""
    if not os.environ.get(SETTING):
        return False
    try:
        _configure()
    except ValueError:
        logger.error("nothing is sent to operators: %s is no connection string of Application Insights", SETTING)
        return False
    return True


def _configure() -> None:
    from azure.monitor.opentelemetry import configure_azure_monitor  # noqa: PLC0415

    configure_azure_monitor(
        logger_name=OURS,
        instrumentation_options={name: {"enabled": False} for name in _QUIET},
        sampling_ratio=1.0,  # a function runs a few times a minute, and each failure counts
        enable_live_metrics=False,
        enable_performance_counters=False,
    )
