"""S1, S3: keys and the forms they come in."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from artifact.errors import ConfigurationError
from artifact.keys import PrivateKey, PublicKey
from tests.vectors.judge import load

# RFC 8032, 7.1, test 3
SEED = bytes.fromhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7")
PUBLIC = bytes.fromhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")
MESSAGE = bytes.fromhex("af82")
SIGNATURE = bytes.fromhex(
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
)
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _pkcs8(key: Ed25519PrivateKey | Ed448PrivateKey, password: bytes | None = None) -> str:
    encryption = serialization.NoEncryption() if password is None else serialization.BestAvailableEncryption(password)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption).decode()


def test_signatures_are_those_of_rfc_8032() -> None:
    key = PrivateKey.parse(_base64(SEED), where="test")
    assert key.sign(MESSAGE) == SIGNATURE
    assert key.public().raw == PUBLIC
    assert PublicKey(PUBLIC).verifies(SIGNATURE, MESSAGE)


@pytest.mark.parametrize("at", range(64))
def test_a_signature_with_one_bit_changed_is_none(at: int) -> None:
    """T01."""
    changed = bytearray(SIGNATURE)
    changed[at] ^= 1
    assert not PublicKey(PUBLIC).verifies(bytes(changed), MESSAGE)


def test_a_signature_has_one_form_only() -> None:
    """T01: S and S plus the order of the group are the same to the arithmetic, not to RFC 8032."""
    scalar = int.from_bytes(SIGNATURE[32:], "little") + GROUP_ORDER
    assert not PublicKey(PUBLIC).verifies(SIGNATURE[:32] + scalar.to_bytes(32, "little"), MESSAGE)


@pytest.mark.parametrize("signature", [b"", SIGNATURE[:63], SIGNATURE + b"\0"])
def test_a_signature_of_another_length_is_none(signature: bytes) -> None:
    assert not PublicKey(PUBLIC).verifies(signature, MESSAGE)


@pytest.mark.parametrize("name", load("keys.json"))
def test_every_form_of_a_key_is_the_same_key(name: str) -> None:
    said = load("keys.json")[name]
    private = PrivateKey.parse(said["privateKey"], where="test")
    public = PublicKey.parse(said["publicKey"], where="test")
    assert private.public() == public
    assert hash(private.public()) == hash(public)
    assert PublicKey.parse("\n" + public.pem() + "\n", where="test") == public
    assert PublicKey.parse(said["publicKey"] + "\n", where="test") == public
    assert private.pem() == said["privateKey"]


def test_generated_keys_differ_and_are_read_back() -> None:
    one, other = PrivateKey.generate(), PrivateKey.generate()
    assert one.public() != other.public()
    assert PrivateKey.parse(one.pem(), where="test").public() == one.public()
    assert one.public() != one.public().raw


NO_PRIVATE_KEYS = {
    "nothing": "",
    "a word": "key",
    "31 bytes": _base64(SEED[:31]),
    "33 bytes": _base64(SEED + b"\0"),
    "base64 without padding": _base64(SEED).rstrip("="),
    "letters beyond ASCII": "æ" * 44,
    "a public key": PublicKey(PUBLIC).pem(),
    "another algorithm": _pkcs8(Ed448PrivateKey.from_private_bytes(bytes(57))),
    "a password": _pkcs8(Ed25519PrivateKey.from_private_bytes(SEED), b"word"),
    "an unknown algorithm": _pkcs8(Ed25519PrivateKey.from_private_bytes(SEED)).replace(
        "AQAwBQYDK2VwB", "AQAwBQYDK2V/B"
    ),
    "a cut PEM": "-----BEGIN PRIVATE KEY-----\n",
    "a lone surrogate": "-----BEGIN \udcff",
}


@pytest.mark.parametrize("text", NO_PRIVATE_KEYS.values(), ids=NO_PRIVATE_KEYS)
def test_what_is_no_private_key_is_refused_without_showing_it(text: str) -> None:
    """T21."""
    with pytest.raises(ConfigurationError) as refusal:
        PrivateKey.parse(text, where="release key")
    assert str(refusal.value).startswith("release key: ")
    middle = text[30:50]
    assert not middle or middle not in str(refusal.value)


def test_a_private_key_does_not_show_itself() -> None:
    """T21."""
    key = PrivateKey.parse(_base64(SEED), where="test")
    assert SEED.hex() not in repr(key)
    assert _base64(SEED) not in repr(key)


@given(st.text(max_size=80) | st.binary(min_size=32, max_size=32).map(_base64))
@settings(deadline=None)
def test_any_text_is_a_public_key_or_a_configuration_error(text: str) -> None:
    try:
        key = PublicKey.parse(text, where="test")
    except ConfigurationError:
        return
    assert PublicKey.parse(key.pem(), where="test") == key


@given(st.data())
@settings(deadline=None)
def test_a_damaged_pem_is_another_key_or_a_configuration_error(data: st.DataObject) -> None:
    pem = PublicKey(PUBLIC).pem()
    at = data.draw(st.integers(0, len(pem) - 1))
    letter = data.draw(st.characters(codec="ascii"))
    try:
        key = PublicKey.parse(pem[:at] + letter + pem[at + 1 :], where="test")
    except ConfigurationError:
        return
    assert len(key.raw) == 32
