"""The routes that change something: R6's actions, and purges."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from itertools import islice

from artifact.errors import Code, ContentError
from artifact.releases import Change, VerifiedReleases
from artifact.versions import Version, check_feature_id
from publisher import purge, release
from publisher.api import bodies
from publisher.api.idempotency import Attempt, check_key, once
from publisher.api.messages import Request, Response
from publisher.api.principal import Principal
from publisher.api.problems import problem
from publisher.changes import announce
from publisher.environment import Environment
from publisher.indexes import releases_of
from publisher.operations import find_open
from publisher.pipeline import Pipeline
from publisher.release import Expected

MOST_WAITING = 100
"""Purges that may wait at once; who asks for more is told to come back."""

_ETAG = re.compile(r'"?([1-9][0-9]{0,15})"?')

Action = Callable[[Environment, str, Expected], VerifiedReleases]


def canary(pipeline: Pipeline, principal: Principal, request: Request) -> Response:
    """Make a listed version the canary."""
    body = bodies.read(request.body, bodies.Canary)
    version = Version(body.version, where="body")
    change = Change("canary", version.text, principal.actor, body.reason, body.ticket)
    return _act(
        pipeline,
        request,
        change,
        lambda env, feature_id, expected: release.canary(env, feature_id, version, change, expected=expected),
    )


def promote(pipeline: Pipeline, principal: Principal, request: Request) -> Response:
    """Make the canary the active version."""
    body = bodies.read(request.body, bodies.Promote)
    if body.force and body.reason is None:
        raise ContentError(Code.SCHEMA_INVALID, "R6", "to force needs a reason", where="body")
    version = None if body.version is None else Version(body.version, where="body")
    change = Change("promote", body.version, principal.actor, body.reason, body.ticket)
    return _act(
        pipeline,
        request,
        change,
        lambda env, feature_id, expected: release.promote(
            env, feature_id, version, change, force=body.force, expected=expected
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
        lambda env, feature_id, expected: release.rollback(env, feature_id, version, change, expected=expected),
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
        lambda env, feature_id, expected: release.withdraw(
            env, feature_id, version, change, successor=successor, expected=expected
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
        lambda env, feature_id, expected: release.refresh(env, feature_id, change, expected=expected),
    )


def remove(pipeline: Pipeline, principal: Principal, request: Request) -> Response:
    """Let the feature leave the remote index."""
    body = bodies.read(request.body, bodies.Remove)
    change = Change("remove", None, principal.actor, body.reason, body.ticket)
    return _act(
        pipeline,
        request,
        change,
        lambda env, feature_id, expected: release.remove(env, feature_id, change, expected=expected),
    )


def purge_paths(pipeline: Pipeline, principal: Principal, request: Request) -> Response:
    """Let the CDN forget pointers, or a whole feature."""
    body = bodies.read(request.body, bodies.Purge)
    paths = _paths(body)

    def run() -> Response:
        if sum(1 for _ in islice(find_open(pipeline.state), MOST_WAITING)) == MOST_WAITING:
            return problem(HTTPStatus.TOO_MANY_REQUESTS, "too many purges wait already", rule="W4", retry_after=60)
        asked = purge.request(pipeline, paths, actor=principal.actor, reason=body.reason)
        document = {"operation": asked.operation, "state": asked.state}
        return Response(HTTPStatus.ACCEPTED, document, {"Location": f"/api/purge/{asked.operation}"})

    return _once(pipeline, request, "purge", lambda: 0, run, lambda sequence: None)


def _paths(body: bodies.Purge) -> list[str]:
    if (body.paths is None) == (body.featureId is None):
        raise ContentError(Code.SCHEMA_INVALID, "C6", "either paths or a featureId", where="body")
    if body.paths is not None:
        return body.paths
    if body.reason is None:
        raise ContentError(Code.SCHEMA_INVALID, "C6", "to purge a whole feature needs a reason", where="body")
    assert body.featureId is not None
    return [purge.whole_feature(check_feature_id(body.featureId, where="body"))]


def _act(
    pipeline: Pipeline, request: Request, change: Change, action: Action, *, withdrawn: Version | None = None
) -> Response:
    """One of R6's actions, once: commit, and announce what the remote index and the CDN have to follow."""
    env, feature_id = pipeline.environment, check_feature_id(request.parameters["id"], where="path")
    expected = _expected(request)

    def run() -> Response:
        return done(action(env, feature_id, expected))

    def done(state: VerifiedReleases) -> Response:
        announce(pipeline, feature_id, withdrawn=withdrawn)
        return _released(state)

    def committed(sequence: int) -> Response | None:
        found = _found(env, feature_id, sequence, change)
        return None if found is None else done(found)

    def before() -> int:
        head = releases_of(env, feature_id).head()
        return 0 if head is None else head.index.sequence

    return _once(pipeline, request, f"{change.action} {feature_id}", before, run, committed)


def _once(
    pipeline: Pipeline,
    request: Request,
    scope: str,
    before: Callable[[], int],
    run: Callable[[], Response],
    committed: Callable[[int], Response | None],
) -> Response:
    key = request.header("idempotency-key")
    if key is None:
        return run()
    return check_key(key) or once(pipeline, Attempt(scope, key, request.body, before(), run, committed))


def _found(env: Environment, feature_id: str, since: int, change: Change) -> VerifiedReleases | None:
    """The state after the sequence `since` that this very change made, if it was made."""
    chain = releases_of(env, feature_id)
    newest = chain.head()
    states = () if newest is None else chain.history(newest)
    for state in states:
        if state.index.sequence <= since:
            return None
        made = state.index.change
        # A `promote` may leave it to the index which version that is.
        if made is not None and made == (change if change.version else replace(change, version=made.version)):
            return state
    return None


def _expected(request: Request) -> Expected:
    """C6: the sequence of `If-Match`."""
    given = request.header("if-match")
    if given is None or given == "*":
        return None
    match = _ETAG.fullmatch(given)
    if match is None:
        raise ContentError(
            Code.SCHEMA_INVALID, "C6", "bad If-Match", where="header", expected='"<sequence>"', seen=given
        )
    return int(match[1])


def _released(state: VerifiedReleases) -> Response:
    index = state.index
    document = {
        "featureId": index.feature_id,
        "sequence": index.sequence,
        "activeVersion": index.active.text,
        "channels": index.channels,
    }
    return Response(HTTPStatus.OK, document, {"ETag": f'"{index.sequence}"'})
