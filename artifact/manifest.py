"""M: manifest.json, the signed description of one version."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from artifact.documents import MANIFEST_LIMIT, parse
from artifact.errors import Code, ContentError
from artifact.fields import Fields, strict_base64
from artifact.paths import Limits, check_paths
from artifact.signing import check_signature
from artifact.trust import Role, TrustStore
from artifact.versions import Version

PROVENANCE_LENGTH = 2048
"""Characters of a `gitSha` or `buildUrl` that an index takes over: a longer one would crowd the versions out of it."""

INTEGRITY_PREFIX = "sha256-"
SHA256_BYTES = 32

# White space, controls and backslashes: urlsplit and browsers do not read them in the same way.
_URL = re.compile(r"[^\s\\\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a version: its path, the 32 bytes of its SHA-256 and, where M3 says it, its size in bytes."""

    path: str
    sha256: bytes
    size: int | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """What delivery needs to know of a manifest; everything else in it is the host's and kept as it is."""

    feature_id: str
    version: Version
    channel: str
    files: Mapping[str, FileEntry]
    server_functions_module: str | None
    git_sha: str | None
    build_url: str | None

    @property
    def total_bytes(self) -> int | None:
        """The bytes of all files (without manifest.json); None where the manifest has no `sizes`."""
        sizes = [file.size for file in self.files.values()]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    @property
    def server_functions_sha256(self) -> str | None:
        """R1: lower-case hex of the module file's hash."""
        module = self.server_functions_module
        return self.files[module].sha256.hex() if module is not None else None


@dataclass(frozen=True, slots=True)
class ParsedManifest:
    """A manifest of the right form that nobody has vouched for yet."""

    manifest: Manifest
    document: Mapping[str, Any]
    data: bytes
    where: str


@dataclass(frozen=True, slots=True)
class VerifiedManifest:
    """A manifest that a trusted build key signed. `sha256` is the lower-case hex of `data` (R2)."""

    manifest: Manifest
    data: bytes
    sha256: str
    key_id: str


def integrity_of(sha256: bytes) -> str:
    """M2: `sha256-<base64>`."""
    return INTEGRITY_PREFIX + base64.b64encode(sha256).decode("ascii")


def parse_manifest(data: bytes, *, where: str, limits: Limits) -> ParsedManifest:
    """M1-M4 and P over the bytes of a manifest. Raises ContentError."""
    document = parse(data, limit=MANIFEST_LIMIT, where=where)
    fields = Fields(document, where=where, rule="M1")
    check_draft(document, where=where)
    files = _files(fields, limits)
    _check_entrypoints(fields, files)
    metadata = document.get("metadata")
    provenance = metadata if isinstance(metadata, dict) else {}
    manifest = Manifest(
        feature_id=fields.feature_id("id"),
        version=fields.version("version"),
        channel=fields.text("channel"),
        files=files,
        server_functions_module=_server_functions_module(fields, files),
        git_sha=_provenance(provenance.get("gitSha")),
        build_url=_provenance(provenance.get("buildUrl")),
    )
    return ParsedManifest(manifest, document, data, where)


def verify_manifest(
    parsed: ParsedManifest,
    trust: TrustStore,
    *,
    feature_id: str,
    version: Version,
    at: datetime | None,
) -> VerifiedManifest:
    """The manifest of exactly this feature and version, signed by a key that may (S4).

    `at` is the version's `publishedAt` or, before it is published, now (S6). Raises ContentError.
    """
    manifest, where = parsed.manifest, parsed.where
    if manifest.feature_id != feature_id:
        raise ContentError(
            Code.FEATURE_MISMATCH,
            "S4",
            "a manifest of another feature",
            where=where,
            expected=feature_id,
            seen=manifest.feature_id,
        )
    if manifest.version != version:
        raise ContentError(
            Code.MANIFEST_MISMATCH,
            "R2",
            "a manifest of another version",
            where=where,
            expected=version.text,
            seen=manifest.version.text,
        )
    key_id = check_signature(parsed.document, trust, role=Role.MANIFEST, feature_id=feature_id, at=at, where=where)
    return VerifiedManifest(manifest, parsed.data, hashlib.sha256(parsed.data).hexdigest(), key_id)


