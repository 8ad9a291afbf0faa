"""How late an edge is: what it serves of an index, against what storage says (W4: by max-age at most)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from artifact.errors import Code, ContentError, DeliveryError
from artifact.releases import VerifiedReleases
from artifact.remote_index import VerifiedRemoteIndex
from publisher.chain import Chain, State
from publisher.ports import Reader

S = TypeVar("S", bound=State)
SignedAt = Callable[[S], datetime | None]


@dataclass(frozen=True, slots=True)
class Served:
    """What an edge serves of an index. `sequence` is None where it serves nothing, or nothing that is right: then
    `error` says what.

    `age`: since what it serves was signed. `late`: since it could have served something newer, zero where it serves the
    newest; None where it is not known.
    """

    sequence: int | None = None
    age: timedelta | None = None
    late: timedelta | None = None
    error: DeliveryError | None = None

    def document(self) -> dict[str, Any]:
        """As `--json` shows it."""
        return {
            "sequence": self.sequence,
            "ageSeconds": _seconds(self.age),
            "lateSeconds": _seconds(self.late),
            "error": None if self.error is None else self.error.as_json(),
        }


def served_releases(edge: Reader, chain: Chain[VerifiedReleases], newest: VerifiedReleases, now: datetime) -> Served:
    """A feature's release index at an edge. Raises nothing: errors of the edge are in the answer."""
    return _served(edge, chain, newest, lambda state: state.index.updated_at, now)


def served_remote_index(
    edge: Reader, chain: Chain[VerifiedRemoteIndex], newest: VerifiedRemoteIndex, now: datetime
) -> Served:
    """The same of the remote index."""
    return _served(edge, chain, newest, lambda state: state.index.generated_at, now)


def _served(edge: Reader, chain: Chain[S], newest: S, signed_at: SignedAt[S], now: datetime) -> Served:
    name = f"{chain.stem}.json"
    try:
        found = edge.read(name, limit=chain.limit)
        if found is None:
            return Served(late=_since(signed_at(newest), now))
        state = newest if found.data == newest.data else chain.verify(found.data, name)
        age = _since(signed_at(state), now)
        return Served(state.index.sequence, age, _late(chain, state, newest, signed_at, now))
    except DeliveryError as error:
        return Served(error=error)


def _late(chain: Chain[S], state: S, newest: S, signed_at: SignedAt[S], now: datetime) -> timedelta | None:
    """Since the state after it was committed, which is in storage: nothing is asked of the edge."""
    if state.index.sequence > newest.index.sequence or state is newest:
        return timedelta(0)  # committed since storage was looked at
    if state.index.sequence == newest.index.sequence:
        raise ContentError(
            Code.SEQUENCE_FORK, "R4", "the edge serves other bytes of this sequence", where=f"{chain.stem}.json",
            expected=newest.sha256, seen=state.sha256,
        )  # fmt: skip
    later = chain.state(state.index.sequence + 1)
    return None if later is None else _since(signed_at(later), now)


def _since(moment: datetime | None, now: datetime) -> timedelta | None:
    return None if moment is None else max(timedelta(0), now - moment)


def _seconds(span: timedelta | None) -> int | None:
    return None if span is None else int(span.total_seconds())
