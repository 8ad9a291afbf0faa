"""L2: the documents of features behind base URLs: all release indexes at once, then all manifests, each verified."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar
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
from loader_cdn.transfer import Answer, DocumentRequest, NotModified, Response, Transfer
from loader_cdn.work import Work

T = TypeVar("T")

_PLAIN = "/!$&'()*+,;=:@-._~"


def read_indexes(works: Iterable[Work], transfer: Transfer, judge: Judge) -> None:
    """Set each feature's `target`: what its source offers, where that is accepted. One request a feature, and none
    where the remote index vouches for what stands (L14).
    """
    asked: list[tuple[DocumentRequest, Work]] = []
    for work in works:
        if _is_pinned_to_disk(work):
            _stay(work, judge)
        else:
            asked.append((index_request(work), work))
    missing: list[tuple[Work, DeliveryError]] = []
    for _, work, answer in _answers(transfer, asked):
        if isinstance(answer, DeliveryError):
            if answer.code is Code.NOT_FOUND and work.registration.pinned is not None:
                missing.append((work, answer))
            else:
                work.fail(answer)
        elif isinstance(answer, NotModified):
            _stay(work, judge)
        else:
            _accept(work, answer, judge)
    _read_pointers(missing, transfer, judge)


def _read_pointers(missing: Sequence[tuple[Work, DeliveryError]], transfer: Transfer, judge: Judge) -> None:
    """Who asks for a state before it is there makes an edge remember that it is not (T15). The pointer holds the same
    bytes, if it holds those that the remote index pins.
    """
    asked = [
        (DocumentRequest(f"{work.registration.base_url}{POINTER}", RELEASES_LIMIT), (work, error))
        for work, error in missing
    ]
    for _, (work, error), answer in _answers(transfer, asked):
        pinned = work.registration.pinned
        if pinned is not None and isinstance(answer, Response) and _sha256(answer.data) == pinned.releases_sha256:
            _accept(work, answer, judge)
        else:
            work.fail(error)


def read_manifests(wanted: Sequence[tuple[Work, Entry]], transfer: Transfer, checker: Checker) -> None:
    """Fetch and verify the manifests of versions to bring, into each feature's `manifests`."""
    asked = [
        (DocumentRequest(file_url(work, entry, MANIFEST), MANIFEST_LIMIT), (work, entry)) for work, entry in wanted
    ]
    for request, (work, entry), answer in _answers(transfer, asked):
        if isinstance(answer, DeliveryError):
            work.fail(answer)
        elif isinstance(answer, Response):
            try:
                work.manifests[entry.version] = checked_manifest(answer.data, request.url, work, entry, checker)
            except ContentError as error:
                work.fail(error)


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


def _answers(
    transfer: Transfer, asked: Sequence[tuple[DocumentRequest, T]]
) -> Iterator[tuple[DocumentRequest, T, Answer]]:
    """Each request with what it is for and its answer. Two features may ask for the same URL."""
    subjects = {id(request): subject for request, subject in asked}
    for request, answer in transfer.get_all([request for request, _ in asked]):
        yield request, subjects[id(request)], answer


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _is_pinned_to_disk(work: Work) -> bool:
    pinned, standing = work.registration.pinned, work.disk.releases
    return pinned is not None and standing is not None and pinned.releases_sha256 == standing.sha256


def index_request(work: Work) -> DocumentRequest:
    """How a feature's source is asked: by the ETag of what stands, where that is what it belongs to."""
    url = work.registration.index_url
    standing = work.disk.releases
    etag = work.memory.etag_for(url, None if standing is None else standing.sha256)
    return DocumentRequest(url, RELEASES_LIMIT, etag)


def _stay(work: Work, judge: Judge) -> None:
    """What stands is what the source offers still."""
    assert work.disk.releases is not None
    with work.faults():
        judge.unchanged(
            work.disk.releases,
            where=shown(work.registration.index_url),
            minimum=work.registration.min_sequence,
            pinned=work.registration.pinned,
        )
        work.target, work.etag = work.disk.releases, work.memory.etag


def _accept(work: Work, answer: Response, judge: Judge) -> None:
    registration = work.registration
    with work.faults():
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
