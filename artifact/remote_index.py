"""I: remote-index.json, the signed list of all features of an environment."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from artifact.documents import REMOTE_INDEX_LIMIT, parse
from artifact.errors import Code, ContentError
from artifact.fields import Fields, format_time
from artifact.keys import Signer
from artifact.paths import Limits
from artifact.releases import CHANNELS, UNCOUNTED, ReleaseIndex, VerifiedReleases
from artifact.signing import check_bound, check_signature, signed
from artifact.trust import Role, TrustStore
from artifact.versions import Version

POINTER = "remote-index.json"
KIND = "remote-index"

_ENTRY_MEMBERS = frozenset({
    "featureId", "baseUrl", "releasesUrl", "releasesSha256", "sequence", "activeVersion", "channels",
})  # fmt: skip
_WITHDRAWAL_MEMBERS = frozenset({"featureId", "at", "reason"})
_MEMBERS = frozenset({
    "schemaVersion", "kind", "sequence", "previousSha256", "generatedAt", "expiresAt", "features", "withdrawn",
    "signature",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class RemoteEntry:
    """One feature: the state of its release index that this remote index vouches for.

    `other_channels` and `rest` are members that we do not know.
    """

    feature_id: str
    releases_sha256: str
    sequence: int
    active: Version
    canary: Version | None = None
    other_channels: Mapping[str, Any] = field(default_factory=dict)
    rest: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, releases: VerifiedReleases) -> RemoteEntry:
        """The entry for a feature's release index."""
        index = releases.index
        return cls(index.feature_id, releases.sha256, index.sequence, index.active, index.canary)

    @property
    def base_url(self) -> str:
        """Relative to the remote index's own URL (I2)."""
        return f"{self.feature_id}/"

    @property
    def releases_url(self) -> str:
        """The immutable `releases.<sequence>.json`, relative to the remote index's own URL (I2)."""
        return f"{self.base_url}releases.{self.sequence}.json"

    def check_bytes(self, data: bytes, *, where: str) -> None:
        """I2: the bytes are those vouched for, whatever else they are. Raises ContentError `integrity_mismatch`."""
        seen = hashlib.sha256(data).hexdigest()
        if seen != self.releases_sha256:
            raise ContentError(
                Code.INTEGRITY_MISMATCH,
                "I2",
                "not the release index that the remote index names",
                where=where,
                expected=self.releases_sha256,
                seen=seen,
            )

    def check(self, releases: VerifiedReleases, *, where: str) -> None:
        """I2: the release index is the one vouched for. Raises `integrity_mismatch` or `schema_invalid`."""
        self.check_bytes(releases.data, where=where)
        index: ReleaseIndex = releases.index
        if (index.sequence, index.active) != (self.sequence, self.active):
            raise ContentError(
                Code.SCHEMA_INVALID,
                "I2",
                "the remote index says another state than the release index that it names",
                where=where,
                expected=f"sequence {self.sequence}, active {self.active}",
                seen=f"sequence {index.sequence}, active {index.active}",
            )


@dataclass(frozen=True, slots=True)
class FeatureWithdrawal:
    """A feature that left the environment by intent (I3)."""

    feature_id: str
    at: datetime
    reason: str
    rest: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RemoteIndex:
    """The content of a remote index; `entries` are unique and sorted by feature id."""

    sequence: int
    generated_at: datetime
    entries: tuple[RemoteEntry, ...]
    expires_at: datetime | None = None
    withdrawn: tuple[FeatureWithdrawal, ...] = ()
    previous_sha256: str | None = None
    rest: Mapping[str, Any] = field(default_factory=dict)

    def entry(self, feature_id: str) -> RemoteEntry | None:
        """The entry of a feature."""
        return next((entry for entry in self.entries if entry.feature_id == feature_id), None)

    def document(self) -> dict[str, Any]:
        """The document to sign; members without a value are left out."""
        document: dict[str, Any] = {
            **self.rest,
            "schemaVersion": 1,
            "kind": KIND,
            "sequence": self.sequence,
            "generatedAt": format_time(self.generated_at),
            "features": [_entry_document(entry) for entry in self.entries],
        }
        if self.withdrawn:
            document["withdrawn"] = [
                {**gone.rest, "featureId": gone.feature_id, "at": format_time(gone.at), "reason": gone.reason}
                for gone in self.withdrawn
            ]
        if self.expires_at is not None:
            document["expiresAt"] = format_time(self.expires_at)
        if self.previous_sha256 is not None:
            document["previousSha256"] = self.previous_sha256
        return document

    def signed(self, signer: Signer) -> bytes:
        """The canonical, signed bytes (F4, S1). Raises ContentError where a reader would refuse them (too long)."""
        data = signed(self.document(), signer)
        parse_remote_index(data, where=f"remote index, sequence {self.sequence}", limits=UNCOUNTED)
        return data


