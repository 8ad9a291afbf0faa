"""A key whose seed is a secret in Azure Key Vault, which has no Ed25519 keys of its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from artifact.errors import Code, ConfigurationError, DeliveryError, TransientError
from artifact.keys import KeySigner, PrivateKey

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError
    from azure.keyvault.secrets import KeyVaultSecret, SecretClient

EXPECTED = "https://VAULT.vault.azure.net/secrets/NAME, or with /VERSION after it"
LABEL = "keyId"
"""The tag of the secret that names its key: a new value comes with a new id (S6)."""

REREAD = timedelta(minutes=5)

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
        kind, name, version, *more = [*parts.path.strip("/").split("/"), "", "", ""][: 3 + parts.path.count("/")]
        well_formed = parts.scheme == "https" and parts.hostname and "@" not in parts.netloc and kind == "secrets"
        if not well_formed or not name or any(more) or parts.query or parts.fragment:
            shown = f"{parts.scheme}://{parts.hostname}{parts.path}"
            raise ConfigurationError("not a secret of a Key Vault", where="key", expected=EXPECTED, seen=shown)
        return cls(f"https://{parts.netloc}", name, version)

    def __str__(self) -> str:
        return "/".join(part for part in (self.vault, "secrets", self.name, self.version) if part)


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
        accept: Callable[[KeySigner], None] = lambda _: None,
        reread: timedelta = REREAD,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._secret, self._label = client, secret, label
        self._accept, self._clock, self._span = accept, clock, reread.total_seconds()
        self._lock = Lock()
        self._signer: KeySigner | None = None
        self._until = 0.0

    def current(self) -> KeySigner:
        """The key and its id, as they were read together: no rotation comes between them.

        Raises DeliveryError while the key could never be read. Later the last good one stays, and the log says why.
        """
        last = self._signer
        if last is not None and self._clock() < self._until:
            return last
        if not self._lock.acquire(blocking=last is None):
            assert last is not None
            return last  # somebody else is reading it again
        try:
            return self._renewed()
        finally:
            self._lock.release()

    def _renewed(self) -> KeySigner:
        last = self._signer
        if last is not None and self._clock() < self._until:
            return last
        try:
            signer = self._read()
        except DeliveryError as error:
            if last is None:
                raise
            logger.warning("the key %s stays: the Key Vault's cannot be taken: %s", last.key_id, error)
            signer = last
        if last is not None and signer.key_id != last.key_id:
            logger.info("the key is now %s, it was %s", signer.key_id, last.key_id)
        self._signer, self._until = signer, self._clock() + self._span
        return signer

    def _read(self) -> KeySigner:
        from azure.core.exceptions import AzureError  # noqa: PLC0415 (slow to import, seldom needed)

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
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415
    from azure.keyvault.secrets import SecretClient  # noqa: PLC0415

    secret = SecretName.parse(url)
    client = SecretClient(secret.vault, DefaultAzureCredential(), **_PATIENCE)
    return VaultKey(client, secret, label, accept=accept, reread=reread)


def _signer(secret: KeyVaultSecret, label: str, where: str) -> KeySigner:
    key_id = (secret.properties.tags or {}).get(LABEL) or label
    if not key_id:
        raise ConfigurationError("the key has no id", rule="S2", where=where, expected=f"a tag {LABEL}, or a label")
    return KeySigner(key_id, PrivateKey.parse(secret.value or "", where=where))


def _error(error: AzureError, where: str) -> DeliveryError:
    from azure.core.exceptions import (  # noqa: PLC0415
        ClientAuthenticationError,
        HttpResponseError,
        ResourceNotFoundError,
    )

    status = error.status_code if isinstance(error, HttpResponseError) else None
    if isinstance(error, ResourceNotFoundError):
        return ConfigurationError("the Key Vault has no such secret", rule="C2", where=where, seen=status)
    seen = status or type(error).__name__
    if isinstance(error, ClientAuthenticationError) or status in {401, 403}:
        what = "the Key Vault does not permit to read the secret"
        return TransientError(Code.UNAUTHORIZED, "C2", what, where=where, expected="the right Get of secrets", seen=seen)
    return TransientError(Code.TRANSPORT_FAILED, "C2", "the Key Vault does not answer", where=where, seen=seen)
