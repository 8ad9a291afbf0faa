"""What `artifact` says of a vector: "ok", or the code that it refuses it with."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from artifact import actions, freshness
from artifact.bundle import BundleReader
from artifact.documents import parse
from artifact.errors import Code, ContentError, DeliveryError
from artifact.fields import parse_time
from artifact.manifest import Manifest, ParsedManifest, VerifiedManifest, parse_manifest, verify_manifest
from artifact.paths import Limits
from artifact.releases import Change, ReleaseIndex, VerifiedReleases, parse_releases, verify_releases
from artifact.remote_index import VerifiedRemoteIndex, parse_remote_index, verify_remote_index
from artifact.trust import TrustStore
from artifact.versions import Version

HERE = Path(__file__).parent
JSON = dict[str, Any]

_LIMITS = {
    "files": "files",
    "fileBytes": "file_bytes",
    "versionBytes": "version_bytes",
    "versions": "versions",
    "features": "features",
}


@cache
def load(name: str) -> Any:
    """One of the files of vectors."""
    return json.loads((HERE / name).read_text("utf-8"))


def vectors(name: str) -> list[JSON]:
    """The vectors of a file that has nothing else."""
    found: list[JSON] = load(name)["vectors"]
    return found


def accepted(name: str) -> list[JSON]:
    """Those that must be accepted."""
    return [vector for vector in vectors(name) if vector["code"] == "ok"]


def content(vector: JSON) -> bytes:
    """The vector's document."""
    text: str | None = vector.get("text")
    return base64.b64decode(vector["base64"]) if text is None else text.encode()


@cache
def store(name: str) -> TrustStore:
    """One of the trust stores that vectors name."""
    return TrustStore.parse(content(next(v for v in vectors("trust.json") if v["name"] == name)), source=name)


def answer(judge: Callable[..., object], *arguments: Any, **named: Any) -> str:
    """ "ok", or the code that `judge` refuses with."""
    try:
        judge(*arguments, **named)
    except DeliveryError as error:
        return str(error.code)
    return "ok"


def document(vector: JSON, data: bytes) -> JSON:
    """F."""
    return parse(data, limit=vector["limit"], where="vector")


def manifest(vector: JSON, data: bytes) -> VerifiedManifest:
    """M, S."""
    parsed: ParsedManifest = parse_manifest(data, where="vector", limits=_limits(vector))
    return verify_manifest(
        parsed,
        store(vector["trust"]),
        feature_id=vector["featureId"],
        version=Version(vector["version"]),
        at=_moment(vector["at"]),
    )


def releases(vector: JSON, data: bytes) -> VerifiedReleases:
    """R1-R3, S."""
    parsed = parse_releases(data, where="vector", limits=_limits(vector))
    return verify_releases(
        parsed, store(vector["trust"]), feature_id=vector["featureId"], at=_moment(vector.get("at", vector.get("now")))
    )


def remote(vector: JSON, data: bytes) -> VerifiedRemoteIndex:
    """I1, I2, S."""
    parsed = parse_remote_index(data, where="vector", limits=_limits(vector))
    return verify_remote_index(parsed, store(vector["trust"]), at=_moment(vector["at"]))


def bundle(vector: JSON, data: bytes, *, chunk: int | None = None) -> dict[str, bytes]:
    """B1: the files in a bundle, by path. The bundle comes in chunks of `chunk` bytes; None: whole."""
    size = chunk or max(1, len(data))
    reader = BundleReader(
        (data[at : at + size] for at in range(0, len(data), size)), where="vector", limits=_limits(vector)
    )
    verified = manifest(vector, reader.manifest())
    return {entry.path: b"".join(pieces) for entry, pieces in reader.files(verified.manifest)}


