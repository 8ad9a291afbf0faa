"""S1, S2: signatures over documents."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import given, settings

from artifact.documents import REMOTE_INDEX_LIMIT, parse
from artifact.keys import KeySigner, PrivateKey
from artifact.signing import check_signature, signed
from artifact.trust import Role
from tests.artifact.strategies import documents
from tests.vectors.judge import load, store

SIGNER = KeySigner("plain", PrivateKey.parse(load("keys.json")["plain"]["privateKey"], where="test"))


def _check(document: dict[str, Any]) -> str:
    return check_signature(document, store("plain"), role=Role.INDEX, feature_id=None, at=None, where="test")


@given(documents)
@settings(deadline=None)
def test_whatever_is_signed_is_verified_unchanged_in_any_layout(document: dict[str, Any]) -> None:
    document.pop("signature", None)
    data = signed(document, SIGNER)
    for text in (data, json.dumps(json.loads(data), indent=2).encode()):
        read = parse(text, limit=REMOTE_INDEX_LIMIT, where="test")
        assert _check(read) == "plain"
        assert {name: value for name, value in read.items() if name != "signature"} == document


@given(documents)
@settings(deadline=None)
def test_signing_is_deterministic_and_replaces_an_older_signature(document: dict[str, Any]) -> None:
    assert signed(json.loads(signed(document, SIGNER)), SIGNER) == signed(document, SIGNER)


def test_only_the_top_level_signature_is_left_out() -> None:
    document = {"a": {"signature": "kept"}}
    read = json.loads(signed(document, SIGNER))
    assert read["a"] == {"signature": "kept"}
    value = base64.b64decode(read["signature"]["value"])
    assert SIGNER.key.public().verifies(value, b'{"a":{"signature":"kept"}}')
