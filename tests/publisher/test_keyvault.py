"""A key in Key Vault, by the real library against a vault that speaks the public REST contract."""

from __future__ import annotations

import base64
import json
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.keyvault.secrets import SecretClient
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from artifact.documents import parse
from artifact.errors import Code, ConfigurationError, DeliveryError, TransientError
from artifact.keys import KeySigner, PrivateKey
from artifact.signing import check_signature, signed
from artifact.trust import Role, TrustStore
from publisher.adapters.keyvault import SecretName, VaultKey
from publisher.release_key import check_release_key
from publisher.signers import load_signer
from tests.publisher.vault import BROKEN, BUSY, FORBIDDEN, TOKEN, Answer, Vault
from tests.publisher.world import Clock
from tests.versions import Keys

HOST = "favn-prod.vault.azure.net"
REREAD = timedelta(minutes=5)


class Identity:
    """A credential whose token the vault accepts."""

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        assert scopes == ("https://vault.azure.net/.default",)
        return AccessToken(TOKEN, 2**40)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(vault: Vault, clock: Clock) -> Iterator[Callable[..., VaultKey]]:
    """A key of the running vault, by the real library, which tries once."""
    client = SecretClient(
        f"https://{vault.host}",
        Identity(),
        proxies={"https": vault.proxy},
        connection_verify=str(vault.ca_file),
        retry_total=1,
        retry_backoff_factor=0,
    )

    def make(url: str = vault.url("release"), accept: Callable[[KeySigner], None] = lambda _: None) -> VaultKey:
        return VaultKey(
            client,
            SecretName.parse(url),
            "label",
            accept=accept,
            reread=REREAD,
            clock=lambda: clock().timestamp(),
        )

    with client:
        yield make


def base64_of(key: PrivateKey) -> str:
    loaded = serialization.load_pem_private_key(key.pem().encode(), None)
    form = serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
    return base64.b64encode(loaded.private_bytes(*form)).decode()


def public(signer: KeySigner) -> str:
    return signer.key.public().pem()


@pytest.mark.parametrize("form", [PrivateKey.pem, base64_of])
def test_c2_a_secret_is_a_pem_or_the_base64_of_32_bytes(
    vault: Vault, opened: Callable[..., VaultKey], form: Callable[[PrivateKey], str]
) -> None:
    key = PrivateKey.generate()
    vault.put("release", form(key) + "\n")
    signer = opened().current()
    assert (signer.key_id, public(signer)) == ("label", key.public().pem())


def test_the_tag_of_the_secret_names_the_key(vault: Vault, opened: Callable[..., VaultKey]) -> None:
    vault.put("release", PrivateKey.generate().pem(), keyId="release-2027")
    assert opened().current().key_id == "release-2027"


def test_a_version_in_the_url_stays_that_version(vault: Vault, opened: Callable[..., VaultKey]) -> None:
    first = PrivateKey.generate()
    identity = vault.put("release", first.pem())
    vault.put("release", PrivateKey.generate().pem())
    assert public(opened(identity).current()) == first.public().pem()
    assert public(opened().current()) != first.public().pem()


def test_s6_a_rotation_is_picked_up_without_restart(
    vault: Vault, opened: Callable[..., VaultKey], clock: Clock
) -> None:
    vault.put("release", PrivateKey.generate().pem(), keyId="release-2026")
    key = opened()
    assert key.current().key_id == "release-2026"
    vault.put("release", PrivateKey.generate().pem(), keyId="release-2027")
    clock.pass_by(minutes=4)
    assert key.current().key_id == "release-2026"
    assert len(vault.asked) == 1
    clock.pass_by(minutes=1)
    assert key.current().key_id == "release-2027"


def test_s2_a_rotation_between_two_signatures_never_mixes_label_and_key(
    vault: Vault, opened: Callable[..., VaultKey], clock: Clock
) -> None:
    keys = {name: PrivateKey.generate() for name in ("release-2026", "release-2027")}
    store = {name: key.public().pem() for name, key in keys.items()}
    trust = TrustStore.parse(json.dumps(store).encode(), source="trust.json")
    vault.put("release", keys["release-2026"].pem(), keyId="release-2026")
    key = opened()
    held = key.current()
    vault.put("release", keys["release-2027"].pem(), keyId="release-2027")
    clock.pass_by(minutes=6)
    used = [held, key.current(), held]
    for signer, key_id in zip(used, ("release-2026", "release-2027", "release-2026"), strict=True):
        document = parse(signed({"a": 1}, signer), limit=1000, where="x")
        found = check_signature(document, trust, role=Role.INDEX, feature_id=None, at=None, where="x")
        assert found == key_id


