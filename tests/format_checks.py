"""What the code says about the examples of docs/FORMAT.md: each check takes a block and returns what it should be."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from urllib.parse import urljoin

from artifact.documents import MANIFEST_LIMIT, canonical, parse
from artifact.errors import TRANSIENT_CODES, Code, DeliveryError
from artifact.fields import format_time, parse_time
from artifact.freshness import State, check_expiry, check_sequence
from artifact.keys import KeySigner
from artifact.manifest import integrity_of
from artifact.releases import Change, ReleaseIndex, VerifiedReleases
from artifact.remote_index import VerifiedRemoteIndex
from artifact.signing import signed
from artifact.trust import Role, TrustStore
from artifact.versions import Version
from tests.format_story import (
    EXAMPLES,
    FEATURE,
    LIMITS,
    REMOTE_URL,
    act,
    draft,
    files,
    history,
    key,
    manifest,
    publish,
    publish_as,
    read_remote,
    remote_history,
    sign_manifest,
    trust,
    verified,
)

NOTHING = "-"
"""How a line of an example says that there is none."""


def outcome(call: Callable[[], object]) -> str:
    try:
        value = call()
    except DeliveryError as error:
        return f"{error.code} {error.rule}"
    except ValueError:
        return "refused"
    return value if isinstance(value, str) else "accepted"


def lines(judge: Callable[[str], object]) -> Callable[[str], str]:
    """A check of a block of `x => y` lines."""

    def check(block: str) -> str:
        pairs = [line.rpartition("=>") for line in block.splitlines()]
        return "\n".join(f"{left}=> {outcome(partial(judge, left.strip()))}" for left, _, _ in pairs)

    return check


def listed(judge: Callable[[list[str]], object]) -> Callable[[str], str]:
    """A check of `x => y` lines whose x is several words."""
    return lines(lambda left: judge(left.split()))


def made(produce: Callable[[], str | bytes]) -> Callable[[str], str]:
    """A check of a block that the code makes from nothing but the rest of the document."""

    def check(_: str) -> str:
        value = produce()
        return value if isinstance(value, str) else value.decode("utf-8")

    return check


def same(block: str) -> str:
    """A block that others are made from."""
    return block


def parsed(data: bytes) -> dict[str, Any]:
    return parse(data, limit=MANIFEST_LIMIT, where="")


def unsigned(data: bytes) -> dict[str, Any]:
    return {name: value for name, value in json.loads(data).items() if name != "signature"}


def judge_keys(block: str) -> str:
    rows = [(line.split()[0], line.split()[1]) for line in block.splitlines()]
    public = {key_id: base64.b64encode(key(key_id).public().raw).decode() for key_id, _ in rows}
    return "\n".join(f"{key_id:<12}  {seed}  {public[key_id]}" for key_id, seed in rows)


def judge_nesting(left: str) -> object:
    inner = int(left) - 1
    return parsed(b'{"a":%s%s}' % (b"[" * inner, b"]" * inner))


def judge_unknown(change: str) -> object:
    members = json.loads(manifest("1.0.0"))
    altered = {
        "as signed": members,
        '"x-ward" removed': {name: value for name, value in members.items() if name != "x-ward"},
        '"x-ward":{"floor":5}': {**members, "x-ward": {"floor": 5}},
        '"x-other":true added': {**members, "x-other": True},
    }
    return verified(canonical(altered[change]))


def judge_signature_member(left: str) -> object:
    members = json.loads(manifest("1.0.0"))
    signature = json.loads(left.replace("VALUE", members["signature"]["value"]))
    return verified(canonical({**members, "signature": signature}))


def judge_trust(block: str) -> str:
    store = TrustStore.parse(block.encode(), source="FORMAT.md")
    same = {"build-2026": "build-2026", "release-2026": "release-2026", "host-2026": "other-2026"}
    assert {key_id: trusted.key for key_id, trusted in store.keys.items()} == {
        key_id: key(of).public() for key_id, of in same.items()
    }
    return block


def judge_trust_entry(left: str) -> object:
    public = base64.b64encode(key("other-2026").public().raw).decode()
    return TrustStore.parse(b'{"k":%s}' % left.replace("KEY", public).encode(), source="")


def judge_scope(words: list[str]) -> object:
    key_id, role, feature = words
    feature_id = None if feature == NOTHING else feature
    return trust().key_for(key_id, role=Role(role), feature_id=feature_id, at=None, where="")


def judge_revoked(left: str) -> object:
    stores = {
        "the store of S3": json.loads(EXAMPLES["s3-trust"]),
        "the same without build-2026": {k: v for k, v in json.loads(EXAMPLES["s3-trust"]).items() if k != "build-2026"},
        "{}": {},
    }
    return verified(manifest("1.0.0"), TrustStore.parse(canonical(stores[left]), source=""))


def judge_retired(words: list[str]) -> object:
    entries = json.loads(EXAMPLES["s3-trust"])
    entries["build-2026"]["validUntil"] = "2026-11-05T00:00:00Z"
    entry = history()[1].index.entry(Version(words[0]))
    assert entry is not None
    assert entry.published_at == parse_time(words[1])
    return verified(manifest(words[0]), TrustStore.parse(canonical(entries), source=""), entry.published_at)


def judge_order(block: str) -> str:
    return "\n".join(version.text for version in sorted(map(Version, block.splitlines())))


def judge_limits(block: str) -> str:
    values = (LIMITS.files, LIMITS.version_bytes, LIMITS.file_bytes, LIMITS.versions, LIMITS.features)
    rows = zip(block.splitlines(), values, strict=True)
    return "\n".join(f"{line.rpartition(' ')[0]} {value}" for line, value in rows)


def judge_entrypoints(left: str) -> object:
    return verified(sign_manifest({**draft("1.0.0"), "entrypoints": json.loads(left)}, files("1.0.0")))


def judge_r4(words: list[str]) -> None:
    sequence, digest, previous = words
    last = State(5, "aa")
    previous_sha256 = None if previous == NOTHING else previous
    check_sequence(State(int(sequence), digest), previous_sha256, last=last, minimum=0, where="")


def judge_floor(left: str) -> None:
    match = re.fullmatch(r"remembers (\S+), minSequence (\d+), shown (\d+)", left)
    assert match
    last = None if match[1] == NOTHING else State(int(match[1]), "aa")
    check_sequence(State(int(match[3]), "bb"), None, last=last, minimum=int(match[2]), where="")


def story() -> str:
    rows = ["seq  action    version  active  canary  listed             withdrawn"]
    for state in history():
        index, change = state.index, state.index.change
        assert change is not None
        canary = index.canary.text if index.canary else NOTHING
        versions = " ".join(entry.version.text for entry in index.entries)
        gone = " ".join(gone.version.text for gone in index.withdrawn) or NOTHING
        row = (f"{index.sequence:<4}", f"{change.action:<9}", f"{change.version:<8}", f"{index.active.text:<7}",
               f"{canary:<7}", f"{versions:<18}", gone)  # fmt: skip
        rows.append(" ".join(row))
    return "\n".join(rows)


def judge_action(left: str) -> object:
    before = history()[-1].index
    action, version, *rest = [*left.split(), ""]
    if action == "publish":
        altered = {**draft(version), "displayName": "changed"} if "changed" in rest else draft(version)
        data = sign_manifest(altered, files(version))
        after = publish_as(before, data, Change(action, version))
        return "no change" if after is before else "accepted"
    more: dict[str, Any] = {
        "promote": {"canary_since": parse_time("2026-11-12T09:00:00Z"), "force": False},
        "withdraw": {"successor": None, "reason": "none"},
    }
    step = act(action, version or "1.2.0", "2026-11-20T09:00:00Z", "", **more.get(action, {}))
    return step(before)


def window() -> str:
    index: ReleaseIndex | None = None
    rows = []
    for text in ("1.0.0", "1.1.0", "1.2.0", "2.0.0", "2.1.0", "2.2.0", "1.2.1"):
        data = sign_manifest({**draft("1.0.0"), "version": text}, files("1.0.0"))
        index = publish_as(index, data, Change("publish", text))
        names = [e.version.text for e in index.entries]
        rows.append(f"{text}  " + " ".join(f"[{name}]" if name == index.active.text else name for name in names))
    return "\n".join(rows)


def judge_remote_entry(left: str) -> None:
    document = unsigned(remote_history()[1].data)
    document["features"][0].update(json.loads(left))
    entry = read_remote(signed(document, KeySigner("release-2026", key("release-2026")))).index.entries[0]
    entry.check(history()[1], where="releases.2.json")


def urls() -> str:
    entry = json.loads(remote_history()[1].data)["features"][0]
    base = urljoin(REMOTE_URL, entry["baseUrl"])
    index = urljoin(REMOTE_URL, entry["releasesUrl"])
    return "\n".join([index, f"{base}1.0.0/manifest.json", f"{base}1.0.0/entry.js"])


def judge_orders(words: list[str]) -> object:
    index: ReleaseIndex | None = None
    for version in words:
        index = publish(index, version)
    assert index is not None
    return f"active {index.active}, listed {' '.join(entry.version.text for entry in index.entries)}"


def tree() -> str:
    index = history()[1].index
    names = [f"{FEATURE}/releases.json"]
    for entry in index.entries:
        names += [f"{FEATURE}/{entry.version}/{path}" for path in ("manifest.json", *files(entry.version.text))]
    return "\n".join(f"<root>/{name}" for name in sorted(names))


def reused() -> str:
    old = {hashlib.sha256(data).digest(): path for path, data in files("1.0.0").items()}
    new = {path: hashlib.sha256(data).digest() for path, data in files("1.1.0").items()}
    how = {path: f"link to 1.0.0/{old[digest]}" if digest in old else "fetch" for path, digest in new.items()}
    return "\n".join(f"1.1.0/{path:<22} {what}" for path, what in how.items())


def judge_expired(left: str) -> None:
    check_expiry(remote_history()[1].index.expires_at, parse_time(left), where="")


def manifest_hashes() -> str:
    return "\n".join(f"{version}  {hashlib.sha256(manifest(version)).hexdigest()}" for version in ("1.0.0", "1.1.0"))


def integrity() -> str:
    digests = {path: hashlib.sha256(data).digest() for path, data in files("1.0.0").items()}
    return "\n".join(f"{path:<20}  {digest.hex()}  {integrity_of(digest)}" for path, digest in digests.items())


def times() -> str:
    index = remote_history()[1].index
    assert index.expires_at is not None
    return f"{format_time(index.generated_at)}\n{format_time(index.expires_at)}"


def chain(states: Iterable[VerifiedReleases | VerifiedRemoteIndex]) -> str:
    return "\n".join(f"{s.index.sequence}  {s.index.previous_sha256 or NOTHING:<64}  {s.sha256}" for s in states)


def codes() -> str:
    exits = dict.fromkeys(TRANSIENT_CODES, 1) | {Code.CONFIGURATION_INVALID: 2}
    return "\n".join(f"{code:<22} {exits.get(code, 3)}" for code in Code)
