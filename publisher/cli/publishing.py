"""`publish` and `submit`: a version goes into storage, directly or through the Functions app."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import click

from artifact.bundle import CHUNK, BundleReader
from artifact.errors import Code, ContentError, TransientError
from artifact.manifest import parse_manifest
from artifact.paths import Limits
from publisher.authoring import pack_directory
from publisher.cli import options
from publisher.cli.acting import acting
from publisher.cli.options import Writing
from publisher.cli.output import emit, progress_bar
from publisher.content_types import private
from publisher.destinations import Inbox, open_destination
from publisher.publish import publish as publish_version
from publisher.receipts import BundleName, read_receipt
from publisher.remote import commit_remote
from publisher.sources import BundleSource, DirectorySource, VersionSource
from publisher.spool import Spool

POLL_SECONDS = 0.5

version_path = click.argument("path", metavar="DIR|BUNDLE", type=click.Path(exists=True, path_type=Path))


@click.command()
@version_path
@options.writing
def publish(path: Path, **values: Any) -> None:
    """Publish a signed version directory or a bundle: verify all of it, upload it, commit both indexes.

    The same version again completes what is missing and is otherwise a no-op.

    \b
    Examples:
      cdn-release publish dist/feature-patientlist/1.0.0 --to file:///srv/cdn \\
          --trust-keys trust.json --key release-2026.pem --key-id release-2026
      cdn-release publish bundle.tar.gz --to "$CONNECTION_STRING" --dry-run …
    """
    given = Writing(**values)
    act = acting(given)
    with ExitStack() as stack:
        bar = stack.enter_context(progress_bar("publish"))
        source = version_source(path, stack)
        result = publish_version(
            act.environment, source, actor=given.who, reason=given.reason, ticket=given.ticket, progress=bar
        )
    remote = commit_remote(act.environment, [result.feature_id])
    document = act.report(
        {
            "featureId": result.feature_id,
            "version": result.version,
            "sequence": result.sequence,
            "activeVersion": result.active,
            "files": result.files,
            "bytes": result.bytes,
            "sent": result.sent,
            "unchanged": result.unchanged,
            "timings": result.timings,
            "remoteIndexSequence": None if remote is None else remote.index.sequence,
        }
    )

    def text(console: Any) -> None:
        verb = "unchanged" if result.unchanged else "published"
        console.print(
            f"{verb} {result.feature_id} {result.version}: sequence {result.sequence}, active {result.active}, "
            f"{result.files} files, {result.bytes} bytes ({result.sent} sent)"
        )
        act.print_rehearsal(console)

    emit(document, given.as_json, text)


@click.command()
@version_path
@options.option("--to", metavar="DESTINATION", required=True, help="A storage connection string or an account URL.")
@options.option("--timeout", type=click.IntRange(min=0), default=300, show_default=True, metavar="SECONDS",
                help="How long to wait for the receipt; 0: do not wait.")  # fmt: skip
@options.dry_run
@options.as_json
def submit(path: Path, to: str, timeout: int, dry_run: bool, as_json: bool) -> None:
    """Upload a signed version directory or a bundle to `incoming`, and wait for the app's receipt.

    \b
    Example:
      cdn-release submit dist/feature-patientlist/1.0.0 --to "$CONNECTION_STRING"
    """
    inbox = open_destination(to).of_account()
    with _bundle(path) as file:
        feature_id, version = _name_of(file, str(path))
        name = f"{feature_id}/{version}.tar.gz"
        size = file.seek(0, 2)
        if dry_run:
            _rehearse(name, size, as_json)
            return
        file.seek(0)
        etag = inbox.incoming.put_file(name, file, size, private(name))
    bundle = BundleName(feature_id, version, f"incoming/{name}", etag)
    receipt = _await_receipt(inbox, bundle, timeout) if timeout else None
    document = receipt if receipt is not None else {"bundle": bundle.bundle, "status": "submitted", "etag": etag}

    def text(console: Any) -> None:
        sequence = f" at sequence {document['sequence']}" if "sequence" in document else ""
        console.print(f"{document['status']} {feature_id} {version}{sequence}")

    emit(document, as_json, text)


def _rehearse(name: str, size: int, as_json: bool) -> None:
    document = {"bundle": f"incoming/{name}", "status": "dry run", "bytes": size}
    text = f"dry run: nothing was written; it would be incoming/{name} ({size} bytes)"
    emit(document, as_json, lambda console: console.print(text, markup=False))


def version_source(path: Path, stack: ExitStack) -> VersionSource:
    """A version directory or a bundle; `stack` closes what it needs."""
    if path.is_dir():
        return DirectorySource(path, Limits())
    file = stack.enter_context(path.open("rb"))
    spool = stack.enter_context(Spool())
    return BundleSource(_chunks(file), spool, where=str(path), limits=Limits())


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def _bundle(path: Path) -> BinaryIO:
    """The bundle's bytes: the file, or a directory packed into a temporary one."""
    if path.is_file():
        return path.open("rb")
    _, chunks = pack_directory(path, Limits())
    file = tempfile.TemporaryFile(prefix="cdn-release-")  # noqa: SIM115 (the caller closes it)
    file.writelines(chunks)
    file.seek(0)
    return file


def _name_of(file: BinaryIO, where: str) -> tuple[str, str]:
    data = BundleReader(_chunks(file), where=where, limits=Limits()).manifest()
    manifest = parse_manifest(data, where=where, limits=Limits()).manifest
    return manifest.feature_id, manifest.version.text


def _await_receipt(inbox: Inbox, bundle: BundleName, timeout: int) -> dict[str, Any]:
    """The final receipt. Raises what it says where the bundle was rejected, or TransientError at the time limit."""
    deadline = time.monotonic() + timeout
    last: dict[str, Any] | None = None
    while time.monotonic() < deadline:
        last = read_receipt(inbox.receipts, bundle)
        if last is not None and last["status"] == "published":
            return last
        if last is not None and last["status"] == "rejected":
            error = last["error"]
            raise ContentError(Code(error["code"]), error["rule"], error["message"], where="receipt")
        time.sleep(POLL_SECONDS)
    seen = "no receipt" if last is None else f"{last['status']}: {last['error']['message']}"
    raise TransientError(
        Code.TRANSPORT_FAILED, "B4", f"no final receipt within {timeout} s", where=bundle.receipt, seen=seen
    )


COMMANDS = (publish, submit)
