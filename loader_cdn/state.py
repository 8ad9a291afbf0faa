"""L7: what the loader remembers from pass to pass, in `.loader/state.json`.

It is a memory, not a source of truth: what is lost of it is made up for from what is validly on disk, and said.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from artifact.documents import canonical, parse
from artifact.errors import ContentError
from artifact.fields import Fields, format_time, strict_base64
from artifact.freshness import State
from artifact.trust import Role, TrustStore
from artifact.versions import Version
from loader_cdn.durable import write_atomic

LIMIT = 64 * 1024 * 1024

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The index accepted last, and the key that vouched for it: the memory goes with its trust (S5)."""

    state: State
    key_id: str
    public_key: bytes

    @classmethod
    def of(cls, state: State, key_id: str, trust: TrustStore) -> Accepted:
        """The memory of an index that was just verified with `trust`."""
        return cls(state, key_id, trust.keys[key_id].key.raw)

    def is_trusted(self, trust: TrustStore, role: Role, feature_id: str | None) -> bool:
        """Whether the same key still may sign this: else a leaked one could set the floor for ever (T12)."""
        key = trust.keys.get(self.key_id)
        return (
            key is not None
            and key.key.raw == self.public_key
            and role in key.roles
            and (feature_id is None or key.covers(feature_id))
        )


@dataclass(frozen=True, slots=True)
class ETag:
    """The validator of the accepted index, as one URL answered it."""

    url: str
    value: str


@dataclass(slots=True)
class IndexMemory:
    """What is remembered of an index: a feature's, or the remote one."""

    accepted: Accepted | None = None
    etag: ETag | None = None

    def etag_for(self, url: str, in_place: str | None) -> str | None:
        """The ETag to ask `url` with, where the bytes with hash `in_place` are those that it belongs to (L14)."""
        if self.etag is None or self.accepted is None or self.etag.url != url or in_place != self.accepted.state.sha256:
            return None
        return self.etag.value


@dataclass(slots=True)
class FeatureMemory(IndexMemory):
    """`withdrawn` are versions whose withdrawal was accepted (R6), `left` says since when a version is not listed any
    more (L8), `leaving` since when the feature is not registered any more (L12).
    """

    withdrawn: set[Version] = field(default_factory=set)
    left: dict[Version, datetime] = field(default_factory=dict)
    leaving: datetime | None = None


@dataclass(slots=True)
class Memory:
    """All that is remembered of one root. `lost` says that there was something which cannot be read."""

    remote_index: IndexMemory = field(default_factory=IndexMemory)
    features: dict[str, FeatureMemory] = field(default_factory=dict)
    lost: bool = False

    def feature(self, feature_id: str) -> FeatureMemory:
        """The memory of a feature, empty where there is none yet."""
        return self.features.setdefault(feature_id, FeatureMemory())

    def forget_untrusted(self, trust: TrustStore) -> set[str]:
        """S5, T12: what only a key vouched for that is trusted no more binds no more; whose memory that was."""
        forgotten = set()
        if _is_void(self.remote_index, trust, Role.INDEX, None):
            log.error("the key that signed the accepted remote index is trusted no more: its sequence is forgotten")
            self.remote_index = IndexMemory()
        for feature_id, memory in self.features.items():
            if _is_void(memory, trust, Role.RELEASES, feature_id):
                log.error(
                    "%s: the key that signed the accepted release index is trusted no more: its sequence is forgotten",
                    feature_id,
                )
                self.features[feature_id] = FeatureMemory(left=memory.left, leaving=memory.leaving)
                forgotten.add(feature_id)
        return forgotten


def load(path: Path) -> Memory:
    """The memory in `path`; an empty one, marked as lost, where it is damaged or not there. Raises OSError."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Memory(lost=True)
    try:
        return _memory(Fields(parse(data, limit=LIMIT, where=str(path)), where=str(path), rule="L7"))
    except ContentError as error:
        log.error("%s", error)
        return Memory(lost=True)


def save(path: Path, memory: Memory) -> None:
    """Write the memory, if it is not there already: atomically and durably. Raises OSError."""
    data = canonical(_document(memory))
    if not path.exists() or path.read_bytes() != data:
        write_atomic(path, data)


def _is_void(memory: IndexMemory, trust: TrustStore, role: Role, feature_id: str | None) -> bool:
    return memory.accepted is not None and not memory.accepted.is_trusted(trust, role, feature_id)


def _document(memory: Memory) -> dict[str, Any]:
    return {
        "schemaVersion": 1,
        "remoteIndex": _index_document(memory.remote_index),
        "features": {feature_id: _feature_document(known) for feature_id, known in memory.features.items()},
    }


def _index_document(memory: IndexMemory) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if memory.accepted is not None:
        document["accepted"] = {
            "sequence": memory.accepted.state.sequence,
            "sha256": memory.accepted.state.sha256,
            "keyId": memory.accepted.key_id,
            "publicKey": base64.b64encode(memory.accepted.public_key).decode("ascii"),
        }
    if memory.etag is not None:
        document["etag"] = {"url": memory.etag.url, "value": memory.etag.value}
    return document


def _feature_document(memory: FeatureMemory) -> dict[str, Any]:
    document = _index_document(memory)
    if memory.withdrawn:
        document["withdrawn"] = sorted(version.text for version in memory.withdrawn)
    if memory.left:
        document["left"] = {version.text: format_time(since) for version, since in memory.left.items()}
    if memory.leaving is not None:
        document["leaving"] = format_time(memory.leaving)
    return document


def _memory(fields: Fields) -> Memory:
    fields.constant("schemaVersion", 1)
    remote_index = IndexMemory()
    _read_index(fields.object("remoteIndex"), remote_index)
    features = fields.object("features")
    return Memory(remote_index, {name: _feature(features.object(name)) for name in features.members})


def _feature(fields: Fields) -> FeatureMemory:
    memory = FeatureMemory(leaving=fields.optional_time("leaving"))
    _read_index(fields, memory)
    if fields.has("withdrawn"):
        memory.withdrawn = set(_versions(fields.texts("withdrawn"), fields))
    if fields.has("left"):
        left = fields.object("left")
        memory.left = {version: left.time(version.text) for version in _versions(left.members, fields)}
    return memory


def _read_index(fields: Fields, memory: IndexMemory) -> None:
    if fields.has("accepted"):
        memory.accepted = _accepted(fields.object("accepted"))
    if fields.has("etag"):
        etag = fields.object("etag")
        memory.etag = ETag(etag.text("url"), etag.text("value"))


def _accepted(fields: Fields) -> Accepted:
    try:
        public_key = strict_base64(fields.text("publicKey"))
    except ValueError as error:
        raise fields.refuse("publicKey", str(error)) from error
    state = State(fields.integer("sequence", minimum=1), fields.hex_sha256("sha256"))
    return Accepted(state, fields.text("keyId"), public_key)


def _versions(texts: Iterable[str] | Mapping[str, Any], fields: Fields) -> list[Version]:
    return [Version(text, where=fields.where) for text in texts]
