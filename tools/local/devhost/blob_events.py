"""What Event Grid does in Azure: telling of every new blob, and of every blob that was overwritten, at least once."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.blob import BlobClient, ContainerClient

from . import storage
from .invocation import log

HOST_CONTAINER = "azure-webjobs-hosts"


@dataclass(frozen=True, slots=True)
class BlobPath:
    """A blob trigger's path, `container/pattern`, where `{name}` stands for anything, `/` included."""

    container: str
    pattern: re.Pattern[str]

    @classmethod
    def parse(cls, path: str) -> BlobPath:
        """`incoming/{name}` or `samples/{folder}/{file}.txt`; a path without a pattern means every blob."""
        container, _, rest = path.partition("/")
        literals = re.split(r"\{[^{}/]+\}", rest or "{name}")
        return cls(container, re.compile(".+".join(map(re.escape, literals))))


class BlobEvents:
    """Lists a container again and again and calls `deliver(name, etag)` for what it has not told yet.

    What was told is remembered in the host's own container, so a restart repeats at most the last look. `deliver`
    raises OSError or AzureError where the event could not be handed over: it is told again at the next look.
    """

    def __init__(
        self,
        container: ContainerClient,
        pattern: re.Pattern[str],
        memory: EventMemory,
        deliver: Callable[[str, str], None],
        poll: float,
    ) -> None:
        self._container = container
        self._pattern = pattern
        self._memory = memory
        self._deliver = deliver
        self._poll = poll
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End after the look that is under way."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        told: dict[str, str] | None = None
        wait = 0.0
        while not self._stopped.wait(wait):
            began = time.monotonic()
            try:
                told = self._look(self._memory.load() if told is None else told)
            except (AzureError, OSError) as error:
                log(container=self._container.container_name, outcome="storage failed", error=_first_line(error))
            wait = max(self._poll, 4 * (time.monotonic() - began))  # a long listing may not eat the processor

    def _look(self, told: dict[str, str]) -> dict[str, str]:
        there = _listing(self._container, self._pattern)
        kept = {name: etag for name, etag in told.items() if name in there}
        try:
            for name, etag in there.items():
                if kept.get(name) != etag:
                    self._deliver(name, etag)
                    kept[name] = etag
        finally:
            if kept != told:
                self._memory.save(kept)
        return kept


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _listing(container: ContainerClient, pattern: re.Pattern[str]) -> dict[str, str]:
    """ETags by name; a missing container is an empty one."""
    try:
        return {blob.name: blob.etag for blob in container.list_blobs() if pattern.fullmatch(blob.name)}
    except ResourceNotFoundError:
        return {}


class EventMemory:
    """What has been told, as one blob `name` of the host's own container."""

    def __init__(self, container: ContainerClient, name: str) -> None:
        self._container = container
        self._blob: BlobClient = container.get_blob_client(name)

    def load(self) -> dict[str, str]:
        """ETags by name; nothing where nothing has been saved."""
        try:
            told: dict[str, str] = json.loads(self._blob.download_blob().readall())
        except ResourceNotFoundError:
            return {}
        return told

    def save(self, told: dict[str, str]) -> None:
        """Replace what was saved."""
        data = json.dumps(told).encode()
        try:
            self._blob.upload_blob(data, overwrite=True)
        except ResourceNotFoundError:
            storage.ensure(self._container)
            self._blob.upload_blob(data, overwrite=True)
