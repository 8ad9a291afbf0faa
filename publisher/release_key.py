"""S3, S4: whether readers would believe what a key signs, asked before it signs anything."""

from __future__ import annotations

from artifact.errors import ConfigurationError
from artifact.keys import Signer
from artifact.trust import Role, TrustStore

NEEDED = frozenset({Role.RELEASES, Role.INDEX})
_PROBE = b"whose key is this"


def check_release_key(signer: Signer, trust: TrustStore) -> None:
    """The key that signs indexes is the one of its id in the trust store, with the roles it needs.

    Raises ConfigurationError; its `what` alone says all that may be said to anybody.
    """
    trusted = trust.keys.get(signer.key_id)
    if trusted is None:
        raise _wrong(
            "the release key is not in the trust store: readers would refuse all that it signs", "S3", signer.key_id
        )
    if not trusted.key.verifies(signer.sign(_PROBE), _PROBE):
        raise _wrong("the release key is not that of its entry in the trust store", "S3", signer.key_id)
    if not trusted.roles >= NEEDED:
        raise _wrong(
            "the release key needs the roles releases and index in the trust store",
            "S4",
            signer.key_id,
            seen=", ".join(sorted(trusted.roles)) or "no role",
        )


def _wrong(what: str, rule: str, key_id: str, seen: str | None = None) -> ConfigurationError:
    return ConfigurationError(what, rule=rule, where=key_id, seen=seen)
