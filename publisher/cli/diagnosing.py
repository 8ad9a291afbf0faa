"""`doctor`: is everything in place, and if not, what is to be done."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from artifact.errors import DeliveryError
from publisher.adapters.http import HttpReader
from publisher.cli import options
from publisher.cli.acting import tidying
from publisher.cli.output import ReportedError, emit, table
from publisher.destinations import Inbox, open_destination
from publisher.doctor import Patient, examine
from publisher.edge import View
from publisher.findings import Finding
from publisher.ports import Store
from publisher.signers import load_signer


@click.command()
@options.to
@options.trust_keys
@options.option("--key", metavar="FILE|URL", help="The release key, to hold against the trust store.")
@options.option("--key-id", metavar="LABEL", help="Its id in the trust store.")
@options.option("--edge", metavar="URL", help="The CDN's base URL: also check what readers get.")
@options.option(
    "--origin", metavar="URL", help="A web origin that loads features from the edge: also check CORS for it."
)
@options.option("--app", metavar="URL", help="The Functions app, without /api: also ask for its health.")
@options.as_json
def doctor(
    to: str,
    trust_keys: str,
    key: str | None,
    key_id: str | None,
    edge: str | None,
    origin: str | None,
    app: str | None,
    as_json: bool,
) -> None:
    """Check the whole way from keys and storage to what readers get, and say what to do.

    Nothing is changed; one probe object is written and deleted. Exit status 0 means no problem; warnings are none.

    \b
    Example:
      cdn-release doctor --to "$CONNECTION_STRING" --trust-keys trust.json --key release.pem --key-id release-2026 \\
          --edge https://cdn.example.org --app https://favn.azurewebsites.net
    """
    storage, env = open_destination(to), tidying(to, trust_keys)
    patient = Patient(
        env=env,
        containers={} if storage.inbox is None else _containers(storage.inbox),
        signer=None if key is None else partial(load_signer, key, key_id or ""),
        view=None if edge is None else View(HttpReader(edge), env.trust, env.limits, origin),
        app=None if app is None else HttpReader(app),
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


def _containers(inbox: Inbox) -> dict[str, Store]:
    return {
        "incoming": inbox.incoming,
        "receipts": inbox.receipts,
        "quarantine": inbox.quarantine,
        "state": inbox.state,
    }


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