@dataclass(frozen=True, slots=True)
class ParsedRemoteIndex:
    """A remote index of the right form that nobody has vouched for yet."""

    index: RemoteIndex
    document: Mapping[str, Any]
    data: bytes
    where: str


@dataclass(frozen=True, slots=True)
class VerifiedRemoteIndex:
    """A remote index that a trusted index key signed. `sha256` is the lower-case hex of `data`."""

    index: RemoteIndex
    data: bytes
    sha256: str
    key_id: str


def parse_remote_index(data: bytes, *, where: str, limits: Limits) -> ParsedRemoteIndex:
    """I1, I2 over the bytes of a remote index. Raises ContentError."""
    document = parse(data, limit=REMOTE_INDEX_LIMIT, where=where)
    fields = Fields(document, where=where, rule="I1")
    fields.constant("schemaVersion", 1)
    fields.constant("kind", KIND)
    index = RemoteIndex(
        sequence=fields.integer("sequence", minimum=1),
        generated_at=fields.time("generatedAt"),
        entries=_entries(fields, limits),
        expires_at=fields.optional_time("expiresAt"),
        withdrawn=_withdrawn(fields),
        previous_sha256=fields.optional_hex_sha256("previousSha256"),
        rest=fields.rest(_MEMBERS),
    )
    if index.sequence == 1 and index.previous_sha256 is not None:
        raise fields.refuse("previousSha256", "sequence 1 has no state before it (R3)")
    return ParsedRemoteIndex(index, document, data, where)


def verify_remote_index(parsed: ParsedRemoteIndex, trust: TrustStore, *, at: datetime | None) -> VerifiedRemoteIndex:
    """The remote index, signed by a key with the role `index`; `at` as in `TrustStore.key_for`."""
    key_id = check_signature(parsed.document, trust, role=Role.INDEX, feature_id=None, at=at, where=parsed.where)
    return VerifiedRemoteIndex(parsed.index, parsed.data, hashlib.sha256(parsed.data).hexdigest(), key_id)


def bound_remote_index(parsed: ParsedRemoteIndex, *, sha256: str) -> VerifiedRemoteIndex:
    """A state of the history, by the hash that the verified state after it names (R3). Raises as `check_bound`."""
    seen = hashlib.sha256(parsed.data).hexdigest()
    key_id = check_bound(parsed.document, seen, sha256=sha256, where=parsed.where)
    return VerifiedRemoteIndex(parsed.index, parsed.data, seen, key_id)


def _entries(fields: Fields, limits: Limits) -> tuple[RemoteEntry, ...]:
    count = len(fields.array("features"))
    if count > limits.features:
        raise ContentError(
            Code.LIMIT_EXCEEDED,
            "P4",
            "too many features",
            where=fields.where,
            expected=f"at most {limits.features}",
            seen=count,
        )
    entries = tuple(_entry(item) for item in fields.objects("features"))
    for lower, higher in pairwise(entries):
        if not lower.feature_id < higher.feature_id:
            raise fields.refuse("features", "not unique and sorted by featureId", seen=higher.feature_id)
    return entries


def _entry(item: Fields) -> RemoteEntry:
    channels = item.object("channels")
    entry = RemoteEntry(
        feature_id=item.feature_id("featureId"),
        releases_sha256=item.hex_sha256("releasesSha256"),
        sequence=item.integer("sequence", minimum=1),
        active=item.version("activeVersion"),
        canary=channels.version("canary") if channels.has("canary") else None,
        other_channels=channels.rest(CHANNELS),
        rest=item.rest(_ENTRY_MEMBERS),
    )
    channels.constant("stable", entry.active.text)
    # I2: written out in full, but never free to point elsewhere
    item.constant("baseUrl", entry.base_url)
    item.constant("releasesUrl", entry.releases_url)
    return entry


def _withdrawn(fields: Fields) -> tuple[FeatureWithdrawal, ...]:
    if not fields.has("withdrawn"):
        return ()
    return tuple(
        FeatureWithdrawal(
            item.feature_id("featureId"), item.time("at"), item.any_text("reason"), item.rest(_WITHDRAWAL_MEMBERS)
        )
        for item in fields.objects("withdrawn")
    )


def _entry_document(entry: RemoteEntry) -> dict[str, Any]:
    stable = {**entry.other_channels, "stable": entry.active.text}
    return {
        **entry.rest,
        "featureId": entry.feature_id,
        "baseUrl": entry.base_url,
        "releasesUrl": entry.releases_url,
        "releasesSha256": entry.releases_sha256,
        "sequence": entry.sequence,
        "activeVersion": entry.active.text,
        "channels": stable if entry.canary is None else {**stable, "canary": entry.canary.text},
    }
