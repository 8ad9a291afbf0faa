"""R6 on what is stored: canary, promote, rollback, withdraw, refresh, remove. Each ends in one committed sequence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from artifact import actions
from artifact.errors import Code, TransientError
from artifact.releases import Change, ReleaseIndex, VerifiedReleases
from artifact.versions import Version
from publisher.environment import Environment
from publisher.indexes import commit_releases, last_entry, releases_of

Expected = int | None
"""The sequence that an action is meant for; None: whatever it is."""


class PreconditionError(TransientError):
    """C6: somebody has changed the feature since the caller looked at it; nothing was changed now."""


def canary(
    env: Environment, feature_id: str, version: Version, change: Change, *, expected: Expected = None
) -> VerifiedReleases:
    """Make a listed version the canary."""
    return _commit(
        env,
        feature_id,
        expected,
        lambda before, now: actions.canary(before.index, version, change=change, now=now, policy=env.policy),
    )


def promote(
    env: Environment,
    feature_id: str,
    version: Version | None,
    change: Change,
    *,
    force: bool = False,
    expected: Expected = None,
) -> VerifiedReleases:
    """Make the canary the active version, once it has soaked or by force with a reason."""

    def action(before: VerifiedReleases, now: datetime) -> ReleaseIndex:
        index = before.index
        since = canary_since(env, before) if index.canary is not None else now
        named = replace(change, version=(index.canary or index.active).text)
        return actions.promote(
            index, version, canary_since=since, force=force, change=named, now=now, policy=env.policy
        )

    return _commit(env, feature_id, expected, action)


def rollback(
    env: Environment, feature_id: str, version: Version, change: Change, *, expected: Expected = None
) -> VerifiedReleases:
    """Make another listed version the active one."""
    return _commit(
        env,
        feature_id,
        expected,
        lambda before, now: actions.rollback(before.index, version, change=change, now=now, policy=env.policy),
    )


def withdraw(
    env: Environment,
    feature_id: str,
    version: Version,
    change: Change,
    *,
    successor: Version | None,
    expected: Expected = None,
) -> VerifiedReleases:
    """Take a version away for good. Its objects go by `delete_version`, after the remote index has followed."""

    def action(before: VerifiedReleases, now: datetime) -> ReleaseIndex:
        index = before.index
        is_known = index.entry(version) is not None or index.withdrawal(version) is not None
        return actions.withdraw(
            index,
            version,
            successor=successor,
            reason=change.reason or "withdrawn",
            change=change,
            now=now,
            policy=env.policy,
            left_window=None if is_known else last_entry(env, before, version),
        )

    return _commit(env, feature_id, expected, action)


def refresh(env: Environment, feature_id: str, change: Change, *, expected: Expected = None) -> VerifiedReleases:
    """Sign the index again, with a new expiry."""
    return _commit(
        env,
        feature_id,
        expected,
        lambda before, now: actions.refresh(before.index, change=change, now=now, policy=env.policy),
    )


def remove(env: Environment, feature_id: str, change: Change, *, expected: Expected = None) -> VerifiedReleases:
    """Let the feature leave the remote index."""
    return _commit(
        env,
        feature_id,
        expected,
        lambda before, now: actions.remove(before.index, change=change, now=now, policy=env.policy),
    )


def delete_version(env: Environment, feature_id: str, version: Version) -> int:
    """R6: delete a withdrawn version's objects, and say how many there were. Its manifest goes last, so that nobody
    can claim the version's name while files of it are still there.
    """
    prefix = f"{feature_id}/{version}/"
    names = [info.name for info in env.artifacts.list(prefix)]
    manifest = prefix + "manifest.json"
    for name in sorted(names, key=lambda name: (name == manifest, name)):
        env.artifacts.delete(name)
    return len(names)


def canary_since(env: Environment, state: VerifiedReleases) -> datetime:
    """The `updatedAt` of the sequence that made the canary the canary, found by walking the history back."""
    since = state.index
    for earlier in releases_of(env, since.feature_id).history(state):
        if earlier.index.canary != state.index.canary:
            break
        since = earlier.index
    return since.updated_at if since.updated_at is not None else env.clock()


def _commit(
    env: Environment,
    feature_id: str,
    expected: Expected,
    action: Callable[[VerifiedReleases, datetime], ReleaseIndex],
) -> VerifiedReleases:
    def on_existing(before: VerifiedReleases | None) -> ReleaseIndex:
        if before is None:
            raise TransientError(
                Code.NOT_FOUND, "R6", "no version of this feature was ever published", where=feature_id
            )
        if expected is not None and before.index.sequence != expected:
            raise PreconditionError(
                Code.CONFLICT,
                "C6",
                "the feature has changed since it was looked at",
                where=feature_id,
                expected=f"sequence {expected}",
                seen=before.index.sequence,
            )
        return action(before, env.clock())

    return commit_releases(env, feature_id, on_existing)
