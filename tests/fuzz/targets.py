"""What is fuzzed: a target for each parser. Nothing but a DeliveryError may come out of hostile bytes, and what is
accepted must be the same value when it is written and read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from artifact.bundle import BundleReader
from artifact.documents import MANIFEST_LIMIT, canonical, parse
from artifact.errors import DeliveryError
from artifact.fields import format_time, parse_time, strict_base64
from artifact.keys import KeySigner, PrivateKey, PublicKey
from artifact.manifest import parse_manifest, verify_manifest
from artifact.paths import Limits, check_path, check_paths
from artifact.releases import parse_releases, verify_releases
from artifact.remote_index import parse_remote_index, verify_remote_index
from artifact.signing import check_signature
from artifact.trust import Role, TrustStore
from artifact.versions import Version, check_feature_id
from tests.vectors.judge import HERE, JSON, content, load, store, vectors
from tests.vectors.making.archive import BLOCK, gzip

WHERE = "fuzz"
LIMITS = Limits(files=50, version_bytes=1 << 20, file_bytes=1 << 19, versions=20, features=20)
PIECE = 61
SITE = HERE / "foreign/site"


@dataclass(frozen=True, slots=True)
class Target:
    """`run` takes any bytes; DeliveryErrors are caught by it, all else is a find. `words` help the fuzzer along."""

    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    words: tuple[str, ...] = ()

    @property
    def is_json(self) -> bool:
        """Whether its inputs are JSON, so that changes that leave them JSON get further."""
        return '":' in self.words


def document(data: bytes) -> None:
    value = parse(data, limit=MANIFEST_LIMIT, where=WHERE)
    assert parse(canonical(value), limit=2 * MANIFEST_LIMIT, where=WHERE) == value


def trust(data: bytes) -> None:
    trusted = TrustStore.parse(data, source=WHERE)
    for key_id in trusted.keys:
        for role in Role:
            with suppress(DeliveryError):
                trusted.key_for(key_id, role=role, feature_id="feature-x", at=None, where=WHERE)


def signature(data: bytes) -> None:
    value = parse(data, limit=MANIFEST_LIMIT, where=WHERE)
    check_signature(value, store("full"), role=Role.MANIFEST, feature_id="feature-x", at=None, where=WHERE)


def manifest(data: bytes) -> None:
    parsed = parse_manifest(data, where=WHERE, limits=LIMITS)
    described = parsed.manifest
    assert described.files
    assert described.server_functions_module is None or described.server_functions_sha256 is not None
    verify_manifest(parsed, store("full"), feature_id=described.feature_id, version=described.version, at=None)


def releases(data: bytes) -> None:
    parsed = parse_releases(data, where=WHERE, limits=LIMITS)
    again = parse_releases(parsed.index.signed(_signer()), where=WHERE, limits=LIMITS)
    assert again.index == parsed.index
    verify_releases(again, store("full"), feature_id=parsed.index.feature_id, at=None)
    verify_releases(parsed, store("full"), feature_id=parsed.index.feature_id, at=None)


def remote(data: bytes) -> None:
    parsed = parse_remote_index(data, where=WHERE, limits=LIMITS)
    again = parse_remote_index(parsed.index.signed(_signer()), where=WHERE, limits=LIMITS)
    assert again.index == parsed.index
    verify_remote_index(again, store("full"), at=None)
    verify_remote_index(parsed, store("full"), at=None)


def bundle(data: bytes) -> None:
    """The same files, or none, whole and in pieces; which fault of several is named depends on the pieces."""
    assert _read([data]) == _read(data[at : at + PIECE] for at in range(0, len(data), PIECE))


def archive(data: bytes) -> None:
    """A tar whose gzip and checksums are right, so that the fuzzer gets inside."""
    bundle(gzip(_summed(data)))


def keys(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    with suppress(DeliveryError):
        private = PrivateKey.parse(text, where=WHERE)
        assert private.public().verifies(private.sign(data), data)
    public = PublicKey.parse(text, where=WHERE)
    assert PublicKey.parse(public.pem(), where=WHERE) == public


def names(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for check in (check_feature_id, check_path):
        with suppress(DeliveryError):
            assert check(text, where=WHERE) == text
    with suppress(ValueError):
        moment = parse_time(text)
        assert parse_time(format_time(moment)) == moment
    with suppress(ValueError):
        strict_base64(text)
    with suppress(DeliveryError):
        check_paths(text.split("\n"), where=WHERE)
    versions = [Version(line) for line in text.split("\n")]
    for lower, higher in pairwise(sorted(versions)):
        assert lower <= higher
        assert (lower == higher) == (lower.text == higher.text)


def _summed(tar: bytes) -> bytes:
    summed = bytearray(tar)
    for at in range(0, len(tar) - BLOCK + 1, BLOCK):
        if tar[at + 257 : at + 262] == b"ustar":
            total = sum(tar[at : at + BLOCK]) - sum(tar[at + 148 : at + 156]) + 8 * ord(" ")
            summed[at + 148 : at + 156] = b"%06o\0 " % total
    return bytes(summed)


def _read(chunks: Iterable[bytes]) -> dict[str, bytes] | None:
    try:
        reader = BundleReader(chunks, where=WHERE, limits=LIMITS)
        declared = parse_manifest(reader.manifest(), where=WHERE, limits=LIMITS).manifest
        files = {entry.path: b"".join(pieces) for entry, pieces in reader.files(declared)}
    except DeliveryError:
        return None
    assert files.keys() == declared.files.keys()
    return files


@cache
def _signer() -> KeySigner:
    return KeySigner("release", PrivateKey.parse(load("keys.json")["release"]["privateKey"], where=WHERE))


def _of(*files: str) -> Callable[[], Iterable[bytes]]:
    return lambda: (content(vector) for name in files for vector in vectors(name))


def _with_site(pattern: str, *files: str) -> Callable[[], Iterable[bytes]]:
    return lambda: [*_of(*files)(), *(path.read_bytes() for path in SITE.rglob(pattern))]


def _archives() -> Iterable[bytes]:
    import zlib

    for vector in vectors("bundles.json"):
        with suppress(zlib.error):
            yield zlib.decompress(content(vector), 16 + zlib.MAX_WBITS)


def _key_texts() -> Iterable[bytes]:
    for key in load("keys.json").values():
        yield from (text.encode() for text in key.values())
    for vector in vectors("trust.json"):
        yield from (text.encode() for text in _texts(content(vector)))


def _texts(data: bytes) -> Iterable[str]:
    with suppress(DeliveryError):
        values = parse(data, limit=MANIFEST_LIMIT, where=WHERE).values()
        yield from (value["publicKey"] for value in values if isinstance(value, dict) and "publicKey" in value)
        yield from (value for value in values if isinstance(value, str))


def _names() -> Iterable[bytes]:
    said: JSON = load("names.json")
    for kind in ("featureIds", "versions", "paths", "times"):
        yield from (case["text"].encode() for case in said[kind])
    yield from ("\n".join(case["paths"]).encode() for case in said["pathSets"])
    yield "\n".join(said["ascendingVersions"]).encode()


_JSON = ('"', "\\u", "\\ud800", "\\udc00", "{}", "[]", '":', "null", "true", "-0", "1e1", "9007199254740992", "\ufeff")
_SIGNED = (
    *_JSON,
    '"signature"',
    '"algorithm"',
    '"ed25519"',
    '"keyId"',
    '"value"',
    '"version"',
    '"channels"',
    '"canary"',
)
_TIME = ("9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", ".999999999Z")

TARGETS = {
    "document": Target(document, _with_site("*.json", "documents.json"), _JSON),
    "trust": Target(trust, _of("trust.json"), (*_JSON, '"publicKey"', '"roles"', '"features"', '"validUntil"', *_TIME)),
    "signature": Target(signature, _of("manifests.json"), _SIGNED),
    "manifest": Target(
        manifest,
        _with_site("manifest.json", "manifests.json"),
        (*_SIGNED, '"sizes"', '"serverFunctions"', '"endpoint"'),
    ),
    "releases": Target(
        releases,
        _with_site("releases*.json", "release-indexes.json"),
        (*_SIGNED, *_TIME, '"withdrawn"', '"change"', '"removed"', '"publishedAt"'),
    ),
    "remote": Target(remote, _with_site("remote-index*.json", "remote-indexes.json"), (*_SIGNED, *_TIME, '"baseUrl"')),
    "bundle": Target(bundle, _of("bundles.json")),
    "archive": Target(archive, _archives, ("ustar", "manifest.json", "path=", "../", "././@LongLink")),
    "keys": Target(keys, _key_texts, ("-----BEGIN PUBLIC KEY-----", "-----BEGIN PRIVATE KEY-----", "MCowBQYDK2VwAyEA")),
    "names": Target(names, _names, ("manifest.json", "..", "-rc.", "T00:00:00Z")),
}
"""By name."""


def attempt(target: Target, data: bytes) -> None:
    """One input. Raises only where something is found."""
    with suppress(DeliveryError):
        target.run(data)
