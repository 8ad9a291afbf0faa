"""The options of a command become an environment to act on, for real or as a dry run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import Console

from artifact.errors import ConfigurationError
from publisher.adapters.dry_run import DryRunStore
from publisher.cli.options import Writing
from publisher.destinations import open_destination
from publisher.environment import Environment
from publisher.keyfiles import load_trust
from publisher.ports import BulkStore
from publisher.signers import load_signer
from publisher.wiring import now


@dataclass(frozen=True, slots=True)
class Acting:
    """An environment, and the record of what a dry run would have written."""

    environment: Environment
    rehearsal: DryRunStore | None

    def report(self, document: dict[str, Any]) -> dict[str, Any]:
        """`document`, with what would have been written where this is a dry run."""
        if self.rehearsal is None:
            return document
        return {
            **document,
            "dryRun": True,
            "writes": [{"name": name, "bytes": size} for name, size in self.rehearsal.writes],
            "deletes": self.rehearsal.deletes,
        }

    def print_rehearsal(self, console: Console) -> None:
        """What a dry run would have written, by name; many files as one line."""
        if self.rehearsal is None:
            return
        writes = self.rehearsal.writes
        console.print(f"dry run: nothing was written; it would be {len(writes)} objects:")
        for name, size in writes[:5] + writes[-5:] if len(writes) > 10 else writes:
            console.print(f"  {name} ({size} bytes)", markup=False)
        for name in self.rehearsal.deletes:
            console.print(f"  delete {name}", markup=False)


class NoSigner:
    """Of commands that sign nothing."""

    @property
    def key_id(self) -> str:
        return ""

    def sign(self, data: bytes) -> bytes:
        raise ConfigurationError("this command has no release key to sign with")


def tidying(to: str, trust_keys: str) -> Environment:
    """An environment for commands that sign nothing. Raises ConfigurationError."""
    return Environment(open_destination(to).artifacts, load_trust(trust_keys), NoSigner(), now)


def acting(options: Writing) -> Acting:
    """Open the destination and the keys. Raises ConfigurationError."""
    trust = load_trust(options.trust_keys)
    signer = load_signer(options.key, options.key_id)
    artifacts: BulkStore = open_destination(options.to).artifacts
    rehearsal = DryRunStore(artifacts) if options.dry_run else None
    environment = Environment(
        artifacts=artifacts if rehearsal is None else rehearsal,
        trust=trust,
        signer=signer,
        clock=now,
        policy=options.policy,
        pointer_max_age=options.pointer_max_age,
    )
    return Acting(environment, rehearsal)
