"""One object: from memory while it is fresh, asked for again when it is stale, else from the storage."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate

from hishel import (
    AnyState,
    CacheMiss,
    CacheOptions,
    CouldNotBeStored,
    Entry,
    FromCache,
    Headers,
    IdleClient,
    InvalidateEntries,
    NeedRevalidation,
    NeedToBeUpdated,
    Request,
    Response,
    StoreAndUse,
)

from .memory import Kept, Memory
from .origin import KEPT_HEADERS, Origin

UNLABELLED_SECONDS = 86_400
"""How long an object without Cache-Control is kept: Front Door takes one to three days at random."""

UNLABELLED = "x-unlabelled"
_SHARED = CacheOptions(shared=True, supported_methods=["GET"], allow_stale=False)


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of a path. `kept` is an object, or None where `status` is another one than 200."""

    status: int
    kept: Kept | None
    headers: Mapping[str, str]
    is_hit: bool


class Cache:
    """A shared cache before the storage. `negative_seconds`: how long a 404 is believed."""

    def __init__(self, origin: Origin, memory: Memory, negative_seconds: int) -> None:
        self._origin, self._memory, self._negative = origin, memory, negative_seconds

    async def get(self, path: str) -> Found:
        """Raises aiohttp's ClientError or TimeoutError where the storage would have to answer and does not."""
        kept, generation, is_hit = self._memory.get(path), self._memory.generation, True
        request = Request("GET", path)
        state: AnyState = IdleClient(options=_SHARED).next(request, [] if kept is None else [kept.entry])
        body = b""
        while True:
            match state:
                case CacheMiss() | NeedRevalidation():
                    is_hit = False
                    response, body = await self._ask(path, state.request)
                    state = state.next(response)
                case NeedToBeUpdated():
                    assert kept is not None
                    kept.entry = state.updating_entries[-1]
                    state = state.next()
                case FromCache():
                    assert kept is not None
                    return _found(state.entry.response, kept, is_hit)
                case StoreAndUse():
                    kept = Kept(Entry(uuid.uuid4(), request, state.response), body)
                    if generation == self._memory.generation:
                        self._memory.put(path, kept)
                    return _found(state.response, kept, is_hit)
                case CouldNotBeStored():
                    return _found(state.response, Kept(Entry(uuid.uuid4(), request, state.response), body), is_hit)
                case InvalidateEntries():  # there is one entry at most, and what follows replaces it
                    state = state.next()
                case IdleClient():
                    raise AssertionError("the library does not begin anew")

    async def _ask(self, path: str, request: Request) -> tuple[Response, bytes]:
        async with self._origin.ask(path, request.headers.get("if-none-match")) as answer:
            headers = {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers}
            return Response(answer.status, Headers(self._labelled(answer.status, headers))), await answer.read()

    def _labelled(self, status: int, headers: dict[str, str]) -> dict[str, str]:
        """With the label that the storage should have given."""
        if status not in {200, 304}:
            seconds = self._negative if status == 404 else 0
            return {"Date": formatdate(usegmt=True), "Cache-Control": f"max-age={seconds}"}
        if status == 200 and "Cache-Control" not in headers:
            return {**headers, "Cache-Control": f"max-age={UNLABELLED_SECONDS}", UNLABELLED: "yes"}
        return headers


def _found(response: Response, kept: Kept, is_hit: bool) -> Found:
    headers = dict(response.headers)
    if UNLABELLED in headers:
        headers = {name: value for name, value in headers.items() if name not in {UNLABELLED, "cache-control"}}
    return Found(response.status_code, kept, headers, is_hit)
