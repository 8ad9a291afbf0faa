"""S5: the trust store of a loader that goes on running."""

from __future__ import annotations

import logging
from pathlib import Path

from artifact.errors import DeliveryError
from artifact.trust import TrustStore
from loader_cdn.settings import load_trust

log = logging.getLogger(__name__)


class Trust:
    """Read again at every pass. One that cannot be read or is empty is an error at start (raises ConfigurationError);
    later the last good one stays.
    """

    def __init__(self, value: str) -> None:
        self._value = value
        self._seen = self._state()
        self.store: TrustStore = load_trust(value)

    def read(self) -> TrustStore:
        """The store of now."""
        self._seen = self._state()
        try:
            self.store = load_trust(self._value)
        except DeliveryError as error:
            log.error("the trust store of before stays in force: %s", error)
        return self.store

    def has_changed(self) -> bool:
        """Whether it is another file than was read last, or was written since."""
        return self._state() != self._seen

    def _state(self) -> tuple[int, int, int] | None:
        try:
            status = Path(self._value).stat()
        except (OSError, ValueError):  # it is JSON, or gone
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns
