"""R1-R4: releases.json, the signed list of a feature's versions and the active one."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from artifact.documents import RELEASES_LIMIT, parse
from artifact.errors import Code, ContentError
from artifact.fields import Fields, format_time
from artifact.keys import Signer
from artifact.manifest import Manifest
from artifact.paths import Limits
from artifact.signing import check_bound, check_signature, signed
from artifact.trust import Role, TrustStore
from artifact.versions import Version

POINTER = "releases.json"

_ENTRY_MEMBERS = frozenset({
    "version", "manifestSha256", "serverFunctionsSha256", "publishedAt", "bytes", "files", "gitSha", "buildUrl",
})  # fmt: skip
_WITHDRAWAL_MEMBERS = frozenset({"version", "manifestSha256", "at", "reason"})
_MEMBERS = frozenset({
    "schemaVersion", "featureId", "sequence", "activeVersion", "versions", "signature", "previousSha256",
    "channels", "withdrawn", "updatedAt", "expiresAt", "change", "removed",
})  # fmt: skip

CHANNELS = frozenset({"stable", "canary"})
UNCOUNTED = Limits(versions=sys.maxsize, features=sys.maxsize)
"""What a writer holds its own indexes against: their form; how many is the policy's."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One listed version. `bytes` and `files` are without manifest.json; `rest` are members that we do not know."""

    version: Version
    manifest_sha256: str
    server_functions_sha256: str | None = None
    published_at: datetime | None = None
    bytes: int | None = None
    files: int | None = None
    git_sha: str | None = None
    build_url: str | None = None
    rest: Mapping[str, Any] = field(default_factory=dict)

    def check(self, manifest: Manifest, *, where: str) -> None:
        """R1: `serverFunctionsSha256` stands exactly where the manifest has a module, and is that file's hash."""
        if self.server_functions_sha256 != manifest.server_functions_sha256:
            raise ContentError(
                Code.MANIFEST_MISMATCH,
                "R1",
                "serverFunctionsSha256 is not that of the manifest's module",
                where=where,
                expected=manifest.server_functions_sha256,
                seen=self.server_functions_sha256,
            )


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A version that may never be served again."""

    version: Version
    manifest_sha256: str
    at: datetime
    reason: str
    rest: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """What made a sequence, who asked for it, and why."""

    action: str
    version: str | None = None
    actor: str | None = None
    reason: str | None = None
    ticket: str | None = None


@dataclass(frozen=True, slots=True)
class Removal:
    """The feature left the remote index: what that says of it in its own `withdrawn`."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class ReleaseIndex:
    """The content of a release index. `entries` are unique and descending; `active` is one of them.

    `other_channels` and `rest` are members that we do not know.
    """

    feature_id: str
    sequence: int
    active: Version
    entries: tuple[Entry, ...]
    canary: Version | None = None
    withdrawn: tuple[Withdrawal, ...] = ()
    previous_sha256: str | None = None
    updated_at: datetime | None = None
    expires_at: datetime | None = None
    change: Change | None = None
    removed: Removal | None = None
    other_channels: Mapping[str, Any] = field(default_factory=dict)
    rest: Mapping[str, Any] = field(default_factory=dict)

    def entry(self, version: Version) -> Entry | None:
        """The entry of a listed version."""
        return next((entry for entry in self.entries if entry.version == version), None)

    def withdrawal(self, version: Version) -> Withdrawal | None:
        """The withdrawal of a version, if it was withdrawn."""
        return next((gone for gone in self.withdrawn if gone.version == version), None)

    @property
    def channels(self) -> dict[str, str]:
        """R3: `{"stable": v, "canary": v}`, the canary only where there is one."""
        stable = {"stable": self.active.text}
        return stable if self.canary is None else {**stable, "canary": self.canary.text}

    def document(self) -> dict[str, Any]:
        """The document to sign; members without a value are left out."""
        ours = _without_none(
            {
                "schemaVersion": 1,
                "featureId": self.feature_id,
                "sequence": self.sequence,
                "activeVersion": self.active.text,
                "versions": [_entry_document(entry) for entry in self.entries],
                "channels": {**self.other_channels, **self.channels},
                "withdrawn": [_withdrawal_document(gone) for gone in self.withdrawn],
                "previousSha256": self.previous_sha256,
                "updatedAt": _time(self.updated_at),
                "expiresAt": _time(self.expires_at),
                "change": None if self.change is None else _change_document(self.change),
                "removed": None if self.removed is None else _removal_document(self.removed),
            }
        )
        return {**self.rest, **ours}

    def signed(self, signer: Signer) -> bytes:
        """The canonical, signed bytes (F4, S1). Raises ContentError where a reader would refuse them (too long)."""
        data = signed(self.document(), signer)
        parse_releases(data, where=f"{self.feature_id} sequence {self.sequence}", limits=UNCOUNTED)
        return data