def check_draft(document: Mapping[str, Any], *, where: str) -> None:
    """M1 but for `integrity`, `sizes` and `signature`, which signing adds: what a build must have said."""
    fields = Fields(document, where=where, rule="M1")
    fields.feature_id("id")
    fields.version("version")
    fields.text("displayName")
    fields.choice("channel", ("stable", "canary"))
    entrypoints = fields.object("entrypoints")
    entrypoints.texts("js", minimum=1)
    if entrypoints.has("css"):
        entrypoints.texts("css", minimum=1)
    if fields.choice("featureType", ("domain", "facet")) == "domain":
        mount = fields.object("mount")
        mount.text("pathPrefix")
        mount.text("domElementId")
        fields.array("routes", minimum=1)
    elif fields.has("routes"):
        fields.array("routes", minimum=1)


def _files(fields: Fields, limits: Limits) -> dict[str, FileEntry]:
    integrity = fields.object("integrity").members
    if len(integrity) > limits.files:
        raise _over(fields, "P4", "too many files", limits.files, len(integrity))
    check_paths(integrity, where=fields.where)
    sizes = _sizes(fields, integrity.keys(), limits)
    return {path: FileEntry(path, _digest(fields, path, value), sizes.get(path)) for path, value in integrity.items()}


def _digest(fields: Fields, path: str, value: Any) -> bytes:
    try:
        if not isinstance(value, str) or not value.startswith(INTEGRITY_PREFIX):
            raise ValueError("another algorithm, or none")
        digest = strict_base64(value.removeprefix(INTEGRITY_PREFIX))
        if len(digest) != SHA256_BYTES:
            raise ValueError("not 32 bytes")
    except ValueError as error:
        raise ContentError(
            Code.SCHEMA_INVALID,
            "M2",
            f"integrity of {path!r}: {error}",
            where=fields.where,
            expected="sha256-<base64>",
            seen=value,
        ) from error
    return digest


def _sizes(fields: Fields, paths: Any, limits: Limits) -> dict[str, int]:
    if not fields.has("sizes"):
        return {}
    sizes = Fields(fields.object("sizes").members, where=fields.where, rule="M3", place="sizes.")
    if sizes.members.keys() != paths:
        odd = sorted(sizes.members.keys() ^ paths)
        raise sizes.refuse("", "the keys of sizes are not those of integrity", seen=odd[0])
    values = {path: sizes.integer(path, minimum=0) for path in paths}
    largest = max(values.values(), default=0)
    if largest > limits.file_bytes:
        raise _over(fields, "P4", "a file is too large", limits.file_bytes, largest)
    if sum(values.values()) > limits.version_bytes:
        raise _over(fields, "P4", "the version is too large", limits.version_bytes, sum(values.values()))
    return values


def _over(fields: Fields, rule: str, what: str, expected: int, seen: int) -> ContentError:
    return ContentError(Code.LIMIT_EXCEEDED, rule, what, where=fields.where, expected=f"at most {expected}", seen=seen)


def _check_entrypoints(fields: Fields, files: Mapping[str, FileEntry]) -> None:
    entrypoints = fields.object("entrypoints")
    named = entrypoints.texts("js") + (entrypoints.texts("css") if entrypoints.has("css") else ())
    for path in named:
        if path not in files:
            raise ContentError(
                Code.SCHEMA_INVALID, "M4", "an entrypoint that integrity does not list", where=fields.where, seen=path
            )


def _server_functions_module(fields: Fields, files: Mapping[str, FileEntry]) -> str | None:
    if not fields.has("serverFunctions"):
        return None
    server = fields.object("serverFunctions")
    if server.has("module") == server.has("endpoint"):
        raise fields.refuse("serverFunctions", "exactly one of module and endpoint must be there")
    if not isinstance(server.members.get("exports"), (list, dict)) or not server.members["exports"]:
        raise server.refuse("exports", "missing or empty")
    if server.has("endpoint"):
        if not _is_endpoint(server.text("endpoint")):
            raise server.refuse("endpoint", "not an absolute http(s) URL without credentials")
        return None
    module = server.text("module")
    if module not in files:
        raise server.refuse("module", "a file that integrity does not list", seen=module)
    return module


def _is_endpoint(text: str) -> bool:
    if _URL.fullmatch(text) is None:
        return False
    try:
        url = urlsplit(text)
        return url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0 and "@" not in url.netloc
    except ValueError:
        return False


def _provenance(value: Any) -> str | None:
    """`metadata` is kept as it is: provenance is taken from it only where it has the right form."""
    return value if isinstance(value, str) and 0 < len(value) <= PROVENANCE_LENGTH else None
