"""`status` and `verify`: what is released, and whether all of it is right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from artifact.errors import ConfigurationError, DeliveryError
from artifact.fields import format_time
from artifact.freshness import is_expired
from artifact.manifest import parse_manifest, verify_manifest
from artifact.paths import MANIFEST, Limits
from artifact.trust import TrustStore
from publisher.adapters.folder import FolderStore
from publisher.adapters.http import HttpReader
from publisher.cli import options
from publisher.cli.output import ReportedError, emit, table
from publisher.cli.publishing import version_source
from publisher.destinations import open_destination
from publisher.keyfiles import load_trust
from publisher.lateness import Served
from publisher.ports import Reader
from publisher.site import Checked, Site
from publisher.status import FeatureStatus, Status, edges_document
from publisher.status import status as status_of
from publisher.wiring import now


@click.command()
@click.argument("feature", type=options.FeatureType(), required=False)
@options.to
@options.trust_keys
@options.option("--edge", dest="edges", metavar="URL", multiple=True,
                help="A CDN's base URL: also say what it serves, and how late it is. Repeatable.")  # fmt: skip
@options.as_json
def status(feature: str | None, to: str, trust_keys: str, edges: tuple[str, ...], as_json: bool) -> None:
    """What is released: every feature of the remote index, or one FEATURE.

    An edge is late since it could have served something newer; by max-age at most, or something is wrong.

    \b
    Example:
      cdn-release status --to "$CONNECTION_STRING" --trust-keys trust.json --edge https://cdn.example.org
    """
    moment = now()
    result = status_of(
        open_destination(to).artifacts,
        load_trust(trust_keys),
        edges={url: HttpReader(url) for url in edges},
        now=moment,
        feature_id=feature,
        limits=Limits(),
    )
    emit(_status_document(result), as_json, lambda console: _print_status(console, result, moment))
    _raise_gravest(feature_status.error for feature_status in result.features)


def _status_document(result: Status) -> dict[str, Any]:
    remote = result.remote
    return {
        "remoteIndex": None
        if remote is None
        else {
            "sequence": remote.sequence,
            "generatedAt": format_time(remote.generated_at),
            "expiresAt": None if remote.expires_at is None else format_time(remote.expires_at),
            **edges_document(result.edges),
        },
        "features": [feature.document() for feature in result.features],
    }


def _print_status(console: Any, result: Status, moment: datetime) -> None:
    remote = result.remote
    if remote is None:
        console.print("no remote index: nothing is published here")
    else:
        expiry = _until(remote.expires_at, moment)
        console.print(f"remote index: sequence {remote.sequence}, {len(remote.entries)} features, expires {expiry}")
        for url, served in result.edges.items():
            console.print(f"{url}: {_served(served, remote.sequence)}", markup=False)
    columns = ["feature", "active", "canary", "sequence", "age", "expires", "last change", *result.edges]
    console.print(table(columns, [_row(feature, moment, list(result.edges)) for feature in result.features]))


def _row(feature: FeatureStatus, moment: datetime, edges: Sequence[str]) -> list[str]:
    index = feature.index
    if index is None:
        what = "not published" if feature.error is None else f"{feature.error.code}"
        return [feature.feature_id, what, "", "", "", "", "", *("" for _ in edges)]
    change = index.change
    sequence = str(index.sequence)
    if feature.listed_sequence != index.sequence:
        listed = "none" if feature.listed_sequence is None else str(feature.listed_sequence)
        sequence += f" (remote index: {listed})"
    return [
        feature.feature_id,
        index.active.text,
        "–" if index.canary is None else index.canary.text,
        sequence,
        "–" if index.updated_at is None else _span(moment - index.updated_at),
        _until(index.expires_at, moment),
        "–" if change is None else " ".join(part for part in (change.action, change.version, change.actor) if part),
        *(_served(feature.edges[url], index.sequence) for url in edges),
    ]


def _served(served: Served, newest: int) -> str:
    if served.error is not None:
        return str(served.error.code)
    late = "" if served.late is None else f", {_span(served.late)} late"
    if served.sequence is None:
        return f"nothing{late}"
    return "current" if served.sequence >= newest else f"sequence {served.sequence}{late}"


def _until(moment: datetime | None, now_: datetime) -> str:
    if moment is None:
        return "never"
    return "EXPIRED" if is_expired(moment, now_) else f"in {_span(moment - now_)}"


def _span(span: timedelta) -> str:
    seconds = max(0, int(span.total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


@click.command()
@click.argument("target", metavar="DIR|BUNDLE|URL")
@options.trust_keys
@options.as_json
def verify(target: str, trust_keys: str, as_json: bool) -> None:
    """Verify a version directory, a bundle, a published tree, or all that a CDN's URL serves.

    A URL or folder with a remote-index.json is an environment; one with a releases.json is a feature, whose id is the
    last part of its path.

    \b
    Examples:
      cdn-release verify dist/feature-patientlist/1.0.0 --trust-keys trust.json
      cdn-release verify https://cdn.example.org --trust-keys trust.json
    """
    trust = load_trust(trust_keys)
    path = Path(target)
    is_url = "://" in target
    if not is_url and not path.exists():
        raise ConfigurationError("no such file or folder", where=target)
    if not is_url and (path.is_file() or (path / MANIFEST).exists()):
        _verify_version(path, trust, as_json)
    else:
        reader: Reader = HttpReader(target) if is_url else FolderStore(path)
        _verify_site(reader, target, trust, as_json)


def _verify_version(path: Path, trust: TrustStore, as_json: bool) -> None:
    limits = Limits()
    with ExitStack() as stack:
        source = version_source(path, stack)
        parsed = parse_manifest(source.manifest(), where=source.where, limits=limits)
        name = parsed.manifest
        verified = verify_manifest(parsed, trust, feature_id=name.feature_id, version=name.version, at=now())
        files = source.files(verified.manifest)
    document = {
        "featureId": name.feature_id,
        "version": name.version.text,
        "keyId": verified.key_id,
        "files": len(files),
        "bytes": sum(file.size for file in files),
    }
    emit(
        document,
        as_json,
        lambda console: console.print(
            f"right: {name.feature_id} {name.version}, {len(files)} files, signed by {verified.key_id}"
        ),
    )


def _verify_site(reader: Reader, target: str, trust: TrustStore, as_json: bool) -> None:
    site = Site(reader, trust, now(), Limits())
    remote = site.remote_index()
    if remote is not None:
        checked = list(site.check(remote))
    else:
        checked = [site.check_feature(target.rstrip("/").rpartition("/")[2], "")]
    document = {
        "target": target,
        "remoteIndexSequence": None if remote is None else remote.index.sequence,
        "features": [_checked_document(feature) for feature in checked],
    }
    emit(document, as_json, lambda console: console.print(table(CHECKED_COLUMNS, [_checked_row(c) for c in checked])))
    _raise_gravest(feature.error for feature in checked)


CHECKED_COLUMNS = ("feature", "active", "sequence", "versions", "files", "result")


def _checked_document(checked: Checked) -> dict[str, Any]:
    return {
        "featureId": checked.feature_id,
        "sequence": checked.sequence,
        "activeVersion": checked.active,
        "versions": checked.versions,
        "files": checked.files,
        "error": None if checked.error is None else checked.error.as_json(),
    }


def _checked_row(checked: Checked) -> list[str]:
    result = "right" if checked.error is None else str(checked.error.code)
    numbers = (checked.sequence, checked.versions, checked.files)
    return [checked.feature_id, checked.active or "–", *("–" if n is None else str(n) for n in numbers), result]


def _raise_gravest(errors: Iterable[DeliveryError | None]) -> None:
    """The exit status of several features is the gravest (C1); the report has been printed."""
    found = [error for error in errors if error is not None]
    if found:
        raise ReportedError(max(found, key=lambda error: error.exit_status))


COMMANDS = (status, verify)
