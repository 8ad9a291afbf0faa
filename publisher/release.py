"""R6 on what is stored: canary, promote, rollback, withdraw, refresh, remove. Each ends in one committed sequence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from artifact import actions
from artifact.errors import Code, TransientError
from artifact.releases import Change, ReleaseIndex, VerifiedReleases
from artifact.versions import Version
from publisher.environment import Environment
from publisher.indexes import commit_releases, last_entry, releases_of


@dataclass(frozen=True, slots=True)
class Expecting:
    """What a caller expects of the state that its action changes (C6); it is judged with the commit, never before it.

    `sequence`: the state's. `since`: where a later state than this one was made by the very same change, the action has
    been done, and is not done again; its outcome is that state.
    """

    sequence: int | None = None
    since: int | None = None


NOTHING = Expecting()


class PreconditionError(TransientError):
    """C6: somebody has changed the feature since the caller looked at it; nothing was changed now."""


def canary(
    env: Environment, feature_id: str, version: Version, change: Change, *, expecting: Expecting = NOTHING
) -> VerifiedReleases:
    """Make a listed version the canary."""
    return _commit(
        env,
        feature_id,
        change,
        expecting,
        lambda before, now: actions.canary(before.index, version, change=change, now=now, policy=env.policy),
    )


def promote(
    env: Environment,
    feature_id: str,
    version: Version | None,
    change: Change,
    *,
    force: bool = False,
    expecting: Expecting = NOTHING,
) -> VerifiedReleases:
    """Make the canary the active version, once it has soaked or by force with a reason."""

    def action(before: VerifiedReleases, now: datetime) -> ReleaseIndex:
        index = before.index
        since = canary_since(env, before) if index.canary is not None else now
        named = replace(change, version=(index.canary or index.active).text)
        return actions.promote(
            index, version, canary_since=since, force=force, change=named, now=now, policy=env.policy
        )

    return _commit(env, feature_id, change, expecting, action)


def rollback(
    env: Environment, feature_id: str, version: Version, change: Change, *, expecting: Expecting = NOTHING
) -> VerifiedReleases:
    """Make another listed version the active one."""
    return _commit(
        env,
        feature_id,
        change,
        expecting,
        lambda before, now: actions.rollback(before.index, version, change=change, now=now, policy=env.policy),
    )


def withdraw(
    env: Environment,
    feature_id: str,
    version: Version,
    change: Change,
    *,
    successor: Version | None,
    expecting: Expecting = NOTHING,
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

    return _commit(env, feature_id, change, expecting, action)


def refresh(env: Environment, feature_id: str, change: Change, *, expecting: Expecting = NOTHING) -> VerifiedReleases:
    """Sign the index again, with a new expiry."""
    return _commit(
        env,
        feature_id,
        change,
        expecting,
        lambda before, now: actions.refresh(before.index, change=change, now=now, policy=env.policy),
    )


def remove(env: Environment, feature_id: str, change: Change, *, expecting: Expecting = NOTHING) -> VerifiedReleases:
    """Let the feature leave the remote index."""
    return _commit(
        env,
        feature_id,
        change,
        expecting,
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
    change: Change,
    expecting: Expecting,
    action: Callable[[VerifiedReleases, datetime], ReleaseIndex],
) -> VerifiedReleases:
    done: VerifiedReleases | None = None

    def on_existing(before: VerifiedReleases | None) -> ReleaseIndex:
        nonlocal done
        if before is None:
            raise TransientError(
                Code.NOT_FOUND, "R6", "no version of this feature was ever published", where=feature_id
            )
        done = _done(env, before, change, expecting.since)
        if done is not None:
            return before.index
        _check_sequence(before.index, expecting.sequence)
        return action(before, env.clock())

    committed = commit_releases(env, feature_id, on_existing)
    return committed if done is None else done


def _done(env: Environment, newest: VerifiedReleases, change: Change, since: int | None) -> VerifiedReleases | None:
    """The state after the sequence `since` that this very change made, if it was made."""
    if since is None or newest.index.sequence <= since:
        return None
    for state in releases_of(env, newest.index.feature_id).history(newest):
        if state.index.sequence <= since:
            return None
        made = state.index.change
        # A `promote` may leave it to the index which version that is.
        if made is not None and made == (change if change.version else replace(change, version=made.version)):
            return state
    return None


def _check_sequence(index: ReleaseIndex, expected: int | None) -> None:
    if expected is not None and index.sequence != expected:
        raise PreconditionError(
            Code.CONFLICT,
            "C6",
            "the feature has changed since it was looked at",
            where=index.feature_id,
            expected=f"sequence {expected}",
            seen=index.sequence,
        )
