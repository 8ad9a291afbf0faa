"""`keygen`, `sign`, `pack`: what a feature team does before its version leaves CI."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from artifact.errors import ConfigurationError
from artifact.keys import PrivateKey
from artifact.paths import Limits
from artifact.trust import Role
from publisher.authoring import pack_directory, sign_directory
from publisher.cli import options
from publisher.cli.output import emit
from publisher.signers import load_signer

ROLES = [role.value for role in Role]

directory = click.argument("directory", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))


@click.command()
@click.argument("label")
@options.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="The folder for both files."
)
@options.option(
    "--role", dest="roles", multiple=True, type=click.Choice(ROLES), default=[Role.MANIFEST.value], show_default=True,
    help="What the key may sign, in the trust store entry that is printed; repeatable.",
)  # fmt: skip
@options.option("--features", multiple=True, default=["*"], show_default=True, help="Whose; an id, or feature-*.")
@options.as_json
def keygen(label: str, out: Path, roles: tuple[str, ...], features: tuple[str, ...], as_json: bool) -> None:
    """Make a key pair: LABEL.pem (secret) and LABEL.pub.pem, and print its trust store entry.

    \b
    Example:
      cdn-release keygen build-2026 --out keys --role manifest --features 'feature-*'
    """
    if "/" in label or label.startswith("."):
        raise ConfigurationError("a label names two files: it has no '/' and does not begin with '.'", rule="C2")
    key = PrivateKey.generate()
    out.mkdir(parents=True, exist_ok=True)
    secret, public = out / f"{label}.pem", out / f"{label}.pub.pem"
    _create(secret, key.pem(), 0o600)
    _create(public, key.public().pem(), 0o644)
    entry = {label: {"publicKey": key.public().pem(), "roles": [*roles], "features": [*features]}}
    document: dict[str, Any] = {"privateKey": str(secret), "publicKey": str(public), "trust": entry}

    def text(console: Any) -> None:
        console.print(f"{secret}  the private key: keep it secret, for `--key`")
        console.print(f"{public}  the public key")
        console.print("For the trust store of those who should trust it:")
        console.print_json(json.dumps(entry))

    emit(document, as_json, text)


@click.command()
@directory
@options.key
@options.key_id
@options.as_json
def sign(directory: Path, key: str, key_id: str, as_json: bool) -> None:
    """Complete and sign DIR/manifest.json: integrity and sizes of every file, and the signature.

    DIR is a version directory as the build leaves it, its manifest.json a draft without these three members.

    \b
    Example:
      cdn-release sign dist/feature-patientlist/1.0.0 --key build-2026.pem --key-id build-2026
    """
    signer = load_signer(key, key_id)
    manifest = sign_directory(directory, signer, Limits()).manifest
    document = {
        "featureId": manifest.feature_id,
        "version": manifest.version.text,
        "files": len(manifest.files),
        "bytes": manifest.total_bytes,
        "keyId": signer.key_id,
    }
    emit(
        document,
        as_json,
        lambda console: console.print(
            f"signed {manifest.feature_id} {manifest.version}: {len(manifest.files)} files, "
            f"{manifest.total_bytes} bytes, by {signer.key_id}"
        ),
    )


@click.command()
@directory
@options.option(
    "--out", type=click.Path(path_type=Path), help="The bundle's file; <featureId>-<version>.tar.gz by default."
)
@options.as_json
def pack(directory: Path, out: Path | None, as_json: bool) -> None:
    """Pack the signed version directory DIR into one bundle. The same directory gives the same bytes.

    \b
    Example:
      cdn-release pack dist/feature-patientlist/1.0.0 --out bundle.tar.gz
    """
    manifest, chunks = pack_directory(directory, Limits())
    target = out if out is not None else Path(f"{manifest.feature_id}-{manifest.version}.tar.gz")
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.writelines(chunks)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    size = target.stat().st_size
    document = {
        "featureId": manifest.feature_id,
        "version": manifest.version.text,
        "bundle": str(target),
        "bytes": size,
    }
    emit(document, as_json, lambda console: console.print(f"packed {target}: {size} bytes"))


def _create(path: Path, text: str, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        raise ConfigurationError("a key file is never overwritten; move it away first", where=str(path)) from error
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


COMMANDS = (keygen, sign, pack)