def link(vector: JSON, data: bytes) -> None:
    """I2 between a remote index and a release index, R1 and R2 between a release index and a manifest."""
    if "releases" in vector:
        entry = remote(vector, data).index.entry(vector["featureId"])
        assert entry is not None
        entry.check(releases(vector, vector["releases"].encode()), where="vector")
        return
    listed = releases(vector, data).index.entries[0]
    described = manifest({**vector, "version": listed.version.text}, vector["manifest"].encode())
    if described.sha256 != listed.manifest_sha256:
        raise ContentError(Code.INTEGRITY_MISMATCH, "R2", "not the manifest that is listed")
    listed.check(described.manifest, where="vector")


def history(vector: JSON, data: bytes) -> None:
    """R3, R4, R6, L13: whether an index may follow."""
    verified, last = releases(vector, data), vector["accepted"]
    freshness.check_sequence(
        freshness.State(verified.index.sequence, verified.sha256),
        verified.index.previous_sha256,
        last=None if last is None else freshness.State(last["sequence"], last["sha256"]),
        minimum=vector["minimum"],
        where="vector",
    )
    freshness.check_expiry(verified.index.expires_at, parse_time(vector["now"]), where="vector")
    freshness.check_withdrawn(verified.index, {Version(text) for text in vector["withdrawn"]}, where="vector")


class Story:
    """R6, R7: a release index, and what one action after the other makes of it."""

    def __init__(self, vector: JSON) -> None:
        self._feature_id: str = vector["featureId"]
        self._start = parse_time(vector["start"])
        self._policy = actions.Policy(window=vector["window"], soak=timedelta(minutes=vector["soakMinutes"]))
        self._canary_since = self._start
        self.index: ReleaseIndex | None = None

    def take(self, step: JSON) -> ReleaseIndex:
        """Do one step. Raises what the action raises."""
        now = self._start + timedelta(minutes=step["minute"])
        before = self.index
        after = self._act(step, now)
        if after.canary is not None and (before is None or before.canary != after.canary):
            self._canary_since = now
        self.index = after
        return after

    def _act(self, step: JSON, now: datetime) -> ReleaseIndex:
        change = Change(step["action"], step.get("version"), "ci", step.get("reason"), None)
        policy = self._policy
        if step["action"] == "publish":
            return actions.publish(
                self.index, self._manifest(step), total_bytes=1, change=change, now=now, policy=policy
            )
        assert self.index is not None
        version = Version(step["version"]) if "version" in step else None
        match step["action"], version:
            case "promote", _:
                since, force = self._canary_since, step.get("force", False)
                return actions.promote(
                    self.index, version, canary_since=since, force=force, change=change, now=now, policy=policy
                )
            case "refresh", _:
                return actions.refresh(self.index, change=change, now=now, policy=policy)
            case "remove", _:
                return actions.remove(self.index, change=change, now=now, policy=policy)
            case "canary", Version():
                return actions.canary(self.index, version, change=change, now=now, policy=policy)
            case "rollback", Version():
                return actions.rollback(self.index, version, change=change, now=now, policy=policy)
            case "withdraw", Version():
                successor = Version(step["successor"]) if "successor" in step else None
                return actions.withdraw(
                    self.index, version, successor=successor, reason="bad", change=change, now=now, policy=policy
                )
        raise AssertionError(step)

    def _manifest(self, step: JSON) -> VerifiedManifest:
        described = Manifest(self._feature_id, Version(step["version"]), step["channel"], {}, None, None, None)
        return VerifiedManifest(described, b"", step["manifestSha256"], "build")


JUDGES = {
    "documents.json": document,
    "manifests.json": manifest,
    "release-indexes.json": releases,
    "remote-indexes.json": remote,
    "links.json": link,
    "histories.json": history,
    "bundles.json": bundle,
}
"""The vectors that are one document each, and what judges them."""


def verdict(name: str, vector: JSON, data: bytes) -> str:
    """What is said of `data` in the place of the vector's own document."""
    return answer(JUDGES[name], vector, data)


def _limits(vector: JSON) -> Limits:
    return Limits(**{_LIMITS[name]: value for name, value in vector.get("limits", {}).items()})


def _moment(text: str | None) -> datetime | None:
    return None if text is None else parse_time(text)
