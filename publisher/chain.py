"""R5: the commit. A chain of immutable, numbered, signed states, and the one pointer that names the newest.

State N+1 is committed by creating its object on condition that it does not exist: whoever creates it has won. The
loser applies its change on top of the winner's state and tries the next number. The pointer is moved afterwards, and
by the next writer if this one died in between. There is no lock, so none can leak.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from artifact.errors import Code, ContentError, TransientError
from publisher.content_types import immutable, pointer
from publisher.ports import Created, Store


class Indexed(Protocol):
    """What both kinds of index have."""

    @property
    def sequence(self) -> int: ...

    @property
    def previous_sha256(self) -> str | None: ...


class State(Protocol):
    """A verified state of an index: release index or remote index."""

    @property
    def index(self) -> Indexed: ...

    @property
    def data(self) -> bytes: ...

    @property
    def sha256(self) -> str: ...


S = TypeVar("S", bound=State)


class StoredStateError(ContentError):
    """What stands in storage is wrong: an alarm, but no fault of the bundle or the action that came upon it."""


ATTEMPTS = 100
"""Losing so often in a row is no race any more."""


@dataclass(frozen=True, slots=True)
class Chain(Generic[S]):
    """The states of one index under `<stem>.json` (the pointer) and `<stem>.<sequence>.json`.

    `verify` turns bytes into a verified state, or raises ContentError; its second argument names the place. `bound`
    does the same for a state whose hash, its third argument, a verified state names. `limit` is F1's, in bytes.
    """

    store: Store
    stem: str
    verify: Callable[[bytes, str], S]
    bound: Callable[[bytes, str, str], S]
    limit: int
    pointer_max_age: int

    def head(self) -> S | None:
        """The newest state: the pointer's, or a later one that it has not caught up with; None where there is none.

        A pointer that is gone or damaged is passed over: the immutable states say what it should be (T45).
        """
        state, _ = self._pointer()
        return self._climb(state if state is not None else self._newest_listed())

    def state(self, sequence: int) -> S | None:
        """The immutable state of that number, by its signature."""
        return self._read(sequence, self.verify)

    def before(self, later: S) -> S:
        """The state directly before a verified one: bound to it by its hash, or by its signature where that names none.

        The key that signed it may have been rotated since (S6).
        """
        sequence, sha256 = later.index.sequence - 1, later.index.previous_sha256
        state = self._read(sequence, self.verify if sha256 is None else lambda data, at: self.bound(data, at, sha256))
        if state is None:
            name = self._name(sequence)
            raise StoredStateError(Code.FILE_MISSING, "R5", "a state of the history is missing", where=name)
        return state

    def _read(self, sequence: int, verify: Callable[[bytes, str], S]) -> S | None:
        name = self._name(sequence)
        found = self.store.read(name, limit=self.limit)
        if found is None:
            return None
        try:
            state = verify(found.data, name)
        except ContentError as error:
            raise StoredStateError(
                error.code, error.rule, error.what, where=error.where, expected=error.expected, seen=error.seen
            ) from error
        if state.index.sequence != sequence:
            raise StoredStateError(
                Code.SCHEMA_INVALID,
                "R5",
                "an index of another sequence",
                where=name,
                expected=sequence,
                seen=state.index.sequence,
            )
        return state

    def history(self, newest: S) -> Iterator[S]:
        """`newest` and the states before it, down to sequence 1."""
        state = newest
        yield state
        while state.index.sequence > 1:
            state = self.before(state)
            yield state

    def commit(self, change: Callable[[S | None], bytes | None]) -> S | None:
        """Commit what `change` makes of the newest state, and return the newest state then.

        `change` gets the newest state (None: there is none yet) and returns the signed bytes of the next sequence, or
        None where nothing is to change; it is called again for each state that somebody else committed first, and may
        raise. A pointer that was behind is moved in any case. Raises TransientError `conflict` after ATTEMPTS lost
        races.
        """
        pointer_state, etag = self._pointer()
        state = pointer_state if pointer_state is not None else self._newest_listed()
        for _ in range(ATTEMPTS):
            data = change(state)
            if data is None:
                later = None if state is None else self.state(state.index.sequence + 1)
                if later is not None:
                    state = later
                    continue
            else:
                name = self._name(1 if state is None else state.index.sequence + 1)
                # Before it has a number: a state that nobody trusts would end the chain.
                after = self.verify(data, name)
                if self.store.create(name, data, immutable(name)) is Created.OTHER:
                    state = self._winner(name, state)
                    continue
                state = after
            if state is not None and state is not pointer_state:
                self._move_pointer(state, etag)
            return state
        raise TransientError(
            Code.CONFLICT, "R5", f"lost {ATTEMPTS} races for the next sequence; try again", where=self.stem
        )

    def roll_forward(self) -> tuple[S | None, bool]:
        """The newest state, and whether the pointer had to be moved to it: it was behind, missing or damaged (T45)."""
        pointer_state, etag = self._pointer()
        state = self._climb(pointer_state if pointer_state is not None else self._newest_listed())
        if state is None or state is pointer_state:
            return state, False
        self._move_pointer(state, etag)
        return state, True

    def _winner(self, name: str, before: S | None) -> S:
        state = self.state(1 if before is None else before.index.sequence + 1)
        if state is None:
            raise TransientError(Code.CONFLICT, "R5", "a state came and went; try again", where=name)
        return state

    def _pointer(self) -> tuple[S | None, str | None]:
        """The state that the pointer holds and the pointer's ETag; a damaged one has no state."""
        name = self.stem + ".json"
        try:
            found = self.store.read(name, limit=self.limit)
        except ContentError:  # longer than any index may be
            return None, next((info.etag for info in self.store.list(name) if info.name == name), None)
        if found is None:
            return None, None
        try:
            return self.verify(found.data, name), found.etag
        except ContentError:
            return None, found.etag

    def _climb(self, state: S | None) -> S | None:
        """The newest state from `state` on: one request more than there are states to climb."""
        while state is not None:
            later = self.state(state.index.sequence + 1)
            if later is None:
                return state
            state = later
        return None

    def _newest_listed(self) -> S | None:
        """The newest immutable state there is, without the pointer's help.

        Every chain begins with 1, and no state is ever deleted: one cheap question tells a new feature from a lost
        pointer, before anything is listed.
        """
        if self.store.read(self._name(1), limit=self.limit) is None:
            return None
        numbers = [n for info in self.store.list(self.stem + ".") if (n := self._number(info.name)) is not None]
        return self.state(max(numbers)) if numbers else None

    def _move_pointer(self, target: S, etag: str | None) -> None:
        """Overwrite the pointer at `etag`; where somebody was faster, unless it names this state or a later one."""
        name = self.stem + ".json"
        for _ in range(ATTEMPTS):
            if self.store.replace(name, target.data, pointer(name, self.pointer_max_age), etag=etag) is not None:
                return
            state, etag = self._pointer()
            if state is not None and state.index.sequence >= target.index.sequence:
                return
        raise TransientError(Code.CONFLICT, "R5", "the pointer is overwritten without end", where=name)

    def _name(self, sequence: int) -> str:
        return f"{self.stem}.{sequence}.json"

    def _number(self, name: str) -> int | None:
        digits = name.removeprefix(self.stem + ".").removesuffix(".json")
        return int(digits) if digits.isascii() and digits.isdigit() and self._name(int(digits)) == name else None
