"""The routes that change something: R6's actions, and purges."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from itertools import islice

from artifact.errors import Code
from artifact.releases import Change, VerifiedReleases
from artifact.versions import Version, check_feature_id
from publisher import changes, purge, release
from publisher.api import bodies
from publisher.api.headers import IDEMPOTENCY_KEY, IF_MATCH
from publisher.api.idempotency import Attempt, once
from publisher.api.messages import Request, Response
from publisher.api.principal import Principal
from publisher.api.problems import problem
from publisher.changes import announce
from publisher.environment import Environment
from publisher.indexes import releases_of
from publisher.operations import find_open
from publisher.pipeline import Pipeline
from publisher.release import Expecting

MOST_WAITING = 100
"""Purges of people that may wait at once; who asks for more is told to come back."""

Action = Callable[[Environment, str, Expecting], VerifiedReleases]


def canary(pipeline: Pipeline, principal: Principal, request: Request) -> Response:
    """Make a listed version the canary."""
    body = bodies.read(request.body, bodies.Canary)
    version = Version(body.version, where="body")
    change = Change("canary", version.text, principal.actor, body.reason, body.ticket)
    return _act(
        pipeline,
        request,
        change,
        lambda env, feature_id, expecting: release.canary(env, feature_id, version, change, expecting=expecting),
    )


def promote(pipeline: Pipeline, principal: Principal, request: Request) -> Response:
    """Make the canary the active version."""
    body = bodies.read(request.body, bodies.Promote)
    version = None if body.version is None else Version(body.version, where="body")
    change = Change("promote", body.version, principal.actor, body.reason, body.ticket)
    return _act(
        pipeline,
        request,
        change,
        lambda env, feature_id, expecting: release.promote(
            env, feature_id, version, change, force=body.force, expecting=expecting
        ),
    )


def rollback(pipeline: Pipeline, principal: Principal, request: Request) -> Response:
    """Make another listed version the active one."""
    body = bodies.read(request.body, bodies.Rollback)
    version = Version(body.version, where="body")
    change = Change("rollback", version.text, principal.actor, body.reason, body.ticket)
    return _act(
        pipeline,
        request,
        change,
        lambda env, feature_id, expecting: release.rollback(env, feature_id, version, change, expecting=expecting),
    )


def withdraw(pipeline: Pipeline, principal: Principal, request: Request) -> Response:
    """Take a version away for good; its objects go when the remote index has followed."""
    body = bodies.read(request.body, bodies.Withdraw)
    version = Version(body.version, where="body")
    successor = None if body.successor is None else Version(body.successor, where="body")
    change = Change("withdraw", version.text, principal.actor, body.reason, body.ticket)
    return _act(
        pipeline,
        request,
        change,
        lambda env, feature_id, expecting: release.withdraw(
            env, feature_id, version, change, successor=successor, expecting=expecting
        ),
        withdrawn=version,
    )


def refresh(pipeline: Pipeline, principal: Principal, request: Request) -> Response:
    """Sign the release index again."""
    body = bodies.read(request.body, bodies.Refresh)
    change = Change("refresh", None, principal.actor, body.reason, body.ticket)
    return _act(
        pipeline,
        request,
        change,
        lambda env, feature_id, expecting: release.refresh(env, feature_id, change, expecting=expecting),
    )


def remove(pipeline: Pipeline, principal: Principal, request: Request) -> Response:
    """Let the feature leave the remote index."""
    body = bodies.read(request.body, bodies.Remove)
    change = Change("remove", None, principal.actor, body.reason, body.ticket)
    return _act(
        pipeline,
        request,
        change,
        lambda env, feature_id, expecting: release.remove(env, feature_id, change, expecting=expecting),
    )


def purge_paths(pipeline: Pipeline, principal: Principal, request: Request) -> Response:
    """Let the CDN forget pointers, or a whole feature."""
    body = bodies.read(request.body, bodies.Purge)
    paths = [purge.whole_feature(str(body.featureId))] if body.paths is None else body.paths

    def run(since: int | None) -> Response:
        if _too_many_wait(pipeline):
            return problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too many purges wait already",
                code=Code.LIMIT_EXCEEDED,
                rule="W4",
                headers={"Retry-After": "60"},
            )
        asked = purge.request(pipeline, paths, actor=principal.actor, reason=body.reason)
        document = {"operation": asked.operation, "state": asked.state}
        return Response(HTTPStatus.ACCEPTED, document, {"Location": f"/api/purge/{asked.operation}"})

    # Nothing tells whether a purge was asked for by an app that died: it is asked for again, which does no harm.
    return _once(pipeline, request, "purge", lambda: 0, run)


def _too_many_wait(pipeline: Pipeline) -> bool:
    """Whether people's purges pile up. The app's own do so whenever the CDN is away, and keep nobody out."""
    of_people = (found for found in find_open(pipeline.state) if found.actor != changes.ACTOR)
    return sum(1 for _ in islice(of_people, MOST_WAITING)) == MOST_WAITING


def _act(
    pipeline: Pipeline, request: Request, change: Change, action: Action, *, withdrawn: Version | None = None
) -> Response:
    """One of R6's actions, once: commit, and announce what the remote index and the CDN have to follow."""
    env, feature_id = pipeline.environment, check_feature_id(request.parameters["id"], where="path")
    sequence = _sequence(request)

    def run(since: int | None) -> Response:
        state = action(env, feature_id, Expecting(sequence, since))
        announce(pipeline, feature_id, withdrawn=withdrawn)
        return _released(state)

    def before() -> int:
        head = releases_of(env, feature_id).head()
        return 0 if head is None else head.index.sequence

    return _once(pipeline, request, f"{change.action} {feature_id}", before, run)


def _once(
    pipeline: Pipeline,
    request: Request,
    scope: str,
    before: Callable[[], int],
    run: Callable[[int | None], Response],
) -> Response:
    key = IDEMPOTENCY_KEY.read(request)
    return run(None) if key is None else once(pipeline, Attempt(scope, key, request.body, before(), run))


def _sequence(request: Request) -> int | None:
    """C6: the sequence of `If-Match`."""
    given = IF_MATCH.read(request)
    return None if given is None or given == "*" else int(given.strip('"'))


def _released(state: VerifiedReleases) -> Response:
    index = state.index
    document = {
        "featureId": index.feature_id,
        "sequence": index.sequence,
        "activeVersion": index.active.text,
        "channels": index.channels,
    }
    return Response(HTTPStatus.OK, document, {"ETag": f'"{index.sequence}"'})
