"""L2: the documents of a feature behind a base URL: its release index, then its manifests, each verified."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from urllib.parse import quote

from artifact.documents import MANIFEST_LIMIT, RELEASES_LIMIT
from artifact.errors import Code, ContentError, DeliveryError
from artifact.manifest import VerifiedManifest, parse_manifest
from artifact.paths import MANIFEST
from artifact.releases import POINTER, Entry
from loader_cdn.accept import Judge
from loader_cdn.disk import Checker
from loader_cdn.origin import shown
from loader_cdn.state import ETag
from loader_cdn.transfer import NotModified, Response, Transfer
from loader_cdn.work import Work

_PLAIN = "/!$&'()*+,;=:@-._~"


async def read_index(work: Work, transfer: Transfer, judge: Judge) -> None:
    """Set the feature's `target`: what its source offers, where that is accepted. One request, and none where the
    remote index vouches for what stands (L14), or where the answer is there already.
    """
    with work.faults():
        if _is_pinned_to_disk(work):
            _stay(work, judge)
            return
        answer = work.answer
        if answer is None or (isinstance(answer, NotModified) and index_etag(work) is None):  # other bytes stand now
            answer = await _ask(work, transfer)
        if isinstance(answer, DeliveryError):
            raise answer
        if isinstance(answer, NotModified):
            _stay(work, judge)
        else:
            _accept(work, answer, judge)


async def _ask(work: Work, transfer: Transfer) -> Response | NotModified:
    """Who asks for a state before it is there makes an edge remember that it is not (T15). The pointer holds the same
    bytes, if it holds those that the remote index pins.
    """
    pinned = work.registration.pinned
    try:
        return await transfer.get(work.registration.index_url, limit=RELEASES_LIMIT, etag=index_etag(work))
    except DeliveryError as error:
        if pinned is None or error.code is not Code.NOT_FOUND:
            raise
        missing = error
    try:
        answer = await transfer.get(f"{work.registration.base_url}{POINTER}", limit=RELEASES_LIMIT)
    except DeliveryError:
        raise missing from None
    if isinstance(answer, Response) and _sha256(answer.data) == pinned.releases_sha256:
        return answer
    raise missing


async def read_manifests(work: Work, wanted: Iterable[Entry], transfer: Transfer, checker: Checker) -> None:
    """Fetch and verify the manifests of versions to bring, all at once, into `manifests`."""
    await transfer.tasks.together([_read_manifest(work, entry, transfer, checker) for entry in wanted])


async def _read_manifest(work: Work, entry: Entry, transfer: Transfer, checker: Checker) -> None:
    url = file_url(work, entry, MANIFEST)
    with work.faults():
        answer = await transfer.get(url, limit=MANIFEST_LIMIT)
        assert isinstance(answer, Response)
        work.manifests[entry.version] = checked_manifest(answer.data, url, work, entry, checker)


def checked_manifest(data: bytes, url: str, work: Work, entry: Entry, checker: Checker) -> VerifiedManifest:
    """The manifest that the release index lists, whatever its bytes came from. Raises ContentError."""
    where = shown(url)
    seen = _sha256(data)
    if seen != entry.manifest_sha256:
        # An HTML page with status 200, or a poisoned edge: its hash tells an operator which (T15, T16).
        raise ContentError(
            Code.INTEGRITY_MISMATCH,
            "R2",
            "not the manifest that the release index lists",
            where=where,
            expected=entry.manifest_sha256,
            seen=seen,
        )
    parsed = parse_manifest(data, where=where, limits=checker.limits)
    return checker.vouched(parsed, work.feature_id, entry)


def file_url(work: Work, entry: Entry, path: str) -> str:
    """Where a version's file is. Some characters that P3 allows must be escaped in a URL (RFC 3986, 3.3)."""
    return f"{work.registration.base_url}{entry.version}/{quote(path, safe=_PLAIN)}"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _is_pinned_to_disk(work: Work) -> bool:
    pinned, standing = work.registration.pinned, work.disk.releases
    return pinned is not None and standing is not None and pinned.releases_sha256 == standing.sha256


def index_etag(work: Work) -> str | None:
    """What a feature's source is asked by: the ETag of what stands, where that is what it belongs to."""
    standing = work.disk.releases
    return work.memory.etag_for(work.registration.index_url, None if standing is None else standing.sha256)


def _stay(work: Work, judge: Judge) -> None:
    """What stands is what the source offers still."""
    assert work.disk.releases is not None
    judge.unchanged(
        work.disk.releases,
        where=shown(work.registration.index_url),
        minimum=work.registration.min_sequence,
        pinned=work.registration.pinned,
    )
    work.target, work.etag = work.disk.releases, work.memory.etag


def _accept(work: Work, answer: Response, judge: Judge) -> None:
    registration = work.registration
    offered = judge.releases(
        answer.data,
        where=shown(answer.url),
        feature_id=work.feature_id,
        minimum=registration.min_sequence,
        pinned=registration.pinned,
        disk=work.disk,
        memory=work.memory,
    )
    standing = work.disk.releases
    is_same = standing is not None and standing.sha256 == offered.sha256  # a server without ETags says it all again
    work.target = standing if is_same else offered
    work.etag = None if answer.etag is None else ETag(answer.url, answer.etag)
