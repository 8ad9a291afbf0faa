"""I: the remote index: fetched if it changed, verified, and kept beside the features, so that an unchanged one costs
one request (L14) and an unreachable one leaves the list of features as it was (L8).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from artifact.documents import REMOTE_INDEX_LIMIT
from artifact.errors import ContentError, DeliveryError
from artifact.freshness import State, check_sequence, is_expired
from artifact.remote_index import VerifiedRemoteIndex, parse_remote_index, verify_remote_index
from loader_cdn.accept import Judge
from loader_cdn.disk import read
from loader_cdn.durable import disk_error, write_atomic
from loader_cdn.layout import Layout
from loader_cdn.origin import shown
from loader_cdn.state import Accepted, ETag, IndexMemory
from loader_cdn.transfer import NotModified, Transfer

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Remote:
    """The remote index accepted last, this time or before, and what went wrong this time."""

    index: VerifiedRemoteIndex | None = None
    error: DeliveryError | None = None


async def read_remote_index(
    url: str,
    layout: Layout,
    memory: IndexMemory,
    judge: Judge,
    transfer: Transfer,
    *,
    held: VerifiedRemoteIndex | None = None,
) -> Remote:
    """Ask for the remote index, and remember it if it is accepted. Raises nothing that is the source's fault.

    `held` is the one accepted last, where this process verified it with today's trust store.
    """
    stored = held
    try:
        if stored is None:
            stored = _stored(layout, memory, judge)
        answer = await transfer.get(
            url, limit=REMOTE_INDEX_LIMIT, etag=memory.etag_for(url, None if stored is None else stored.sha256)
        )
        if isinstance(answer, NotModified):
            return Remote(_told(stored, judge))
        accepted = judge.remote_index(answer.data, where=shown(url), memory=memory, stored=stored)
        _remember(accepted, stored, url, answer.etag, layout, memory, judge)
    except DeliveryError as error:
        return Remote(stored, error)
    except OSError as error:
        return Remote(stored, disk_error(error, layout.remote_index))
    return Remote(_told(accepted, judge))


def _stored(layout: Layout, memory: IndexMemory, judge: Judge) -> VerifiedRemoteIndex | None:
    """The one accepted before, if it is there, still trusted, and not older than remembered."""
    where = str(layout.remote_index)
    try:
        data = read(layout.remote_index, REMOTE_INDEX_LIMIT)
        if data is None:
            return None
        stored = verify_remote_index(parse_remote_index(data, where=where, limits=judge.limits), judge.trust, at=None)
        last = None if memory.accepted is None else memory.accepted.state
        check_sequence(State(stored.index.sequence, stored.sha256), None, last=last, minimum=0, where=where)
    except ContentError as error:
        log.error("the remote index accepted before is of no use any more: %s", error)
        return None
    return stored


def _remember(
    accepted: VerifiedRemoteIndex,
    stored: VerifiedRemoteIndex | None,
    url: str,
    etag: str | None,
    layout: Layout,
    memory: IndexMemory,
    judge: Judge,
) -> None:
    if stored is None or stored.sha256 != accepted.sha256:
        write_atomic(layout.remote_index, accepted.data)
    memory.accepted = Accepted.of(State(accepted.index.sequence, accepted.sha256), accepted.key_id, judge.trust)
    memory.etag = None if etag is None else ETag(url, etag)


def _told(remote: VerifiedRemoteIndex | None, judge: Judge) -> VerifiedRemoteIndex | None:
    """L13: one that was accepted and has expired since goes on being used, visibly."""
    if remote is not None and is_expired(remote.index.expires_at, judge.now):
        log.warning("the remote index has expired; it is used until there is a newer one")
    return remote
