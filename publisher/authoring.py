"""What a feature team does to a build output before it leaves CI: sign the directory, pack the bundle."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from artifact.bundle import CHUNK
from artifact.documents import MANIFEST_LIMIT, parse
from artifact.errors import ConfigurationError
from artifact.keys import Signer
from artifact.manifest import Manifest, ParsedManifest, check_draft, integrity_of, parse_manifest
from artifact.paths import MANIFEST, Limits, check_paths
from artifact.signing import signed
from publisher.pack import pack
from publisher.sources import DirectorySource, SourceFile, list_files


def sign_directory(root: Path, signer: Signer, limits: Limits) -> ParsedManifest:
    """Complete the draft `manifest.json` of a version directory with `integrity`, `sizes` and `signature` (M2, M3).

    A manifest that was signed before is completed anew. The file is replaced in one step. Raises ContentError where
    the draft or a path breaks a rule, and ConfigurationError where there is no draft.
    """
    draft = parse(_draft(root), limit=MANIFEST_LIMIT, where=str(root / MANIFEST))
    check_draft(draft, where=str(root / MANIFEST))
    paths = sorted(list_files(root, str(root)))
    check_paths(paths, where=str(root))
    with ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="hash") as pool:
        hashed = dict(zip(paths, pool.map(lambda path: _hash(root / path), paths), strict=True))
    document = _completed(draft, hashed)
    data = signed(document, signer)
    parsed = parse_manifest(data, where=str(root / MANIFEST), limits=limits)
    _replace(root / MANIFEST, data)
    return parsed


def pack_directory(root: Path, limits: Limits) -> tuple[Manifest, Iterator[bytes]]:
    """The bundle of a signed version directory (B1), every file checked against the manifest first."""
    source = DirectorySource(root, limits)
    data = source.manifest()
    manifest = parse_manifest(data, where=str(root / MANIFEST), limits=limits).manifest
    files = source.files(manifest)
    return manifest, pack(data, ((file.entry.path, file.size, _chunks(file)) for file in files))


def _draft(root: Path) -> bytes:
    try:
        return (root / MANIFEST).read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"no draft manifest: {error.strerror}; a build leaves {MANIFEST} in the version directory",
            rule="C2",
            where=str(root / MANIFEST),
        ) from error


def _completed(draft: Mapping[str, Any], hashed: Mapping[str, tuple[bytes, int]]) -> dict[str, Any]:
    return {
        **draft,
        "integrity": {path: integrity_of(digest) for path, (digest, _) in hashed.items()},
        "sizes": {path: size for path, (_, size) in hashed.items()},
    }


def _hash(path: Path) -> tuple[bytes, int]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
        return digest, file.tell()


def _chunks(file: SourceFile) -> Iterator[bytes]:
    with file.open() as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def _replace(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
