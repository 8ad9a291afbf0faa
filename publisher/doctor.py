"""Is everything in place, from the keys to what readers get? Each check is one finding with what to do about it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from artifact.errors import Code, TransientError
from artifact.fields import format_time
from artifact.keys import Signer
from artifact.trust import Role
from publisher.content_types import private
from publisher.edge import View, examine_edge
from publisher.environment import Environment
from publisher.features import all_features
from publisher.findings import OK, WARNING, Finding, guarded, problem, some
from publisher.ports import Store
from publisher.release_key import check_release_key
from publisher.stored import Stored, examine_stored

SOON = timedelta(days=14)
SKEW = timedelta(minutes=5)
PROBE = "doctor-probe"
HEALTH = "api/health"
HEALTH_LIMIT = 256 * 1024


class App(Protocol):
    """The Functions app: status, body and headers of a path."""

    def ask(self, name: str, *, limit: int) -> tuple[int, bytes, Mapping[str, str]]: ...


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined: an environment; of an account the containers beside `artifacts`; and what else was given.

    `signer` gives the release key, or raises DeliveryError.
    """

    env: Environment
    containers: Mapping[str, Store] = field(default_factory=dict)
    signer: Callable[[], Signer] | None = None
    view: View | None = None
    app: App | None = None


def examine(patient: Patient) -> Iterator[Finding]:
    """All findings, in the order of the way from a key to a reader. An error of one check ends no other."""
    env, stored = patient.env, Stored()
    yield from guarded("storage", _storage(env))
    for name, store in patient.containers.items():
        yield from guarded("storage", _container(name, store))
    if patient.signer is not None:
        yield from guarded("signing key", _signing_key(env, patient.signer))
    yield from guarded("trust store", _trust(env))
    yield from examine_stored(env, stored)
    if (view := patient.view) is not None:
        yield from guarded("edge", examine_edge(view, stored))
    if (app := patient.app) is not None:
        yield from guarded("app", _health(app))


def _storage(env: Environment) -> Iterator[Finding]:
    """Writes, reads and deletes an object that nobody reads."""
    store = env.artifacts
    store.delete(PROBE)
    store.create(PROBE, b"probe", private(PROBE))
    try:
        found = next(iter(store.list(PROBE)), None)
    finally:
        store.delete(PROBE)
    yield Finding("storage", OK, "can be read, written and deleted from")
    if found is None:
        return
    skew = abs(found.last_modified - env.clock())
    if skew > SKEW:
        apart = f"this machine and the storage are {int(skew.total_seconds())} s apart"
        yield Finding("clock", WARNING, apart, "set the clock: expiry and soak times are judged by it")
    else:
        yield Finding("clock", OK, "agrees with the storage's")


def _container(name: str, store: Store) -> Iterator[Finding]:
    try:
        next(iter(store.list("")), None)
    except TransientError as error:
        if error.code is Code.UNAUTHORIZED:
            remedy = "nothing, where only the app may; its identity needs Storage Blob Data Contributor"
            yield Finding("storage", WARNING, f"this identity may not look into the container {name}", remedy)
        else:
            yield problem("storage", error, f"make the container {name}")
    else:
        yield Finding("storage", OK, f"the container {name} is there")


def _signing_key(env: Environment, key: Callable[[], Signer]) -> Iterator[Finding]:
    signer = key()
    check_release_key(signer, env.trust)
    env.trust.key_for(signer.key_id, role=Role.INDEX, feature_id=None, at=env.clock(), where="signing key")
    yield Finding("signing key", OK, f"{signer.key_id} matches the trust store and has the roles releases and index")
    narrow = [name for name in all_features(env) if not env.trust.keys[signer.key_id].covers(name)]
    if narrow:
        what = f"{signer.key_id} may not sign the release indexes of {some(narrow)}"
        yield Finding("signing key", WARNING, what, "widen the features of its entry in the trust store")


def _trust(env: Environment) -> Iterator[Finding]:
    """S6: a build key that has ended is retired, which is nothing to mend; one that signs indexes has to go on."""
    ending = 0
    for key_id, trusted in sorted(env.trust.keys.items()):
        left = None if trusted.valid_until is None else trusted.valid_until - env.clock()
        is_retired = left is not None and left < timedelta(0) and trusted.roles <= {Role.MANIFEST}
        if left is not None and left < SOON and not is_retired and trusted.valid_until is not None:
            ending += 1
            remedy = "let others trust a new key, then move to it: cdn-release rotate"
            yield Finding("trust store", WARNING, f"{key_id} is valid until {format_time(trusted.valid_until)}", remedy)
    if not ending:
        yield Finding("trust store", OK, f"{len(env.trust.keys)} keys, none that ends soon")


def _health(app: App) -> Iterator[Finding]:
    """What the app says of itself (C6)."""
    status, data, _ = app.ask(HEALTH, limit=HEALTH_LIMIT)
    try:
        document = json.loads(data)
        level, problems = document["status"], [str(one) for one in document["problems"]]
    except (ValueError, KeyError, TypeError):
        raise TransientError(
            Code.TRANSPORT_FAILED, "C6", "this is not the app's health", where=HEALTH, seen=status
        ) from None
    if level == "ok":
        yield Finding("app", OK, "is well")
    for text in problems:
        if level == "failing":
            yield problem("app", TransientError(Code.TRANSPORT_FAILED, "C6", text), "see the app's log for more")
        else:
            yield Finding("app", WARNING, text, "see the app's log for more")
