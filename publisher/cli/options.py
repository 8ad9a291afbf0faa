"""The options that several subcommands share; each has its environment variable, `CDN_RELEASE_<NAME>` (C1)."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import click

from artifact.actions import SMALLEST_WINDOW, Policy
from artifact.errors import ContentError
from artifact.releases import Change
from artifact.versions import Version, check_feature_id

F = TypeVar("F", bound=Callable[..., Any])


def option(name: str, *, dest: str | None = None, **settings: Any) -> Callable[[F], F]:
    """`click.option` with the variable that C1 promises; `dest` is the parameter's name where it differs."""
    variable = "CDN_RELEASE_" + name.removeprefix("--").upper().replace("-", "_")
    names = (name,) if dest is None else (name, dest)
    return click.option(*names, envvar=variable, show_envvar=True, **settings)


def together(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one."""

    def decorate(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


class VersionType(click.ParamType[Version]):
    """A version (P2), refused as a usage error."""

    name = "version"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Version:
        try:
            return value if isinstance(value, Version) else Version(str(value))
        except ContentError as error:
            self.fail(error.message, param, ctx)


class FeatureType(click.ParamType[str]):
    """A feature id (P1), refused as a usage error."""

    name = "feature"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return check_feature_id(str(value), where="feature")
        except ContentError as error:
            self.fail(error.message, param, ctx)


as_json = option("--json", dest="as_json", is_flag=True, help="One JSON document on standard output.")
dry_run = option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
to = option(
    "--to",
    metavar="DESTINATION",
    required=True,
    help="A storage connection string, an account URL (managed identity, or with a SAS), or file:///FOLDER.",
)
trust_keys = option("--trust-keys", metavar="FILE|JSON", required=True, help="The public keys and what each may sign.")
key = option("--key", metavar="FILE|URL", required=True, help="A private key: PKCS #8 PEM, or a Key Vault secret.")
key_id = option("--key-id", metavar="LABEL", required=True, help="The key's id in the readers' trust store.")
feature = click.argument("feature", type=FeatureType())
version = click.argument("version", type=VersionType())

_policy = together(
    option("--window", type=click.IntRange(min=SMALLEST_WINDOW), default=5, show_default=True,
           help="How many versions an index lists."),
    option("--soak", type=click.IntRange(min=0), default=1800, show_default=True, metavar="SECONDS",
           help="How long a canary must run before it is promoted."),
    option("--expires-in", type=click.IntRange(min=0), default=90 * 86400, show_default=True, metavar="SECONDS",
           help="How long a release index is valid; 0: for ever."),
    option("--remote-expires-in", type=click.IntRange(min=0), default=7 * 86400, show_default=True,
           metavar="SECONDS", help="The same for the remote index."),
    option("--pointer-max-age", type=click.IntRange(min=0), default=30, show_default=True, metavar="SECONDS",
           help="How long an edge may cache the two pointers."),
)  # fmt: skip
_why = together(
    option("--actor", default=None, metavar="NAME", help="Who does this; the user's name by default."),
    option("--reason", default=None, metavar="TEXT", help="Why; it is signed into the index."),
    option("--ticket", default=None, metavar="ID", help="The change's ticket; it is signed into the index."),
)

writing = together(to, trust_keys, key, key_id, _policy, _why, dry_run, as_json)
"""All that a command needs which commits an index."""


@dataclass(frozen=True, slots=True)
class Writing:
    """The values of `writing`."""

    to: str
    trust_keys: str
    key: str
    key_id: str
    window: int
    soak: int
    expires_in: int
    remote_expires_in: int
    pointer_max_age: int
    actor: str | None
    reason: str | None
    ticket: str | None
    dry_run: bool
    as_json: bool

    @property
    def policy(self) -> Policy:
        """R6, R7 and expiry as these options say."""
        return Policy(
            window=self.window,
            soak=timedelta(seconds=self.soak),
            releases_validity=timedelta(seconds=self.expires_in) or None,
            remote_validity=timedelta(seconds=self.remote_expires_in) or None,
        )

    def change(self, action: str, version: Version | None) -> Change:
        """R3's `change`."""
        text = None if version is None else version.text
        return Change(action, text, self.who, self.reason, self.ticket)

    @property
    def who(self) -> str:
        """The actor, as given, or who runs this."""
        return self.actor or user()


def user() -> str:
    """Who runs this, as CI says, or the user's name."""
    of_ci = os.environ.get("GITHUB_ACTOR") or os.environ.get("BUILD_REQUESTEDFOR")
    if of_ci:
        return of_ci
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"
