"""A key whose seed is a secret in Azure Key Vault, which has no Ed25519 keys of its own. Slow to import."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import KeyVaultSecret, SecretClient

from artifact.errors import Code, ConfigurationError, DeliveryError, TransientError
from artifact.keys import KeySigner, PrivateKey

EXPECTED = "https://VAULT.vault.azure.net/secrets/NAME, or with /VERSION after it"
LABEL = "keyId"
"""The tag of the secret that names its key: a new value comes with a new id (S6)."""

# The vault is asked once a start and then every few minutes: a short wait serves better than the library's ten tries.
_PATIENCE = {"retry_total": 3, "connection_timeout": 10, "read_timeout": 10}

logger = logging.getLogger("favn.publisher.keyvault")


@dataclass(frozen=True, slots=True)
class SecretName:
    """Which secret of which vault; the newest version where `version` is empty."""

    vault: str
    name: str
    version: str

    @classmethod
    def parse(cls, url: str) -> SecretName:
        """From a secret's identifier, as the portal shows it. Raises ConfigurationError."""
        try:
            parts = urlsplit(url)
            _ = parts.port  # which is looked at only now
        except ValueError:
            raise ConfigurationError("not a URL", where="key", expected=EXPECTED) from None
        is_plain = parts.scheme == "https" and parts.hostname and not (parts.username or parts.query or parts.fragment)
        match parts.path.split("/"):
            case ["", "secrets", name, *rest] if is_plain and name and len(rest) <= 1:
                return cls(f"https://{parts.netloc}", name, "".join(rest))
        seen = f"{parts.scheme}://{parts.hostname}{parts.path}"
        raise ConfigurationError("not a secret of a Key Vault", where="key", expected=EXPECTED, seen=seen)

    def __str__(self) -> str:
        return "/".join(part for part in (self.vault, "secrets", self.name, self.version) if part)


@dataclass(frozen=True, slots=True)
class _Held:
    signer: KeySigner
    until: float


class VaultKey:
    """The key as it stands in the vault: read again after `reread`, so that a rotation needs no restart. Thread-safe.

    Where the secret has no tag `keyId`, the key's id is `label`. `accept` raises ConfigurationError for a key that must
    not sign.
    """

    def __init__(
        self,
        client: SecretClient,
        secret: SecretName,
        label: str,
        *,
        accept: Callable[[KeySigner], None],
        reread: timedelta,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._secret, self._label = client, secret, label
        self._accept, self._clock, self._span = accept, clock, reread.total_seconds()
        self._lock = Lock()
        self._held: _Held | None = None

    def current(self) -> KeySigner:
        """The key and its id, as they were read together: no rotation comes between them.

        Raises DeliveryError while the key could never be read. Later the last good one stays, and the log says why.
        """
        held = self._held
        if held is not None and (self._clock() < held.until or self._lock.locked()):
            return held.signer  # where it is due, somebody else is reading it again
        with self._lock:
            return self._renewed()

    def _renewed(self) -> KeySigner:
        held = self._held
        if held is not None and self._clock() < held.until:
            return held.signer
        try:
            signer = self._read()
        except DeliveryError as error:
            if held is None:
                raise
            logger.warning("the key %s stays: what is in the Key Vault cannot be used: %s", held.signer.key_id, error)
            signer = held.signer
        if held is not None and signer.key_id != held.signer.key_id:
            logger.info("the key is %s from now on; it was %s", signer.key_id, held.signer.key_id)
        self._held = _Held(signer, self._clock() + self._span)
        return signer

    def _read(self) -> KeySigner:
        where = str(self._secret)
        try:
            secret = self._client.get_secret(self._secret.name, self._secret.version or None)
        except AzureError as error:
            raise _error(error, where) from None
        except ValueError:
            # The library's own check: the vault wants a token for somebody else.
            raise ConfigurationError("not a Key Vault", where=where, expected=EXPECTED) from None
        signer = _signer(secret, self._label, where)
        self._accept(signer)
        return signer


def open_key(url: str, label: str, *, accept: Callable[[KeySigner], None], reread: timedelta) -> VaultKey:
    """The key of the secret `url`, by the identity that runs this; nothing is asked of the vault yet.

    Raises ConfigurationError.
    """
    secret = SecretName.parse(url)
    client = SecretClient(secret.vault, DefaultAzureCredential(), **_PATIENCE)
    return VaultKey(client, secret, label, accept=accept, reread=reread)


def _signer(secret: KeyVaultSecret, label: str, where: str) -> KeySigner:
    key_id = (secret.properties.tags or {}).get(LABEL) or label
    if not key_id:
        raise ConfigurationError("the key has no id", rule="S2", where=where, expected=f"a tag {LABEL}, or a label")
    return KeySigner(key_id, PrivateKey.parse(secret.value or "", where=where))


def _error(error: AzureError, where: str) -> DeliveryError:
    status = error.status_code if isinstance(error, HttpResponseError) else None
    if isinstance(error, ResourceNotFoundError):
        return ConfigurationError("the Key Vault has no such secret", rule="C2", where=where, seen=status)
    seen = status or type(error).__name__
    if isinstance(error, ClientAuthenticationError) or status in {401, 403}:
        what = "the Key Vault does not permit to read the secret"
        return TransientError(
            Code.UNAUTHORIZED, "C2", what, where=where, expected="the role Key Vault Secrets User", seen=seen
        )
    return TransientError(Code.TRANSPORT_FAILED, "C2", "the Key Vault does not answer", where=where, seen=seen)
