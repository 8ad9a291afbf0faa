"""Who signs: a key in a file, in a setting, or in a Key Vault, by how it is written (C2)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from artifact.keys import KeySigner
from publisher.keyfiles import signer_of

REREAD = timedelta(minutes=5)


def load_signer(value: str, key_id: str) -> KeySigner:
    """The signer as it is now. Raises ConfigurationError, and TransientError where a Key Vault does not answer."""
    return signer_source(value, key_id)()


def signer_source(
    value: str,
    key_id: str,
    *,
    accept: Callable[[KeySigner], None] = lambda _: None,
    reread: timedelta = REREAD,
) -> Callable[[], KeySigner]:
    """What gives the signer of the moment: take it once for all that belongs together.

    `value` is the URL of a secret in a Key Vault, which is read again after `reread`, or a file's path, or the key's
    text. Raises ConfigurationError; `accept` does so for a key that must not sign.
    """
    if value.strip().startswith("https://"):
        # Imported here: a key in a file need not wait for azure.*
        from publisher.adapters.keyvault import open_key  # noqa: PLC0415

        return open_key(value.strip(), key_id, accept=accept, reread=reread).current
    signer = signer_of(value, key_id)
    accept(signer)
    return lambda: signer
