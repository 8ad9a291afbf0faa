"""Verifying all that readers of an environment can see, with nothing but the trust store: what an auditor does."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from artifact.documents import MANIFEST_LIMIT, RELEASES_LIMIT, REMOTE_INDEX_LIMIT
from artifact.errors import Code, ContentError, DeliveryError, TransientError
from artifact.freshness import check_expiry
from artifact.manifest import FileEntry, Manifest, parse_manifest, verify_manifest
from artifact.paths import MANIFEST, Limits
from artifact.releases import Entry, VerifiedReleases, parse_releases, verify_releases
from artifact.remote_index import RemoteEntry, VerifiedRemoteIndex, parse_remote_index, verify_remote_index
from artifact.trust import TrustStore
from publisher.ports import Reader

WORKERS = 16


@dataclass(frozen=True, slots=True)
class Checked:
    """What was checked of a feature; `error` is the first thing that is wrong."""

    feature_id: str
    sequence: int | None
    active: str | None
    versions: int
    files: int
    error: DeliveryError | None


@dataclass(frozen=True, slots=True)
class Site:
    """A tree of artifacts, whoever serves it."""

    reader: Reader
    trust: TrustStore
    now: datetime
    limits: Limits

    def remote_index(self) -> VerifiedRemoteIndex | None:
        """The verified, fresh remote index; None where there is none."""
        found = self.reader.read("remote-index.json", limit=REMOTE_INDEX_LIMIT)
        if found is None:
            return None
        parsed = parse_remote_index(found.data, where="remote-index.json", limits=self.limits)
        index = verify_remote_index(parsed, self.trust, at=self.now)
        check_expiry(index.index.expires_at, self.now, where="remote-index.json")
        return index

    def check(self, index: VerifiedRemoteIndex) -> Iterator[Checked]:
        """Every feature of a remote index, by the release index that it vouches for."""
        for entry in index.index.entries:
            yield self._checked(entry.feature_id, partial(self._vouched, entry))

    def check_feature(self, feature_id: str, prefix: str) -> Checked:
        """One feature, by the release index `<prefix>releases.json`."""
        return self._checked(feature_id, partial(self._releases, feature_id, prefix + "releases.json"), prefix)

    def _checked(self, feature_id: str, read: partial[VerifiedReleases], prefix: str | None = None) -> Checked:
        base = f"{feature_id}/" if prefix is None else prefix
        try:
            releases = read()
        except DeliveryError as error:
            return Checked(feature_id, None, None, 0, 0, error)
        files = 0
        problem: DeliveryError | None = None
        for entry in releases.index.entries:
            try:
                files += self._check_version(feature_id, base, entry)
            except DeliveryError as error:
                problem = problem or error
        index = releases.index
        return Checked(feature_id, index.sequence, index.active.text, len(index.entries), files, problem)

    def _vouched(self, entry: RemoteEntry) -> VerifiedReleases:
        data = self._must(entry.releases_url, RELEASES_LIMIT)
        entry.check_bytes(data, where=entry.releases_url)
        releases = self._verified(entry.feature_id, entry.releases_url, data)
        entry.check(releases, where=entry.releases_url)
        return releases

    def _releases(self, feature_id: str, name: str) -> VerifiedReleases:
        return self._verified(feature_id, name, self._must(name, RELEASES_LIMIT))

    def _verified(self, feature_id: str, name: str, data: bytes) -> VerifiedReleases:
        parsed = parse_releases(data, where=name, limits=self.limits)
        releases = verify_releases(parsed, self.trust, feature_id=feature_id, at=self.now)
        check_expiry(releases.index.expires_at, self.now, where=name)
        return releases

    def _check_version(self, feature_id: str, base: str, entry: Entry) -> int:
        prefix = f"{base}{entry.version}/"
        name = prefix + MANIFEST
        data = self._must(name, MANIFEST_LIMIT)
        _check_hash(name, entry.manifest_sha256, data)
        parsed = parse_manifest(data, where=name, limits=self.limits)
        manifest = verify_manifest(
            parsed, self.trust, feature_id=feature_id, version=entry.version, at=entry.published_at or self.now
        ).manifest
        entry.check(manifest, where=name)
        return self._check_files(prefix, manifest)

    def _check_files(self, prefix: str, manifest: Manifest) -> int:
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="verify") as pool:
            for _ in pool.map(partial(self._check_file, prefix), manifest.files.values()):
                pass
        return len(manifest.files)

    def _check_file(self, prefix: str, file: FileEntry) -> None:
        limit = self.limits.file_bytes if file.size is None else file.size
        name = prefix + file.path
        _check_hash(name, file.sha256.hex(), self._must(name, limit))

    def _must(self, name: str, limit: int) -> bytes:
        found = self.reader.read(name, limit=limit)
        if found is None:
            raise TransientError(Code.NOT_FOUND, "W2", "not there", where=name)
        return found.data


def _check_hash(name: str, expected: str, data: bytes) -> None:
    seen = hashlib.sha256(data).hexdigest()
    if seen != expected:
        raise ContentError(
            Code.INTEGRITY_MISMATCH, "M2", "other bytes than were signed", where=name, expected=expected, seen=seen
        )
