"""I3: the remote index follows the release indexes. A change is announced in a queue; what piled up is one commit."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from artifact.errors import ContentError, DeliveryError
from artifact.fields import format_time, parse_time
from artifact.versions import Version, check_feature_id
from publisher import purge, telemetry
from publisher.coalesce import Coalescer, Failures, Pace
from publisher.environment import Environment
from publisher.pipeline import Pipeline
from publisher.purgeable import PATHS_A_CALL
from publisher.release import delete_version
from publisher.remote import commit_remote

ACTOR = "changes"
PACE = Pace(first=1.0, factor=2.0, longest=16.0, quiet=2.0)
"""I3 allows one commit a second; while a burst lasts, one every 16 seconds is enough."""

logger = logging.getLogger("favn.publisher.changes")


@dataclass(frozen=True, slots=True)
class Change:
    """A feature's release index has changed. `withdrawn`: this version was withdrawn, so its objects go (R6).

    `since` is when the bundle was uploaded, where one made the change.
    """

    feature_id: str
    withdrawn: Version | None = None
    since: datetime | None = None

    def body(self) -> str:
        """The message."""
        document = {"featureId": self.feature_id}
        if self.withdrawn is not None:
            document["withdrawn"] = self.withdrawn.text
        if self.since is not None:
            document["since"] = format_time(self.since)
        return json.dumps(document, sort_keys=True)

    @classmethod
    def parse(cls, body: str) -> Change:
        """The change that a message tells of. Raises ValueError where it is none of ours."""
        document = json.loads(body)
        try:
            return cls(
                check_feature_id(document["featureId"], where="message"),
                Version(document["withdrawn"]) if "withdrawn" in document else None,
                parse_time(document["since"]) if "since" in document else None,
            )
        except (KeyError, TypeError, ContentError) as error:
            raise ValueError("not a change") from error


def announce(
    pipeline: Pipeline, feature_id: str, *, withdrawn: Version | None = None, since: datetime | None = None
) -> None:
    """Tell that a feature's release index has changed; the remote index and the CDN follow soon."""
    pipeline.changes.put(Change(feature_id, withdrawn, since).body())


def follow(pipeline: Pipeline, body: str) -> None:
    """Bring the remote index up to the release indexes that were announced, in as few commits as bursts allow.

    Raises DeliveryError where the change in `body` could not be followed: the platform delivers it again.
    """
    work = partial(_follow, pipeline)
    Coalescer("remote-index", pipeline.changes, pipeline.leases, PACE, pipeline.sleep, work).run(body)


def _follow(pipeline: Pipeline, bodies: Sequence[str]) -> Failures:
    changes = {body: change for body in bodies if (change := _parsed(body)) is not None}
    failed = _commit(pipeline.environment, {change.feature_id for change in changes.values()})
    now = pipeline.environment.clock()
    done = [change for change in changes.values() if change.feature_id not in failed]
    for change in done:
        if change.since is not None:
            telemetry.visible_after(now - change.since)
        if change.withdrawn is not None:
            delete_version(pipeline.environment, change.feature_id, change.withdrawn)
    paths = sorted({path for change in done for path in _paths(change)})
    for start in range(0, len(paths), PATHS_A_CALL):
        purge.request(pipeline, paths[start : start + PATHS_A_CALL], actor=ACTOR, reason=None)
    return {body: failed[change.feature_id] for body, change in changes.items() if change.feature_id in failed}


def _parsed(body: str) -> Change | None:
    try:
        return Change.parse(body)
    except ValueError:
        logger.error("a message that tells of no change was dropped")
        return None


def _commit(env: Environment, feature_ids: set[str]) -> dict[str, DeliveryError]:
    """One commit for all; one by one where something is wrong, so that one feature harms no other.

    Returns those that failed.
    """
    try:
        commit_remote(env, feature_ids)
    except DeliveryError as error:
        if len(feature_ids) == 1:
            telemetry.retried("change")
            logger.error("%s: the remote index cannot follow: %s", *feature_ids, error)
            return dict.fromkeys(feature_ids, error)
        return {name: error for feature_id in sorted(feature_ids) for name, error in _commit(env, {feature_id}).items()}
    return {}


def _paths(change: Change) -> list[str]:
    """W4: what readers and the CDN have to forget."""
    paths = [purge.REMOTE_INDEX, purge.release_index(change.feature_id)]
    return paths if change.withdrawn is None else [*paths, purge.whole_version(change.feature_id, change.withdrawn)]
