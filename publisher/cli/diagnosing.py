"""`doctor`: is everything in place, and if not, what is to be done."""

from __future__ import annotations

from typing import Any

import click

from artifact.errors import DeliveryError
from artifact.paths import Limits
from publisher.adapters.http import HttpReader
from publisher.cli import options
from publisher.cli.output import ReportedError, emit, table
from publisher.destinations import open_destination
from publisher.doctor import Finding, Patient, examine
from publisher.keyfiles import load_trust
from publisher.signers import load_signer
from publisher.wiring import now


@click.command()
@options.to
@options.trust_keys
@options.option("--key", metavar="FILE", help="The release key, to hold against the trust store.")
@options.option("--key-id", metavar="LABEL", help="Its id in the trust store.")
@options.option("--edge", metavar="URL", help="The CDN's base URL: also check what readers get.")
@options.as_json
def doctor(to: str, trust_keys: str, key: str | None, key_id: str | None, edge: str | None, as_json: bool) -> None:
    """Check the whole way from keys and storage to what readers get, and say what to do.

    Nothing is changed; one probe object is written and deleted. Exit status 0 means no problem; warnings are none.

    \b
    Example:
      cdn-release doctor --to "$CONNECTION_STRING" --trust-keys trust.json --key release.pem --key-id release-2026 \\
          --edge https://cdn.example.org
    """
    patient = Patient(
        store=open_destination(to).artifacts,
        trust=load_trust(trust_keys),
        signer=None if key is None else load_signer(key, key_id or ""),
        edge=None if edge is None else HttpReader(edge),
        now=now(),
        limits=Limits(),
    )
    findings = list(examine(patient))
    document = {"findings": [_document(finding) for finding in findings]}

    def text(console: Any) -> None:
        rows = [[finding.level, finding.check, finding.what, finding.remedy] for finding in findings]
        console.print(table(["", "check", "found", "what to do"], rows))

    emit(document, as_json, text)
    errors: list[DeliveryError] = [finding.error for finding in findings if finding.error is not None]
    if errors:
        raise ReportedError(max(errors, key=lambda error: error.exit_status))


def _document(finding: Finding) -> dict[str, Any]:
    error = None if finding.error is None else finding.error.as_json()
    return {
        "check": finding.check,
        "level": finding.level,
        "found": finding.what,
        "remedy": finding.remedy or None,
        "error": error,
    }


COMMANDS = (doctor,)
