"""`canary`, `promote`, `rollback`, `withdraw`, `remove`, `refresh`: R6 on what is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from artifact.errors import ConfigurationError
from artifact.releases import VerifiedReleases
from artifact.versions import Version
from publisher import release
from publisher.cli import options
from publisher.cli.acting import Acting, acting
from publisher.cli.options import Writing
from publisher.cli.output import emit
from publisher.environment import Environment
from publisher.remote import commit_remote, refresh_remote

Action = Callable[[Environment], VerifiedReleases]


@click.command()
@options.feature
@options.version
@options.writing
def canary(feature: str, version: Version, **values: Any) -> None:
    """Make a listed VERSION, higher than the active one, the canary."""
    given = Writing(**values)
    _act(given, lambda env: release.canary(env, feature, version, given.change("canary", version)))


@click.command()
@options.feature
@click.argument("version", type=options.VersionType(), required=False)
@options.option("--force", is_flag=True, help="Do not wait for the soak time; needs --reason.")
@options.writing
def promote(feature: str, version: Version | None, force: bool, **values: Any) -> None:
    """Make the canary (VERSION, if named, must be it) the active version."""
    given = Writing(**values)
    if force and not given.reason:
        raise ConfigurationError("--force needs --reason", rule="R6")
    _act(given, lambda env: release.promote(env, feature, version, given.change("promote", version), force=force))


@click.command()
@options.feature
@options.version
@options.writing
def rollback(feature: str, version: Version, **values: Any) -> None:
    """Make another listed VERSION the active one: a higher sequence, signed and explained.

    \b
    Example:
      cdn-release rollback feature-patientlist 1.0.0 --reason "blank page" --ticket INC-7 …
    """
    given = Writing(**values)
    _act(given, lambda env: release.rollback(env, feature, version, given.change("rollback", version)))


@click.command()
@options.feature
@options.version
@options.option("--successor", type=options.VersionType(), help="The next active version, where VERSION is active.")
@options.writing
def withdraw(feature: str, version: Version, successor: Version | None, **values: Any) -> None:
    """Take VERSION away for good: it is never served or published again, and its objects are deleted."""
    given = Writing(**values)
    if not given.reason:
        raise ConfigurationError("a withdrawal needs --reason: it is signed into the index", rule="R6")

    def action(env: Environment) -> VerifiedReleases:
        return release.withdraw(env, feature, version, given.change("withdraw", version), successor=successor)

    _act(given, action, after=lambda env: release.delete_version(env, feature, version))


@click.command()
@options.feature
@options.writing
def remove(feature: str, **values: Any) -> None:
    """Let the feature leave the remote index, named there as withdrawn."""
    given = Writing(**values)
    _act(given, lambda env: release.remove(env, feature, given.change("remove", None)))


@click.command()
@click.argument("feature", type=options.FeatureType(), required=False)
@options.writing
def refresh(feature: str | None, **values: Any) -> None:
    """Sign a feature's release index again with a new expiry; without FEATURE, the remote index."""
    given = Writing(**values)
    if feature is not None:
        _act(given, lambda env: release.refresh(env, feature, given.change("refresh", None)))
        return
    act = acting(given)
    state = refresh_remote(act.environment)
    if state is None:
        raise ConfigurationError("there is no remote index to refresh", where=given.to.partition(";")[0])
    document = act.report({"kind": "remote-index", "sequence": state.index.sequence})
    emit(document, given.as_json, lambda console: console.print(f"remote index: sequence {state.index.sequence}"))


def _act(given: Writing, action: Action, after: Callable[[Environment], object] = lambda env: None) -> None:
    """One action on one feature: the release index, then the remote index, then what comes `after`."""
    act: Acting = acting(given)
    index = action(act.environment).index
    remote = commit_remote(act.environment, [index.feature_id])
    after(act.environment)
    document = act.report(
        {
            "featureId": index.feature_id,
            "sequence": index.sequence,
            "activeVersion": index.active.text,
            "channels": index.channels,
            "remoteIndexSequence": None if remote is None else remote.index.sequence,
        }
    )

    def text(console: Any) -> None:
        canary_text = "" if index.canary is None else f", canary {index.canary}"
        console.print(f"{index.feature_id}: sequence {index.sequence}, active {index.active}{canary_text}")
        act.print_rehearsal(console)

    emit(document, given.as_json, text)


COMMANDS = (canary, promote, rollback, withdraw, remove, refresh)
