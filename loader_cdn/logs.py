"""C1: logs go to standard error: sentences on a terminal, JSON lines elsewhere."""

from __future__ import annotations

import io
import json
import logging
import sys
from datetime import UTC, datetime

REPORTED = {"reported": True}
"""`extra` of what also stands in the report: it is not said twice to somebody who sees both."""


def start() -> None:
    """Send the loader's own logs, from `info` on, to standard error; no character ends the run there."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s") if sys.stderr.isatty() else _JsonLines())
    if sys.stderr.isatty() and sys.stdout.isatty():
        handler.addFilter(lambda record: not hasattr(record, "reported"))
    logger = logging.getLogger("loader_cdn")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


class _JsonLines(logging.Formatter):
    """One JSON object a line: `time`, `level`, `message`."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        message = record.getMessage()
        if record.exc_info:
            message += "\n" + self.formatException(record.exc_info)
        return json.dumps({"time": moment, "level": record.levelname.lower(), "message": message})