@dataclass(frozen=True, slots=True)
class ParsedReleases:
    """A release index of the right form that nobody has vouched for yet."""

    index: ReleaseIndex
    document: Mapping[str, Any]
    data: bytes
    where: str


@dataclass(frozen=True, slots=True)
class VerifiedReleases:
    """A release index that a trusted release key signed. `sha256` is the lower-case hex of `data`."""

    index: ReleaseIndex
    data: bytes
    sha256: str
    key_id: str


def parse_releases(data: bytes, *, where: str, limits: Limits) -> ParsedReleases:
    """R1 and, where present, R3 over the bytes of a release index. Raises ContentError."""
    document = parse(data, limit=RELEASES_LIMIT, where=where)
    fields = Fields(document, where=where, rule="R1")
    fields.constant("schemaVersion", 1)
    channels = fields.object("channels") if fields.has("channels") else None
    index = ReleaseIndex(
        feature_id=fields.feature_id("featureId"),
        sequence=fields.integer("sequence", minimum=1),
        active=fields.version("activeVersion"),
        entries=_entries(fields, limits),
        canary=channels.version("canary") if channels is not None and channels.has("canary") else None,
        withdrawn=_withdrawn(fields),
        previous_sha256=fields.optional_hex_sha256("previousSha256"),
        updated_at=fields.optional_time("updatedAt"),
        expires_at=fields.optional_time("expiresAt"),
        change=_change(fields),
        removed=_removed(fields),
        other_channels=channels.rest(CHANNELS) if channels is not None else {},
        rest=fields.rest(_MEMBERS),
    )
    if channels is not None:
        channels.constant("stable", index.active.text)
    _check_versions(index, fields)
    return ParsedReleases(index, document, data, where)


def verify_releases(
    parsed: ParsedReleases, trust: TrustStore, *, feature_id: str, at: datetime | None
) -> VerifiedReleases:
    """The release index of exactly this feature, signed by a key that may (S4); `at` as in `TrustStore.key_for`."""
    if parsed.index.feature_id != feature_id:
        raise ContentError(
            Code.FEATURE_MISMATCH,
            "S4",
            "a release index of another feature",
            where=parsed.where,
            expected=feature_id,
            seen=parsed.index.feature_id,
        )
    key_id = check_signature(
        parsed.document, trust, role=Role.RELEASES, feature_id=feature_id, at=at, where=parsed.where
    )
    return VerifiedReleases(parsed.index, parsed.data, hashlib.sha256(parsed.data).hexdigest(), key_id)


def bound_releases(parsed: ParsedReleases, *, sha256: str) -> VerifiedReleases:
    """A state of the history, by the hash that the verified state after it names (R3). Raises as `check_bound`."""
    seen = hashlib.sha256(parsed.data).hexdigest()
    key_id = check_bound(parsed.document, seen, sha256=sha256, where=parsed.where)
    return VerifiedReleases(parsed.index, parsed.data, seen, key_id)


