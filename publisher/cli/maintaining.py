"""`history`, `gc`, `rebuild-index`, `rotate`: looking back, cleaning up, mending, and new keys."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from typing import Any

import click

from artifact.errors import ConfigurationError, DeliveryError
from artifact.fields import format_time
from artifact.paths import Limits
from publisher import retention as outdated_versions
from publisher.cli import options
from publisher.cli.acting import acting, tidying
from publisher.cli.options import Writing
from publisher.cli.output import COUNT, ReportedError, emit, progress_bar, table
from publisher.destinations import open_destination
from publisher.history import Step, history
from publisher.keyfiles import load_trust
from publisher.remote import commit_remote
from publisher.repair import repair
from publisher.rotation import dependencies, rotate


@click.command("history")
@options.feature
@options.to
@options.trust_keys
@options.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the newest N changes.")
@options.option("--verify", is_flag=True, help="Walk to the beginning, and say which signatures still hold.")
@options.as_json
def show_history(feature: str, to: str, trust_keys: str, limit: int | None, verify: bool, as_json: bool) -> None:
    """Who did what to FEATURE, when and why: its signed history, newest first.

    Every state names the hash of the one before. A state that is missing or was changed ends the command with 3.

    \b
    Example:
      cdn-release history feature-patientlist --to "$CONNECTION_STRING" --trust-keys trust.json --limit 20
    """
    if verify and limit is not None:
        raise ConfigurationError("--verify walks all of the history; leave --limit out")
    states = history(open_destination(to).artifacts, load_trust(trust_keys), feature, Limits())
    steps = list(islice(states, limit))
    document: dict[str, Any] = {"featureId": feature, "history": [step.document() for step in steps]}
    if verify:
        document["verified"] = True
        document["signed"] = sum(step.is_signed for step in steps)

    def text(console: Any) -> None:
        columns = ["sequence", "at", "action", "version", "active", "actor", "reason", "ticket", "key"]
        console.print(table(columns, [_row(step) for step in steps]))
        if verify:
            console.print(f"right: {len(steps)} states, {document['signed']} signed by keys that are trusted now")

    emit(document, as_json, text)


def _row(step: Step) -> list[str]:
    index, change = step.state.index, step.state.index.change
    at = "–" if index.updated_at is None else format_time(index.updated_at)
    made = ("–",) * 5 if change is None else (change.action, change.version, change.actor, change.reason, change.ticket)
    action, version, actor, reason, ticket = (value or "–" for value in made)
    key = step.state.key_id if step.is_signed else f"{step.state.key_id} (by hash)"
    return [str(index.sequence), at, action, version, index.active.text, actor, reason, ticket, key]


@click.command()
@options.to
@options.trust_keys
@options.option("--retention", type=click.IntRange(min=0), default=30 * 86400, show_default=True, metavar="SECONDS",
                help="How long objects of a version stay after the last index that listed it.")  # fmt: skip
@options.dry_run
@options.as_json
def gc(to: str, trust_keys: str, retention: int, dry_run: bool, as_json: bool) -> None:
    """Remove the objects of versions that left the window long ago, and what withdrawn versions left.

    What any index of the retention time lists is never touched. The app's timer does the same every night.

    \b
    Example:
      cdn-release gc --to "$CONNECTION_STRING" --trust-keys trust.json --dry-run
    """
    env, keep = tidying(to, trust_keys), timedelta(seconds=retention)
    plan = outdated_versions.plan(env, keep)
    removed = []
    with progress_bar("gc") as bar:
        total = sum(outdated.bytes for outdated in plan.outdated)
        done = 0
        for outdated in plan.outdated:
            if dry_run or outdated_versions.carry_out(env, outdated, keep):
                removed.append(outdated)
            done += outdated.bytes
            bar(done, total)
    document = {
        "dryRun": dry_run,
        "removed": [
            {
                "featureId": outdated.feature_id,
                "version": outdated.version.text,
                "reason": outdated.reason,
                "objects": outdated.objects,
                "bytes": outdated.bytes,
            }
            for outdated in removed
        ],
        "failed": _failed(plan.failed),
    }

    def text(console: Any) -> None:
        rows = [[o.feature_id, o.version.text, o.reason, str(o.objects), str(o.bytes)] for o in removed]
        console.print(table(["feature", "version", "reason", "objects", "bytes"], rows))
        console.print("dry run: nothing was removed" if dry_run else f"removed {len(removed)} versions")

    emit(document, as_json, text)
    _raise(plan.failed)


@click.command("rebuild-index")
@options.writing
def rebuild_index(**values: Any) -> None:
    """Write every pointer anew from the immutable states, and bring the remote index up to them.

    For pointers that were deleted or overwritten by hand. Nothing is lost by running it when all is well.

    \b
    Example:
      cdn-release rebuild-index --to "$CONNECTION_STRING" --trust-keys trust.json \\
          --key release.pem --key-id release-2026
    """
    given = Writing(**values)
    act = acting(given)
    found = repair(act.environment)
    state = commit_remote(act.environment, found.unlisted)
    document = act.report(
        {
            "pointers": list(found.moved),
            "remoteIndexPointer": found.remote_moved,
            "listed": list(found.unlisted),
            "remoteIndexSequence": None if state is None else state.index.sequence,
            "failed": _failed(found.failed),
        }
    )

    def text(console: Any) -> None:
        for feature_id in found.moved:
            console.print(f"{feature_id}: the pointer was written anew")
        if found.remote_moved:
            console.print("remote index: the pointer was written anew")
        for feature_id in found.unlisted:
            console.print(f"{feature_id}: the remote index lists it as it stands now")
        if not (found.moved or found.remote_moved or found.unlisted):
            console.print("all pointers are right, and the remote index lists what is stored")
        act.print_rehearsal(console)

    emit(document, given.as_json, text)
    _raise(found.failed)


@click.command("rotate")
@options.option("--check", is_flag=True, help="Only say what each key still vouches for.")
@options.writing
def rotate_key(check: bool, **values: Any) -> None:
    """Sign all indexes again by a new release key, without an outage.

    First give readers a trust store that holds the old key and the new one. Then run this with the new key; it may be
    stopped and run again. When readers have the new indexes, remove the old key from their trust stores.

    \b
    Examples:
      cdn-release rotate --check --to "$CONNECTION_STRING" --trust-keys trust.json \\
          --key new.pem --key-id release-2027
      cdn-release rotate --to "$CONNECTION_STRING" --trust-keys trust.json \\
          --key new.pem --key-id release-2027
    """
    given = Writing(**values)
    act = acting(given)
    if check:
        _show_dependencies(dependencies(act.environment), given.as_json)
        return
    with progress_bar("rotate", COUNT) as bar:
        result = rotate(act.environment, given.change("refresh", None), progress=bar)
    document = act.report(
        {
            "keyId": given.key_id,
            "signed": list(result.signed),
            "already": len(result.already),
            "remoteIndexSequence": result.remote_sequence,
            "failed": _failed(result.failed),
        }
    )

    def text(console: Any) -> None:
        console.print(f"signed again by {given.key_id}: {len(result.signed)} features; before: {len(result.already)}")
        if result.failed:
            console.print("some failed: mend them, and run this again")
        else:
            console.print("next: when readers have the new indexes, remove the old key from their trust stores")
        act.print_rehearsal(console)

    emit(document, given.as_json, text)
    _raise(result.failed)


def _show_dependencies(found: dict[str, Any], as_json: bool) -> None:
    def text(console: Any) -> None:
        kinds = ("remote index", "release indexes", "manifests")
        rows = [[key_id, *(str(counts[kind]) for kind in kinds)] for key_id, counts in sorted(found.items())]
        console.print(table(["key", *kinds], rows))

    emit({"keys": {key_id: dict(counts) for key_id, counts in sorted(found.items())}}, as_json, text)


def _failed(failed: dict[str, DeliveryError]) -> dict[str, Any]:
    return {feature_id: error.as_json() for feature_id, error in sorted(failed.items())}


def _raise(failed: dict[str, DeliveryError]) -> None:
    """The exit status of several features is the gravest (C1); the report has been printed."""
    for feature_id, error in sorted(failed.items()):
        click.echo(f"{feature_id}: {error}", err=True)
    if failed:
        raise ReportedError(max(failed.values(), key=lambda error: error.exit_status))


COMMANDS = (show_history, gc, rebuild_index, rotate_key)
