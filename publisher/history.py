"""R3: the history of a feature, a chain that an auditor can walk: who did what, when and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from artifact.errors import Code, ContentError, TransientError
from artifact.fields import format_time
from artifact.paths import Limits
from artifact.releases import VerifiedReleases
from artifact.trust import TrustStore
from publisher.chain import Chain, StoredStateError
from publisher.indexes import releases_chain
from publisher.ports import Store

UNTRUSTED = {Code.KEY_UNKNOWN, Code.KEY_NOT_ALLOWED}


@dataclass(frozen=True, slots=True)
class Step:
    """One state of a release index. `is_signed`: a key that is trusted now vouches for it; otherwise only the hash in
    the state after it does, and the key has been rotated since (S6).
    """

    state: VerifiedReleases
    is_signed: bool

    def document(self) -> dict[str, Any]:
        """As `--json` shows it."""
        index, change = self.state.index, self.state.index.change
        return {
            "sequence": index.sequence,
            "at": None if index.updated_at is None else format_time(index.updated_at),
            "action": None if change is None else change.action,
            "version": None if change is None else change.version,
            "actor": None if change is None else change.actor,
            "reason": None if change is None else change.reason,
            "ticket": None if change is None else change.ticket,
            "activeVersion": index.active.text,
            "channels": index.channels,
            "keyId": self.state.key_id,
            "sha256": self.state.sha256,
            "signed": self.is_signed,
        }


def history(store: Store, trust: TrustStore, feature_id: str, limits: Limits) -> Iterator[Step]:
    """The states of a feature, newest first, each bound to the one after it.

    Raises TransientError `not_found` where there is none; ContentError at the state where the chain is broken.
    """
    chain = releases_chain(store, feature_id, trust, limits)
    newest = chain.head()
    if newest is None:
        raise TransientError(Code.NOT_FOUND, "R3", "no version of this feature was ever published", where=feature_id)
    for state in chain.history(newest):
        yield Step(state, _is_signed(chain, state))


def _is_signed(chain: Chain[VerifiedReleases], state: VerifiedReleases) -> bool:
    """Whether the signature holds by a key that may sign this now. Raises ContentError where it is a wrong one."""
    try:
        chain.verify(state.data, f"{chain.stem}.{state.index.sequence}.json")
    except ContentError as error:
        if error.code in UNTRUSTED:
            return False
        raise StoredStateError(error.code, error.rule, error.what, where=error.where) from error
    return True
