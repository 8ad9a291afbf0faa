"""The example feature of docs/FORMAT.md, made from the keys, files and drafts that the document itself shows."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from artifact import actions
from artifact.bundle import write_tar
from artifact.fields import parse_time
from artifact.keys import KeySigner, PrivateKey
from artifact.manifest import VerifiedManifest, integrity_of, parse_manifest, verify_manifest
from artifact.paths import Limits
from artifact.releases import Change, ReleaseIndex, VerifiedReleases, parse_releases, verify_releases
from artifact.remote_index import (
    FeatureWithdrawal,
    RemoteEntry,
    RemoteIndex,
    VerifiedRemoteIndex,
    parse_remote_index,
    verify_remote_index,
)
from artifact.signing import signed
from artifact.tar import END, encode_member
from artifact.trust import TrustStore
from artifact.versions import Version

TEXT = (Path(__file__).parent.parent / "docs" / "FORMAT.md").read_text("utf-8")
EXAMPLES = dict(re.findall(r"^<!-- example: (\S+) -->\n```\w*\n(.*?)\n```$", TEXT, re.MULTILINE | re.DOTALL))

FEATURE = "feature-patientlist"
LIMITS = Limits()
POLICY = actions.Policy()
REMOTE_URL = "https://cdn.example/prod/remote-index.json"


@cache
def key(key_id: str) -> PrivateKey:
    seeds = {name: seed for name, seed, _ in (line.split() for line in EXAMPLES["keys"].splitlines())}
    return PrivateKey.parse(seeds[key_id], where="FORMAT.md")


@cache
def trust() -> TrustStore:
    return TrustStore.parse(EXAMPLES["s3-trust"].encode(), source="FORMAT.md")


@cache
def files(version: str) -> dict[str, bytes]:
    """Path to content. 1.2.0 has the files of 1.1.0."""
    block = EXAMPLES["files-1.0.0" if version == "1.0.0" else "files-1.1.0"]
    pairs = (line.split(None, 1) for line in block.splitlines())
    return {path: content.encode() + b"\n" for path, content in pairs}


@cache
def draft(version: str) -> dict[str, Any]:
    """What a build leaves. Those of later versions are the first with some members changed."""
    members: dict[str, Any] = json.loads(EXAMPLES["draft-1.0.0"])
    if version != "1.0.0":
        members |= json.loads(EXAMPLES["draft-1.1.0"])
    if version == "1.2.0":
        members |= {"version": "1.2.0", "channel": "stable"}
    return members


def sign_manifest(draft: dict[str, Any], content: dict[str, bytes]) -> bytes:
    integrity = {path: integrity_of(hashlib.sha256(data).digest()) for path, data in content.items()}
    sizes = {path: len(data) for path, data in content.items()}
    return signed({**draft, "integrity": integrity, "sizes": sizes}, KeySigner("build-2026", key("build-2026")))


@cache
def manifest(version: str) -> bytes:
    return sign_manifest(draft(version), files(version))


def verified(data: bytes, store: TrustStore | None = None, at: datetime | None = None) -> VerifiedManifest:
    parsed = parse_manifest(data, where="manifest.json", limits=LIMITS)
    version = parsed.manifest.version
    return verify_manifest(parsed, store or trust(), feature_id=FEATURE, version=version, at=at)


def publish_as(
    before: ReleaseIndex | None, data: bytes, change: Change, at: str = "2026-11-20T09:00:00Z"
) -> ReleaseIndex:
    member = verified(data)
    total = member.manifest.total_bytes
    assert total is not None
    return actions.publish(before, member, total_bytes=total, change=change, now=parse_time(at), policy=POLICY)


def publish(before: ReleaseIndex | None, version: str, at: str = "2026-11-20T09:00:00Z") -> ReleaseIndex:
    return publish_as(before, manifest(version), Change("publish", version, "ci"), at)


Step = Callable[[ReleaseIndex | None], ReleaseIndex]


def act(action: str, version: str, at: str, why: str, ticket: str | None = None, **more: Any) -> Step:
    """One of R6's actions but `publish`, by an operator."""
    change = Change(action, version, "kari@hospital.example", why, ticket)
    named: dict[str, Any] = {"change": change, "now": parse_time(at), "policy": POLICY, **more}
    return lambda before: getattr(actions, action)(before, Version(version), **named)


SOAK: dict[str, Any] = {"canary_since": parse_time("2026-11-09T09:00:00Z"), "force": False}
GONE: dict[str, Any] = {"successor": None, "reason": "shows other wards"}
STORY: list[Step] = [
    lambda before: publish(before, "1.0.0", "2026-11-02T09:00:00Z"),
    lambda before: publish(before, "1.1.0", "2026-11-09T09:00:00Z"),
    act("promote", "1.1.0", "2026-11-09T09:45:00Z", "soaked", **SOAK),
    act("rollback", "1.0.0", "2026-11-10T07:30:00Z", "the list stays empty", "INC-204"),
    act("withdraw", "1.1.0", "2026-11-10T08:00:00Z", "shows other wards", "INC-204", **GONE),
    lambda before: publish(before, "1.2.0", "2026-11-12T09:00:00Z"),
]
"""The feature's whole life."""


@cache
def history() -> tuple[VerifiedReleases, ...]:
    states: list[VerifiedReleases] = []
    for step in STORY:
        before = states[-1] if states else None
        after = replace(step(before.index if before else None), previous_sha256=before.sha256 if before else None)
        data = after.signed(KeySigner("release-2026", key("release-2026")))
        parsed = parse_releases(data, where=f"releases.{after.sequence}.json", limits=LIMITS)
        states.append(verify_releases(parsed, trust(), feature_id=FEATURE, at=None))
    return tuple(states)


@cache
def remote_history() -> tuple[VerifiedRemoteIndex, ...]:
    first = RemoteIndex(
        1, parse_time("2026-11-02T09:00:10Z"), (RemoteEntry.of(history()[0]),), parse_time("2026-11-09T09:00:10Z")
    )
    gone = FeatureWithdrawal("feature-noticeboard", parse_time("2026-11-06T12:00:00Z"), "replaced")
    states = [sign_remote(first)]
    second = RemoteIndex(
        2, parse_time("2026-11-09T09:00:10Z"), (RemoteEntry.of(history()[1]),), parse_time("2026-11-16T09:00:10Z"),
        (gone,), states[0].sha256,
    )  # fmt: skip
    return (*states, sign_remote(second))


def sign_remote(index: RemoteIndex) -> VerifiedRemoteIndex:
    return read_remote(index.signed(KeySigner("release-2026", key("release-2026"))))


def read_remote(data: bytes) -> VerifiedRemoteIndex:
    parsed = parse_remote_index(data, where="remote-index.json", limits=LIMITS)
    return verify_remote_index(parsed, trust(), at=None)


def archive(members: Iterable[tuple[str, bytes]]) -> bytes:
    """A tar of any members, right or wrong."""
    return b"".join(block for path, data in members for block in encode_member(path, len(data), (data,))) + END


@cache
def bundle_tar() -> bytes:
    content = files("1.0.0").items()
    return b"".join(write_tar(manifest("1.0.0"), ((path, len(data), (data,)) for path, data in content)))
