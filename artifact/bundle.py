"""B1: the bundle, the one object that CI uploads: a gzipped tar of a version directory, manifest.json first.

Reading is a single pass over chunks, in bounded memory. What does not stand in the manifest never reaches the caller,
and a file's last chunk is given out only when its size and hash are right.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from artifact.documents import MANIFEST_LIMIT
from artifact.errors import Code, ContentError
from artifact.manifest import FileEntry, Manifest
from artifact.paths import MANIFEST, Limits, check_path
from artifact.tar import BLOCK, END, PAX_LIMIT, Header, TarError, decode_header, decode_pax, encode_member, padded

CHUNK = 256 * 1024
RECORD = 20 * BLOCK
"""Ordinary tars are padded with zeros to whole records of this size."""

_GZIP = 16 + zlib.MAX_WBITS


def write_tar(manifest: bytes, files: Iterable[tuple[str, int, Iterable[bytes]]]) -> Iterator[bytes]:
    """The tar of a version directory: manifest.json, then `files` as (path, size, content) in path order."""
    yield from encode_member(MANIFEST, len(manifest), (manifest,))
    for path, size, content in files:
        yield from encode_member(path, size, content)
    yield END


class BundleReader:
    """One pass over a bundle: first `manifest`, then `files`. Raises ContentError, see `files`."""

    def __init__(self, chunks: Iterable[bytes], *, where: str, limits: Limits) -> None:
        self._where = where
        self._limits = limits
        self._source = _Buffer(_inflate(chunks, where), where)

    def manifest(self) -> bytes:
        """The bytes of manifest.json, which must be the first member. Nobody has vouched for them yet."""
        member = self._member()
        if member is None or member.path != MANIFEST:
            raise self._invalid("manifest.json is not the first member", None if member is None else member.path)
        if member.size > MANIFEST_LIMIT:
            raise self._too_large("F1", MANIFEST, MANIFEST_LIMIT, member.size)
        data = b"".join(self._source.take(member.size))
        self._skip_padding(member.size)
        return data

    def files(self, manifest: Manifest) -> Iterator[tuple[FileEntry, Iterator[bytes]]]:
        """Every file that `manifest` declares, in path order, with its content, to be consumed before the next.

        Raises ContentError: `file_undeclared`, `file_missing`, `integrity_mismatch`, `limit_exceeded`, `path_invalid`,
        and `bundle_invalid` for all else that B1 forbids, down to the last byte of the object.
        """
        missing: dict[str, FileEntry] = dict(manifest.files)
        last, total = "", 0
        while (member := self._member()) is not None:
            entry = self._declared(member, missing, manifest.files)
            if member.path < last:
                raise self._invalid("members are not in path order", f"{member.path} after {last}")
            last, total = member.path, total + member.size
            self._check_size(member, entry, total)
            content = self._content(entry, member.size)
            yield entry, content
            for _ in content:
                raise RuntimeError("the content was not consumed")
        if missing:
            raise ContentError(
                Code.FILE_MISSING, "M2", "a declared file is not in the bundle", where=self._where, seen=min(missing)
            )
        self._source.expect_end()

    def _declared(self, member: Header, missing: dict[str, FileEntry], declared: Mapping[str, FileEntry]) -> FileEntry:
        entry = missing.pop(member.path, None)
        if entry is not None:
            return entry
        if member.path in declared or member.path == MANIFEST:
            raise self._invalid("a repeated member", member.path)
        check_path(member.path, where=self._where)
        raise ContentError(
            Code.FILE_UNDECLARED, "M2", "a file that the manifest does not declare", where=self._where, seen=member.path
        )

    def _check_size(self, member: Header, entry: FileEntry, total: int) -> None:
        if entry.size is not None and member.size != entry.size:
            raise ContentError(
                Code.INTEGRITY_MISMATCH,
                "M3",
                f"{member.path} has another size than the manifest says",
                where=self._where,
                expected=entry.size,
                seen=member.size,
            )
        if member.size > self._limits.file_bytes:
            raise self._too_large("P4", member.path, self._limits.file_bytes, member.size)
        if total > self._limits.version_bytes:
            raise self._too_large("P4", "the version", self._limits.version_bytes, total)

    def _content(self, entry: FileEntry, size: int) -> Iterator[bytes]:
        digest = hashlib.sha256()
        left = size
        for chunk in self._source.take(size):
            digest.update(chunk)
            left -= len(chunk)
            if left == 0:
                self._check_digest(entry, digest.digest())
            yield chunk
        if size == 0:
            self._check_digest(entry, digest.digest())
        self._skip_padding(size)

    def _check_digest(self, entry: FileEntry, seen: bytes) -> None:
        if seen != entry.sha256:
            raise ContentError(
                Code.INTEGRITY_MISMATCH,
                "M2",
                f"{entry.path} is not the file that the manifest declares",
                where=self._where,
                expected=entry.sha256.hex(),
                seen=seen.hex(),
            )

    def _member(self) -> Header | None:
        """The next member's header, its pax path applied; None at the end-of-archive blocks."""
        try:
            header = self._header()
            if header is None or not header.is_pax:
                return header
            if header.size > PAX_LIMIT:
                raise TarError("a pax header that is not one path record")
            path = decode_pax(b"".join(self._source.take(header.size)))
            self._skip_padding(header.size)
            target = self._header()
            if target is None or target.is_pax:
                raise TarError("a pax header without a file")
            return Header(path, target.size, is_pax=False)
        except TarError as error:
            raise self._invalid(str(error)) from error

    def _header(self) -> Header | None:
        block = b"".join(self._source.take(BLOCK))
        if any(block):
            return decode_header(block)
        if any(b"".join(self._source.take(BLOCK))):
            raise TarError("a lone zero block")
        return None

    def _skip_padding(self, size: int) -> None:
        if any(b"".join(self._source.take(padded(size) - size))):
            raise self._invalid("data in a member's padding")

    def _invalid(self, what: str, seen: object = None) -> ContentError:
        return _invalid(what, self._where, seen)

    def _too_large(self, rule: str, name: str, limit: int, seen: int) -> ContentError:
        return ContentError(
            Code.LIMIT_EXCEEDED, rule, f"{name} is too large", where=self._where, expected=f"at most {limit}", seen=seen
        )


