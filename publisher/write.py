"""W2, W3: a claimed version's files go into storage; what is there and right is not sent again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from artifact.bundle import CHUNK
from artifact.errors import Code, TransientError
from publisher.claim import check_claim, prefix_of
from publisher.content_types import immutable
from publisher.environment import Environment
from publisher.ports import Created, ObjectInfo, Upload
from publisher.sources import SourceFile, VerifiedVersion

Progress = Callable[[int, int], None]
"""Called with (bytes now in storage, bytes of the version)."""


def write(env: Environment, version: VerifiedVersion, progress: Progress, *, is_new: bool) -> int:
    """Create every file of a claimed version that is not there. Returns the bytes that were sent.

    `is_new`: nothing can be there yet. Raises TransientError `conflict` where other bytes stand in a file's place.
    """
    began = env.clock()
    prefix = prefix_of(version.manifest)
    there = {} if is_new else {info.name: info for info in env.artifacts.list(prefix)}
    missing = [file for file in version.files if not _is_there(file, there.get(prefix + file.entry.path))]
    total = version.total_bytes
    done = total - sum(file.size for file in missing)
    sent = 0
    progress(done, total)
    # The largest first, so that none is left to go alone at the end.
    uploads = [_upload(prefix, file) for file in sorted(missing, key=lambda file: -file.size)]
    for upload, created in env.artifacts.create_all(uploads):
        if created is Created.OTHER:
            raise _conflict(upload.name)
        sent += upload.size if created is Created.NEW else 0
        done += upload.size
        progress(done, total)
    if env.clock() - began >= env.takeover:
        check_claim(env, version.manifest)
    return sent


def _upload(prefix: str, file: SourceFile) -> Upload:
    name = prefix + file.entry.path
    return Upload(name, file.size, file.open, immutable(name))


def _is_there(file: SourceFile, info: ObjectInfo | None) -> bool:
    if info is None or info.md5 is None:
        return False  # creating it will compare
    if info.size != file.size or info.md5 != _md5(file):
        raise _conflict(info.name)
    return True


def _md5(file: SourceFile) -> bytes:
    """What the storage knows of its objects. It tells damage, not intent: readers hold files against SHA-256."""
    digest = hashlib.md5(usedforsecurity=False)
    with file.open() as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.digest()


def _conflict(name: str) -> TransientError:
    return TransientError(Code.CONFLICT, "B3", "other bytes stand in this file's place", where=name)
