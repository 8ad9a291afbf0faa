"""`feature-loader` by a clock that is wrong, by as many seconds as a file says at that moment: for one that jumps.

libfaketime would reach further, but breaks the sleeping of Python from 3.11 on.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import loader_cdn.cli
import loader_cdn.http.metrics
import loader_cdn.http.status
import loader_cdn.watch


def main(offset: Path) -> None:
    """Run the command with what is left of the arguments."""

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Wrong:
            found = datetime.now(tz) + timedelta(seconds=float(offset.read_text("ascii") or 0))
            return cls.fromisoformat(found.isoformat())

    for module in (loader_cdn.cli, loader_cdn.watch, loader_cdn.http.metrics, loader_cdn.http.status):
        vars(module)["datetime"] = Wrong
    loader_cdn.cli.main()


if __name__ == "__main__":
    main(Path(sys.argv.pop(1)))
