"""S1, S2: signatures over documents."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from artifact.documents import canonical
from artifact.errors import Code, ContentError
from artifact.fields import Fields, strict_base64
from artifact.keys import SIGNATURE_BYTES, Signer
from artifact.trust import Role, TrustStore

ALGORITHM = "ed25519"

_MEMBERS = {"algorithm", "keyId", "value"}


def signed(document: Mapping[str, Any], signer: Signer) -> bytes:
    """The canonical bytes of `document` with its `signature`, which is made over all its other members (S1, F4)."""
    unsigned = _without_signature(document)
    value = base64.b64encode(signer.sign(canonical(unsigned))).decode("ascii")
    signature = {"algorithm": ALGORITHM, "keyId": signer.key_id, "value": value}
    return canonical({**unsigned, "signature": signature})


def check_signature(
    document: Mapping[str, Any],
    trust: TrustStore,
    *,
    role: Role,
    feature_id: str | None,
    at: datetime | None,
    where: str,
) -> str:
    """The id of the trusted key that signed `document` and may (S1-S4); `at` as in `TrustStore.key_for`.

    Raises ContentError: `signature_invalid`, `key_unknown`, `key_not_allowed`.
    """
    key_id, value = _signature(document, where)
    key = trust.key_for(key_id, role=role, feature_id=feature_id, at=at, where=where)
    if not key.verifies(value, canonical(_without_signature(document))):
        raise _invalid(f"the signature of key {key_id} is not over this content", where)
    return key_id


def check_bound(document: Mapping[str, Any], seen: str, *, sha256: str, where: str) -> str:
    """R3: the document is the one that a later, verified state names by its hash; the id of the key that signed it.

    Whether that key is trusted does not matter: it may have been rotated since (S6). `seen` and `sha256` are lower-case
    hex. Raises ContentError `sequence_fork`, or `signature_invalid` where it has no signature.
    """
    if seen != sha256:
        raise ContentError(
            Code.SEQUENCE_FORK, "R3", "not the state that the next one follows", where=where, expected=sha256, seen=seen
        )
    return _signature(document, where)[0]


def _without_signature(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "signature"}


def _signature(document: Mapping[str, Any], where: str) -> tuple[str, bytes]:
    """S2, to the letter: anything else is no signature."""
    if "signature" not in document:
        raise _invalid("no signature", where)
    try:
        fields = Fields(document, where=where, rule="S2").object("signature")
        if set(fields.members) != _MEMBERS:
            raise _invalid("bad signature", where, ", ".join(sorted(_MEMBERS)), ", ".join(sorted(fields.members)))
        fields.constant("algorithm", ALGORITHM)
        key_id, text = fields.text("keyId"), fields.text("value")
    except ContentError as error:
        raise _invalid(error.what, where, error.expected, error.seen) from error
    try:
        value = strict_base64(text)
    except ValueError as error:
        raise _invalid(f"signature.value is {error}", where) from error
    if len(value) != SIGNATURE_BYTES:
        raise _invalid("bad signature", where, f"{SIGNATURE_BYTES} bytes", len(value))
    return key_id, value


def _invalid(what: str, where: str, expected: object = None, seen: object = None) -> ContentError:
    return ContentError(Code.SIGNATURE_INVALID, "S2", what, where=where, expected=expected, seen=seen)
