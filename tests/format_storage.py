"""What the code says about storage in docs/FORMAT.md: receipts (B4), the order of writes (W2), headers (W3)."""

from __future__ import annotations

import gzip

from artifact.documents import canonical
from artifact.errors import Code, ContentError
from artifact.fields import parse_time
from artifact.keys import KeySigner
from publisher import receipts
from publisher.adapters.memory import MemoryStore
from publisher.content_types import immutable, pointer
from publisher.environment import Environment
from publisher.indexes import POINTER_MAX_AGE
from publisher.ports import ContentSettings
from publisher.publish import Published, publish
from publisher.receipts import BundleName
from publisher.remote import commit_remote
from publisher.sources import BundleSource
from publisher.spool import Spool
from tests.format_story import FEATURE, LIMITS, bundle_tar, files, history, key, trust


def receipt(status: str) -> str:
    name = BundleName(FEATURE, "1.1.0", f"incoming/{FEATURE}/1.1.0.tar.gz", "0x8DE2A1B2C3D4E5F")
    if status == "published":
        index = history()[1].index
        entry = index.entries[0]
        timings = {"commit": 38, "upload": 52, "verify": 11}
        result = Published(
            FEATURE, "1.1.0", 2, index.active.text, entry.files or 0, entry.bytes or 0, entry.bytes or 0, False, timings
        )
        document = receipts.published(name, result, parse_time("2026-11-09T09:00:02Z"))
    else:
        where = f"{FEATURE}/1.1.0/manifest.json"
        error = ContentError(Code.VERSION_EXISTS, "B3", "the version is published with another manifest", where=where)
        document = receipts.refused(name, "rejected", error, parse_time("2026-11-09T09:05:41Z"))
    return canonical({**document, "attempt": 1}).decode()


class Recorder(MemoryStore):
    """A store that knows in which order its objects were written."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def put(self, name: str, data: bytes, settings: ContentSettings) -> str:
        self.names.append(name)
        return super().put(name, data, settings)


def order_of_writes() -> str:
    store = Recorder()
    signer = KeySigner("release-2026", key("release-2026"))
    env = Environment(store, trust(), signer, clock=lambda: parse_time("2026-11-02T09:00:00Z"))
    with Spool() as spool:
        chunks = [gzip.compress(bundle_tar(), mtime=0)]
        published = publish(env, BundleSource(chunks, spool, where="bundle", limits=LIMITS), actor="ci")
    commit_remote(env, [published.feature_id])
    written = store.get(f"{FEATURE}/releases.1.json")
    assert written is not None
    assert written.data == history()[0].data
    claim, *rest = store.names
    count = len(files("1.0.0"))
    return "\n".join([claim, *sorted(rest[:count]), *rest[count:]])


def judge_headers(name: str) -> str:
    is_pointer = name in (f"{FEATURE}/releases.json", "remote-index.json")
    settings = pointer(name, POINTER_MAX_AGE) if is_pointer else immutable(name)
    return f"{settings.content_type} | {settings.cache_control}"
