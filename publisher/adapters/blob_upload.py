"""Many objects into one container: concurrent, retried, in bounded memory, and what is there is not sent again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import partial
from threading import Event

from artifact.errors import Code, TransientError
from publisher.adapters.blob_requests import ABSENT, CONNECTIONS, BlobRequests, Body
from publisher.adapters.bodies import CHUNK, upload_chunks
from publisher.adapters.names import check_name
from publisher.adapters.parallel import create_in_parallel
from publisher.ports import Created, Upload

WHOLE = 2 * CHUNK
"""Up to this size an object is in memory while it is sent, above it is streamed (in no more memory)."""


class BulkUpload:
    """One call of `create_all`."""

    def __init__(self, requests: BlobRequests) -> None:
        self._requests = requests
        self._is_resumed = Event()

    def run(self, uploads: Iterable[Upload]) -> Iterator[tuple[Upload, Created]]:
        """`BulkStore.create_all`."""
        return create_in_parallel(uploads, self._create, CONNECTIONS)

    def _create(self, upload: Upload) -> Created:
        """A first object that is there means that an earlier upload did not end: from then on we look before we send.
        A large one is always looked for first.
        """
        check_name(upload.name)
        if self._is_resumed.is_set() or upload.size > WHOLE:
            found = self._compare(upload)
            if found is not None:
                return found
        if self._send(upload):
            return Created.NEW
        self._is_resumed.set()
        found = self._compare(upload)
        if found is None:
            raise TransientError(Code.CONFLICT, "W2", "it came and went", where=self._requests.where(upload.name))
        return found

    def _send(self, upload: Upload) -> bool:
        body: Body = partial(upload_chunks, upload)
        if upload.size <= WHOLE:
            data = b"".join(upload_chunks(upload))
            body = lambda: data  # noqa: E731 (one of two bodies)
        return self._requests.put(upload.name, body, upload.size, upload.settings, ABSENT).etag is not None

    def _compare(self, upload: Upload) -> Created | None:
        """What stands against what should; None where nothing stands."""
        found = self._requests.properties(upload.name)
        if found is None:
            return None
        if found.size != upload.size:
            return Created.OTHER
        md5 = found.md5 or _md5(self._requests.chunks(upload.name, found.size, found.etag))
        return Created.SAME if md5 == _md5(upload_chunks(upload)) else Created.OTHER


def _md5(chunks: Iterable[bytes]) -> bytes:
    """It tells damage and accidents apart from the same bytes; readers hold files against SHA-256."""
    digest = hashlib.md5(usedforsecurity=False)
    for chunk in chunks:
        digest.update(chunk)
    return digest.digest()