class _Buffer:
    """Exact amounts out of arbitrary chunks."""

    def __init__(self, chunks: Iterator[bytes], where: str) -> None:
        self._chunks = chunks
        self._where = where
        self._chunk = b""
        self._at = 0

    def take(self, size: int) -> Iterator[bytes]:
        """The next `size` bytes, in chunks; `bundle_invalid` where there are fewer."""
        while size > 0:
            if self._at == len(self._chunk):
                self._chunk, self._at = next(self._chunks, b""), 0
                if not self._chunk:
                    raise _invalid("the archive ends in the middle", self._where)
            piece = self._chunk[self._at : self._at + size]
            self._at += len(piece)
            size -= len(piece)
            yield piece

    def expect_end(self) -> None:
        """Nothing but the zeros that pad the last record."""
        zeros = 0
        for rest in chain((self._chunk[self._at :],), self._chunks):
            zeros += len(rest)
            if any(rest) or zeros > RECORD:
                raise _invalid("data after the end of the archive", self._where)


def _inflate(chunks: Iterable[bytes], where: str) -> Iterator[bytes]:
    """The content of one gzip member that ends where the chunks end; never more than CHUNK bytes at once."""
    inflater = zlib.decompressobj(_GZIP)
    for chunk in chunks:
        pending = chunk
        while pending:
            if inflater.eof:
                raise _invalid("data after the end of the gzip member", where)
            try:
                piece = inflater.decompress(pending, CHUNK)
            except zlib.error as error:
                raise _invalid("not a gzip archive, or a damaged one", where) from error
            pending = inflater.unconsumed_tail or inflater.unused_data
            if piece:
                yield piece
    if not inflater.eof:
        raise _invalid("the gzip member is cut short", where)


def _invalid(what: str, where: str, seen: object = None) -> ContentError:
    return ContentError(Code.BUNDLE_INVALID, "B1", what, where=where, seen=seen)
