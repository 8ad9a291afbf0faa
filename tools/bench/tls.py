"""A certificate authority of one's own, for one run, and one certificate for the addresses of its servers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

VALIDITY = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files: whom the clients believe, and what the server shows."""

    authority: Path
    certificate: Path
    key: Path


def certificates(folder: Path, addresses: Iterable[str]) -> Certificates:
    """New ones, in `folder`, for IP addresses."""
    made = Certificates(folder / "authority.pem", folder / "server.pem", folder / "server.key")
    root, key = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
    name = _name("Benchmark authority")
    can_sign = x509.BasicConstraints(ca=True, path_length=0)
    authority = _builder(name, name, root).add_extension(can_sign, critical=True).sign(root, hashes.SHA256())
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address)) for address in addresses])
    server = _builder(_name("Benchmark server"), name, key).add_extension(names, critical=False)
    folder.mkdir(parents=True, exist_ok=True)
    made.authority.write_bytes(authority.public_bytes(Encoding.PEM))
    made.certificate.write_bytes(server.sign(root, hashes.SHA256()).public_bytes(Encoding.PEM))
    made.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return made


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    moment = datetime.now(UTC)
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - timedelta(minutes=5))
        .not_valid_after(moment + VALIDITY)
    )
