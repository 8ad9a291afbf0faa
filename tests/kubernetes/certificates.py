"""A certificate authority for one control plane: who the API server is, and who may be its administrator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALIDITY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """PEM files: a certificate, or a bare public key, and its private key."""

    public: Path
    private: Path


@dataclass(frozen=True, slots=True)
class Authority:
    """Issues certificates into `folder`; `certificate` is what others believe."""

    folder: Path
    certificate: Path
    name: x509.Name
    key: EllipticCurvePrivateKey

    @classmethod
    def new(cls, folder: Path) -> Self:
        """A fresh one."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = _name("test authority")
        made = cls(folder, folder / "authority.crt", name, generate_private_key(SECP256R1()))
        can_sign = x509.BasicConstraints(ca=True, path_length=0)
        builder = made._builder(name, made.key).add_extension(can_sign, critical=True)
        made.certificate.write_bytes(builder.sign(made.key, hashes.SHA256()).public_bytes(Encoding.PEM))
        return made

    def server(self, label: str, addresses: Iterable[str]) -> KeyPair:
        """For a server at IP addresses."""
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address)) for address in addresses])
        key = generate_private_key(SECP256R1())
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = self._builder(_name(label), key).add_extension(names, critical=False)
        return self._issue(label, builder.add_extension(usage, critical=False), key)

    def client(self, label: str, group: str) -> KeyPair:
        """For a user `label` of Kubernetes, in a group."""
        key = generate_private_key(SECP256R1())
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = self._builder(_name(label, group), key).add_extension(usage, critical=False)
        return self._issue(label, builder, key)

    def _builder(self, subject: x509.Name, key: EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        moment = datetime.now(UTC)
        return (
            x509.CertificateBuilder(subject_name=subject, issuer_name=self.name, public_key=key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(moment - timedelta(minutes=5))
            .not_valid_after(moment + VALIDITY)
        )

    def _issue(self, label: str, builder: x509.CertificateBuilder, key: EllipticCurvePrivateKey) -> KeyPair:
        pair = KeyPair(self.folder / f"{label}.crt", self.folder / f"{label}.key")
        pair.public.write_bytes(builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM))
        pair.private.write_bytes(_private(key))
        return pair


def key_pair(folder: Path, label: str) -> KeyPair:
    """A key without a certificate, as service account tokens are signed with."""
    key, pair = generate_private_key(SECP256R1()), KeyPair(folder / f"{label}.pub", folder / f"{label}.key")
    pair.public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    pair.private.write_bytes(_private(key))
    return pair


def _private(key: EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _name(common: str, organisation: str | None = None) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    if organisation is not None:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    return x509.Name(attributes)
