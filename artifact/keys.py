"""S1, S3: Ed25519 keys and the forms they come in."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from artifact.errors import ConfigurationError
from artifact.fields import strict_base64

KEY_BYTES = 32
SIGNATURE_BYTES = 64


class PublicKey:
    """A key that verifies. Two are equal where their 32 bytes are."""

    __slots__ = ("_key", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._key = Ed25519PublicKey.from_public_bytes(raw)

    @classmethod
    def parse(cls, text: str, *, where: str) -> PublicKey:
        """From an SPKI PEM or the base64 of 32 bytes (S3). Raises ConfigurationError."""
        if text.lstrip().startswith("-----BEGIN"):
            return cls(_spki(text, where))
        return cls(_raw(text, where, "an SPKI PEM or the base64 of 32 bytes"))

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether `signature` over `data` is this key's (RFC 8032)."""
        try:
            self._key.verify(signature, data)
        except InvalidSignature:
            return False
        return True

    def pem(self) -> str:
        """The SPKI PEM."""
        serialization = _serialization()
        encoded = self._key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        return encoded.decode("ascii")

    def __eq__(self, other: object) -> bool:
        return self.raw == other.raw if isinstance(other, PublicKey) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.raw)


class PrivateKey:
    """A key that signs. It never shows itself, but for `pem`."""

    __slots__ = ("_key",)

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def generate(cls) -> PrivateKey:
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def parse(cls, text: str, *, where: str) -> PrivateKey:
        """From a PKCS #8 PEM without a password or the base64 of the 32 seed bytes. Raises ConfigurationError."""
        if not text.lstrip().startswith("-----BEGIN"):
            return cls(Ed25519PrivateKey.from_private_bytes(_raw(text, where, "a PKCS #8 PEM or base64 of 32 bytes")))
        try:
            key = _serialization().load_pem_private_key(text.encode("utf-8"), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            # The library's text is left out: it may quote the key.
            raise ConfigurationError("not a private key", rule="S1", where=where, expected="a PKCS #8 PEM") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigurationError("wrong kind of private key", rule="S1", where=where, expected="Ed25519")
        return cls(key)

    def sign(self, data: bytes) -> bytes:
        """The 64 bytes of the RFC 8032 signature."""
        return self._key.sign(data)

    def public(self) -> PublicKey:
        return PublicKey(self._key.public_key().public_bytes_raw())

    def pem(self) -> str:
        """The PKCS #8 PEM. Secret."""
        serialization = _serialization()
        encoded = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return encoded.decode("ascii")


class Signer(Protocol):
    """Who signs: a label that selects a key in readers' trust stores (S4), and the act."""

    @property
    def key_id(self) -> str: ...

    def sign(self, data: bytes) -> bytes:
        """The 64 bytes of the RFC 8032 signature over `data`."""
        ...


@dataclass(frozen=True, slots=True)
class KeySigner:
    """A signer whose key is at hand."""

    key_id: str
    key: PrivateKey

    def sign(self, data: bytes) -> bytes:
        return self.key.sign(data)


def _raw(text: str, where: str, expected: str) -> bytes:
    try:
        raw = strict_base64(text.strip())
    except ValueError as error:
        raise ConfigurationError("not a key", rule="S3", where=where, expected=expected) from error
    if len(raw) != KEY_BYTES:
        raise ConfigurationError("not a key", rule="S3", where=where, expected=expected, seen=f"{len(raw)} bytes")
    return raw


def _spki(text: str, where: str) -> bytes:
    try:
        key = _serialization().load_pem_public_key(text.encode("utf-8"))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError("not a public key", rule="S3", where=where, expected="an SPKI PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigurationError("wrong kind of public key", rule="S3", where=where, expected="Ed25519")
    return key.public_bytes_raw()


def _serialization() -> ModuleType:
    """What reads and writes PEM. It costs 2 MiB, and a loader whose trust store holds plain keys never needs it."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    return serialization