@pytest.mark.parametrize("broken", ["no answer", "forbidden", "no key", "other curve", "no longer there"])
def test_s6_what_cannot_be_read_again_leaves_the_last_good_key_and_a_warning(
    vault: Vault, opened: Callable[..., VaultKey], clock: Clock, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    vault.put("release", PrivateKey.generate().pem(), keyId="release-2026")
    key = opened()
    good = key.current()
    rubbish = "cnViYmlzaCB0aGF0IGlzIG5vIGtleQ=="
    match broken:
        case "no answer":
            vault.instead = [BROKEN] * 2
        case "forbidden":
            vault.instead = [FORBIDDEN]
        case "no key":
            vault.put("release", rubbish)
        case "other curve":
            vault.put("release", _other_curve())
        case "no longer there":
            vault.secrets.clear()
    clock.pass_by(minutes=6)
    with caplog.at_level(logging.WARNING, "favn"):
        assert key.current() == good
    (record,) = caplog.records
    assert "release-2026 stays" in record.getMessage()
    assert rubbish not in caplog.text
    assert "PRIVATE" not in caplog.text
    vault.put("release", PrivateKey.generate().pem(), keyId="release-2027")
    clock.pass_by(minutes=6)
    assert key.current().key_id == "release-2027"


def _other_curve() -> str:
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(*form).decode()


def test_s6_a_key_that_readers_do_not_trust_yet_is_not_taken(
    vault: Vault, opened: Callable[..., VaultKey], clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    keys = Keys.new()
    vault.put("release", keys.release.key.pem(), keyId=keys.release.key_id)
    key = opened(accept=lambda signer: check_release_key(signer, keys.trust()))
    assert key.current() == KeySigner(keys.release.key_id, key.current().key)
    vault.put("release", PrivateKey.generate().pem(), keyId="release-2027")
    clock.pass_by(minutes=6)
    assert key.current().key_id == keys.release.key_id
    assert "not in the trust store" in caplog.text
    vault.put("release", PrivateKey.generate().pem(), keyId=keys.release.key_id)
    clock.pass_by(minutes=6)
    assert public(key.current()) == public(keys.release)
    assert "not that of its entry" in caplog.text


@pytest.mark.parametrize(
    ("instead", "kind", "code", "words"),
    [
        ([FORBIDDEN], TransientError, Code.UNAUTHORIZED, "does not permit"),
        ([Answer(401, "Unauthorized")], TransientError, Code.UNAUTHORIZED, "does not permit"),
        ([BROKEN] * 2, TransientError, Code.TRANSPORT_FAILED, "does not answer"),
        ([], ConfigurationError, Code.CONFIGURATION_INVALID, "no such secret"),
    ],
)
def test_c5_what_a_vault_refuses_is_said_with_a_code_and_the_name_of_the_secret(
    vault: Vault,
    opened: Callable[..., VaultKey],
    instead: list[Answer],
    kind: type[DeliveryError],
    code: Code,
    words: str,
) -> None:
    vault.instead = instead
    with pytest.raises(kind) as raised:
        opened().current()
    assert raised.value.code is code
    assert words in str(raised.value)
    assert vault.url("release") in str(raised.value)


def test_a_vault_that_is_busy_is_asked_again_after_the_time_it_names(
    vault: Vault, opened: Callable[..., VaultKey]
) -> None:
    vault.put("release", PrivateKey.generate().pem())
    vault.instead = [BUSY]
    assert opened().current().key_id == "label"
    assert len(vault.asked) == 2


def test_t21_a_server_that_wants_a_token_for_somebody_else_gets_none(
    vault: Vault, opened: Callable[..., VaultKey]
) -> None:
    vault.resource = "https://elsewhere.example"
    with pytest.raises(ConfigurationError, match="not a Key Vault"):
        opened().current()
    assert vault.asked == []


def test_nobody_waits_while_the_key_is_read_again(vault: Vault, opened: Callable[..., VaultKey], clock: Clock) -> None:
    vault.put("release", PrivateKey.generate().pem(), keyId="release-2026")
    key = opened()
    key.current()
    vault.put("release", PrivateKey.generate().pem(), keyId="release-2027")
    clock.pass_by(minutes=6)
    vault.arrived.clear()
    vault.answering.clear()
    found: list[str] = []
    reading = threading.Thread(target=lambda: found.append(key.current().key_id))
    reading.start()
    assert vault.arrived.wait(10)
    assert key.current().key_id == "release-2026"
    vault.answering.set()
    reading.join()
    assert found == ["release-2027"]


def test_a_start_with_many_functions_at_once_asks_the_vault_once(vault: Vault, opened: Callable[..., VaultKey]) -> None:
    vault.put("release", PrivateKey.generate().pem())
    vault.answering.clear()
    key = opened()
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(key.current) for _ in range(8)]
        assert vault.arrived.wait(10)
        vault.answering.set()
    assert len({public(one.result()) for one in waiting}) == 1
    assert len(vault.asked) == 1


@pytest.mark.parametrize(
    "url",
    [
        f"http://{HOST}/secrets/release", f"https://{HOST}", f"https://{HOST}/secrets/", f"https://{HOST}/keys/release",
        f"https://{HOST}/secrets/release/1/2", f"https://{HOST}/secrets/release?x=1", f"https://{HOST}:x/secrets/release",
        f"https://u:p@{HOST}/secrets/release",
    ],
)  # fmt: skip
def test_c2_what_is_no_secret_of_a_vault_is_refused_before_anything_is_asked(url: str) -> None:
    with pytest.raises(ConfigurationError):
        SecretName.parse(url)


def test_a_key_in_a_file_or_in_place_is_no_business_of_a_vault(tmp_path: Path) -> None:
    key = PrivateKey.generate()
    file = tmp_path / "release.pem"
    file.write_text(key.pem())
    for value in (str(file), key.pem()):
        assert public(load_signer(value, "release-2026")) == key.public().pem()
