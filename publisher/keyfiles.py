"""Keys and trust stores as people give them: a file's path, or the text itself."""

from __future__ import annotations

from pathlib import Path

from artifact.errors import ConfigurationError
from artifact.keys import KeySigner, PrivateKey
from artifact.trust import TRUST_STORE_LIMIT, TrustStore


def load_trust(value: str) -> TrustStore:
    """A trust store (S3) from a file, or from JSON given in place. Raises ConfigurationError."""
    if value.lstrip().startswith("{"):
        return TrustStore.parse(value.encode("utf-8"), source="trust keys")
    return TrustStore.parse(_read(value, "the trust keys"), source=value)


def signer_of(value: str, key_id: str) -> KeySigner:
    """A signer from a PKCS #8 PEM file, or from the PEM or base64 given in place. Raises ConfigurationError."""
    if not key_id:
        raise ConfigurationError("the key id is empty", rule="S2")
    if value.lstrip().startswith("-----BEGIN"):
        return KeySigner(key_id, PrivateKey.parse(value, where="private key"))
    text = _read(value, "the private key").decode("utf-8", "replace")
    return KeySigner(key_id, PrivateKey.parse(text, where=value))


def _read(path: str, what: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(TRUST_STORE_LIMIT + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no such path"
        raise ConfigurationError(f"cannot read {what}: {reason}", where=path[:200]) from error
