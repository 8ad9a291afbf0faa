"""`history`, `gc`, `rebuild-index`, `rotate`: looking back, cleaning up, mending, and new keys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import click

from artifact.errors import ConfigurationError, DeliveryError
from artifact.fields import format_time
from artifact.paths import Limits
from artifact.remote_index import POINTER
from publisher import retention as outdated_versions
from publisher.cli import options
from publisher.cli.acting import acting, tidying
from publisher.cli.options import Writing
from publisher.cli.output import COUNT, ReportedError, emit, progress_bar, table
from publisher.destinations import open_destination
from publisher.environment import Environment
from publisher.history import Step, history
from publisher.keyfiles import load_trust
from publisher.remote import commit_remote
from publisher.repair import repair
from publisher.retention import Outdated, Plan
from publisher.rotation import Dependencies, Dependents, dependencies, rotate


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
    steps, error = _walked(islice(states, limit))
    document: dict[str, Any] = {"featureId": feature, "history": [step.document() for step in steps]}
    if verify:
        document |= {"verified": error is None, "signed": sum(step.is_signed for step in steps)}
    if error is not None:
        document["error"] = error.as_json()

    def text(console: Any) -> None:
        columns = ["sequence", "at", "action", "version", "active", "actor", "reason", "ticket", "key"]
        console.print(table(columns, [_row(step) for step in steps]))
        if error is not None:
            console.print("the chain is broken here: nothing vouches for what came before")
        elif verify:
            console.print(f"right: {len(steps)} states, {document['signed']} signed by keys that are trusted now")

    emit(document, as_json, text)
    if error is not None:
        raise ReportedError(error)


def _walked(states: Iterator[Step]) -> tuple[list[Step], DeliveryError | None]:
    """The states down to the first or to where the chain is broken, and what is wrong there. Raises where it is the
    newest one.
    """
    steps: list[Step] = []
    try:
        steps.extend(states)
    except DeliveryError as error:
        if not steps:
            raise
        return steps, error
    return steps, None


def _row(step: Step) -> list[str]:
    index, change = step.state.index, step.state.index.change
    at = _time(index.updated_at) or "–"
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
    failed = dict(plan.failed)
    removed = list(plan.outdated) if dry_run else list(_removed(env, plan, keep, failed))
    document = {
        "dryRun": dry_run,
        "removed": [_outdated(outdated) for outdated in removed],
        "unknown": list(plan.unknown),
        "failed": _failed(failed),
    }

    def text(console: Any) -> None:
        rows = [[str(value) for value in _outdated(outdated).values()] for outdated in removed]
        console.print(table(["feature", "version", "reason", "objects", "bytes"], rows))
        for folder in plan.unknown:
            console.print(f"{folder} is nobody's, and is left alone", markup=False)
        console.print("dry run: nothing was removed" if dry_run else f"removed {len(removed)} versions")

    emit(document, as_json, text)
    _raise(failed)


def _removed(env: Environment, plan: Plan, keep: timedelta, failed: dict[str, DeliveryError]) -> Iterator[Outdated]:
    """Carry the plan out; what went, while errors are added to `failed`."""
    total, done = sum(outdated.bytes for outdated in plan.outdated), 0
    with progress_bar("gc") as bar:
        for outdated, went in outdated_versions.carry_out_all(env, plan.outdated, keep):
            done += outdated.bytes
            bar(done, total)
            if isinstance(went, DeliveryError):
                failed[outdated.feature_id] = went
            elif went:
                yield outdated


def _outdated(outdated: Outdated) -> dict[str, Any]:
    return {
        "featureId": outdated.feature_id,
        "version": outdated.version.text,
        "reason": outdated.reason,
        "objects": outdated.objects,
        "bytes": outdated.bytes,
    }


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
    state = None if POINTER in found.failed else commit_remote(act.environment, found.unlisted)
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
        if not (found.moved or found.remote_moved or found.unlisted or found.failed):
            console.print("all pointers are right, and the remote index lists what is stored")
        act.print_rehearsal(console)

    emit(document, given.as_json, text)
    _raise(found.failed)


@click.command("rotate")
@options.option("--check", is_flag=True, help="Only say what each key still vouches for, and change nothing.")
@options.writing
def rotate_key(check: bool, **values: Any) -> None:
    """Sign all indexes again by a new release key, without an outage.

    First give readers a trust store that holds the old key and the new one, then give the app the new key. Then run
    this with the new key; it may be stopped and run again. When readers have the new indexes, remove the old key from
    their trust stores. A build key is not replaced: --check says which listed versions still need it, and until which
    moment (`validUntil`) it must vouch for them.

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


def _show_dependencies(found: Dependencies, as_json: bool) -> None:
    document = {
        "keys": {key_id: _dependents(one) for key_id, one in sorted(found.keys.items())},
        "failed": _failed(found.failed),
    }

    def text(console: Any) -> None:
        columns = ["key", "remote index", "release indexes", "versions", "validUntil at least"]
        console.print(table(columns, [_key_row(key_id, one) for key_id, one in sorted(found.keys.items())]))
        console.print("--json names the features and versions")

    emit(document, as_json, text)
    _raise(found.failed)


def _dependents(one: Dependents) -> dict[str, Any]:
    return {
        "remoteIndex": one.remote_index,
        "releaseIndexes": one.features,
        "versions": [
            {"featureId": feature_id, "version": version.text, "publishedAt": _time(at)}
            for feature_id, version, at in one.versions
        ],
        "neededUntil": _time(one.needed_until),
    }


def _key_row(key_id: str, one: Dependents) -> list[str]:
    remote_index = "yes" if one.remote_index else "no"
    return [
        key_id, remote_index, str(len(one.features)), str(len(one.versions)), _time(one.needed_until) or "–",
    ]  # fmt: skip


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)


def _failed(failed: dict[str, DeliveryError]) -> dict[str, Any]:
    return {feature_id: error.as_json() for feature_id, error in sorted(failed.items())}


def _raise(failed: dict[str, DeliveryError]) -> None:
    """The exit status of several features is the gravest (C1); the report has been printed."""
    for feature_id, error in sorted(failed.items()):
        click.echo(f"{feature_id}: {error}", err=True)
    if failed:
        raise ReportedError(max(failed.values(), key=lambda error: error.exit_status))


COMMANDS = (show_history, gc, rebuild_index, rotate_key)