def _entries(fields: Fields, limits: Limits) -> tuple[Entry, ...]:
    count = len(fields.array("versions", minimum=1))
    if count > limits.versions:
        raise ContentError(
            Code.LIMIT_EXCEEDED,
            "P4",
            "too many versions",
            where=fields.where,
            expected=f"at most {limits.versions}",
            seen=count,
        )
    return tuple(_entry(item) for item in fields.objects("versions"))


def _entry(item: Fields) -> Entry:
    return Entry(
        version=item.version("version"),
        manifest_sha256=item.hex_sha256("manifestSha256"),
        server_functions_sha256=item.optional_hex_sha256("serverFunctionsSha256"),
        published_at=item.optional_time("publishedAt"),
        bytes=item.optional_integer("bytes", minimum=0),
        files=item.optional_integer("files", minimum=0),
        git_sha=item.optional_text("gitSha"),
        build_url=item.optional_text("buildUrl"),
        rest=item.rest(_ENTRY_MEMBERS),
    )


def _withdrawn(fields: Fields) -> tuple[Withdrawal, ...]:
    if not fields.has("withdrawn"):
        return ()
    return tuple(
        Withdrawal(
            item.version("version"),
            item.hex_sha256("manifestSha256"),
            item.time("at"),
            item.any_text("reason"),
            item.rest(_WITHDRAWAL_MEMBERS),
        )
        for item in fields.objects("withdrawn")
    )


def _change(fields: Fields) -> Change | None:
    if not fields.has("change"):
        return None
    change = fields.object("change")
    return Change(
        change.text("action"),
        change.optional_text("version"),
        change.optional_text("actor"),
        change.optional_text("reason"),
        change.optional_text("ticket"),
    )


def _removed(fields: Fields) -> Removal | None:
    if not fields.has("removed"):
        return None
    removed = fields.object("removed")
    return Removal(removed.time("at"), removed.any_text("reason"))


def _check_versions(index: ReleaseIndex, fields: Fields) -> None:
    if index.sequence == 1 and index.previous_sha256 is not None:
        raise fields.refuse("previousSha256", "sequence 1 has no state before it (R3)")
    listed = [entry.version for entry in index.entries]
    for higher, lower in pairwise(listed):
        if not lower < higher:
            raise fields.refuse("versions", "not unique and descending", seen=f"{higher} before {lower}")
    if index.active not in listed:
        raise fields.refuse("activeVersion", "not a listed version", seen=index.active.text)
    if index.canary is not None and index.canary not in listed:
        raise fields.refuse("channels.canary", "not a listed version", seen=index.canary.text)
    for withdrawn in {gone.version for gone in index.withdrawn}.intersection(listed):
        raise fields.refuse("withdrawn", "a listed version is withdrawn", seen=withdrawn.text)


def _entry_document(entry: Entry) -> dict[str, Any]:
    ours = _without_none(
        {
            "version": entry.version.text,
            "manifestSha256": entry.manifest_sha256,
            "serverFunctionsSha256": entry.server_functions_sha256,
            "publishedAt": _time(entry.published_at),
            "bytes": entry.bytes,
            "files": entry.files,
            "gitSha": entry.git_sha,
            "buildUrl": entry.build_url,
        }
    )
    return {**entry.rest, **ours}


def _withdrawal_document(gone: Withdrawal) -> dict[str, Any]:
    return {
        **gone.rest,
        "version": gone.version.text,
        "manifestSha256": gone.manifest_sha256,
        "at": format_time(gone.at),
        "reason": gone.reason,
    }


def _change_document(change: Change) -> dict[str, Any]:
    return _without_none(
        {
            "action": change.action,
            "version": change.version,
            "actor": change.actor,
            "reason": change.reason,
            "ticket": change.ticket,
        }
    )


def _removal_document(removed: Removal) -> dict[str, Any]:
    return {"at": format_time(removed.at), "reason": removed.reason}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)


def _without_none(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
