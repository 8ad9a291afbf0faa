"""`purge`: let the CDN forget, through the app or without it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import click

from artifact.errors import Code, ConfigurationError, TransientError
from publisher.adapters.app import App
from publisher.cdn import EXPECTED, parse_endpoints
from publisher.cli import options
from publisher.cli.options import user
from publisher.cli.output import emit, waiting
from publisher.direct_purge import DirectPurge
from publisher.operations import FAILED, QUEUED, SUCCEEDED
from publisher.purge import REMOTE_INDEX, release_index, whole_feature
from publisher.purgeable import check_all
from publisher.wiring import now

LOOK = timedelta(seconds=1)
"""Between two looks at the app."""

LONGEST_WAIT = 7 * 24 * 3600
"""Seconds: as long as the app itself tries."""


class Way(Protocol):
    """How a purge is carried out."""

    def step(self) -> None: ...

    @property
    def state(self) -> str: ...

    @property
    def is_taken(self) -> bool:
        """Whether it goes on without this command."""
        ...

    @property
    def pause(self) -> timedelta: ...

    def errors(self) -> list[str]: ...

    def document(self) -> dict[str, Any]: ...


class Directly(DirectPurge):
    """Straight at the endpoints."""

    @property
    def is_taken(self) -> bool:
        """Whether every endpoint has begun, and there is no second call to make."""
        return self.has_begun_all


@dataclass
class ByApp:
    """Through the app, which remembers it and tries for a week."""

    app: App
    request: dict[str, Any]
    found: dict[str, Any] | None = None
    pause: timedelta = LOOK

    @property
    def state(self) -> str:
        """As the app says."""
        return QUEUED if self.found is None else str(self.found["state"])

    @property
    def is_taken(self) -> bool:
        """Whether the app knows of it."""
        return self.found is not None

    def step(self) -> None:
        """Ask for it, and later how it goes."""
        self.found = self.app.purge(self.request) if self.found is None else self.app.operation(self.found["operation"])

    def errors(self) -> list[str]:
        """The last one."""
        return [str(self.found["error"])] if self.found is not None and "error" in self.found else []

    def document(self) -> dict[str, Any]:
        """As the app answers."""
        return self.found or {}


@click.command()
@click.argument("features", nargs=-1, type=options.FeatureType())
@options.option("--whole", is_flag=True, help="All files of one FEATURE; needs --reason.")
@options.option("--app", metavar="URL", help="The Functions app, without /api: it purges, and tries again for a week.")
@options.option("--function-key", metavar="KEY", help="A key of the app with the power to purge.")
@options.option("--endpoint", metavar="ID", help="Without the app: endpoints of the CDN, as "
                "FAVN_PURGE_ENDPOINTS names them, by your own identity.")  # fmt: skip
@options.option("--wait", is_flag=True, help="Wait until the CDN has forgotten.")
@options.option("--timeout", type=click.IntRange(1, LONGEST_WAIT), default=1500, show_default=True, metavar="SECONDS",
                help="How long at most; Front Door may need twenty minutes.")  # fmt: skip
@options.option("--actor", default=None, metavar="NAME", help="Who does this; the user's name by default.")
@options.option("--reason", default=None, metavar="TEXT", help="Why.")
@options.dry_run
@options.as_json
def purge(features: tuple[str, ...], **values: Any) -> None:
    """Let the CDN forget the remote index, and the release indexes of FEATURES.

    Never needed for readers to be right: without it they are late by max-age.

    \b
    Examples:
      cdn-release purge --app https://favn.azurewebsites.net --function-key "$KEY" --wait
      cdn-release purge feature-patientlist --whole --reason "an edge served an old file" --app … --function-key …
      cdn-release purge --wait --endpoint /subscriptions/…/profiles/favn/afdEndpoints/cdn
    """
    given = Asked(features, **values)
    paths, way = given.paths(), given.way()
    if given.dry_run:
        text = f"dry run: nothing was purged; it would be {' '.join(paths)}"
        emit({"dryRun": True, "paths": paths}, given.as_json, lambda console: console.print(text, markup=False))
        return
    _carry_out(way, given.wait, given.timeout)
    text = f"{way.state}: {' '.join(paths)}"
    emit(way.document(), given.as_json, lambda console: console.print(text, markup=False))


@dataclass(frozen=True, slots=True)
class Asked:
    """The values of `purge`."""

    features: tuple[str, ...]
    whole: bool
    app: str | None
    function_key: str | None
    endpoint: str | None
    wait: bool
    timeout: int
    actor: str | None
    reason: str | None
    dry_run: bool
    as_json: bool

    def paths(self) -> list[str]:
        """What is to be forgotten. Raises ConfigurationError."""
        if self.whole and (len(self.features) != 1 or self.reason is None):
            raise ConfigurationError("--whole needs one FEATURE and a --reason", rule="C6")
        return [whole_feature(self.features[0])] if self.whole else [REMOTE_INDEX, *map(release_index, self.features)]

    def way(self) -> Way:
        """How. Raises ConfigurationError."""
        if (self.app is None) == (self.endpoint is None):
            raise ConfigurationError("either --app or --endpoint", rule="C2")
        if self.endpoint is not None:
            endpoints = parse_endpoints(self.endpoint, where="--endpoint")
            if not endpoints:
                raise ConfigurationError("no endpoint", where="--endpoint", expected=EXPECTED)
            return Directly(endpoints, check_all(self.paths()), now)
        if self.app is None or self.function_key is None:
            raise ConfigurationError("--app needs a --function-key", rule="C6")
        return ByApp(App(self.app, self.function_key, self.actor or user()), self._request())

    def _request(self) -> dict[str, Any]:
        """C6's body."""
        body: dict[str, Any] = {"featureId": self.features[0]} if self.whole else {"paths": self.paths()}
        return body if self.reason is None else {**body, "reason": self.reason}


def _carry_out(way: Way, wait: bool, timeout: int) -> None:
    """Until it is done, or where nobody waits, until it goes on without us. Raises TransientError."""
    deadline = time.monotonic() + timeout
    with waiting("purge") as say:
        while True:
            way.step()
            say(" – ".join([way.state, *way.errors()]))
            if way.state in {SUCCEEDED, FAILED} or (way.is_taken and not wait):
                break
            pause = way.pause.total_seconds()
            if time.monotonic() + pause > deadline:
                raise _late(way, timeout)
            time.sleep(pause)
    if way.state == FAILED:
        raise TransientError(
            Code.TRANSPORT_FAILED, "W4", "the purge failed", where="purge", seen="; ".join(way.errors())
        )


def _late(way: Way, timeout: int) -> TransientError:
    seen = "; ".join([way.state, *way.errors()])
    return TransientError(Code.TRANSPORT_FAILED, "W4", f"not done within {timeout} s", where="purge", seen=seen)


COMMANDS = (purge,)
