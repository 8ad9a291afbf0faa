"""The simulator's edge, with troubles that meet every answer, also those for what is published meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from publisher.adapters.memory import MemoryStore
from tests.simulator.cdn import Answer, Cdn

Trouble = Callable[[Answer], Answer]


class Edge(Cdn):
    """`trouble` is what goes wrong with each answer just now."""

    def __init__(self, store: MemoryStore) -> None:
        self.trouble: Trouble | None = None
        super().__init__(store)

    def answer(self, path: str, accepts: str, match: str | None) -> Answer | None:
        trouble = self.trouble
        answer = super().answer(path, accepts if trouble is None else "", match)
        return answer if answer is None or trouble is None else trouble(answer)


def _unavailable(answer: Answer) -> Answer:
    return Answer(503, b"try later", {"Content-Type": "text/plain"})


def _missing(answer: Answer) -> Answer:
    return Answer(404, b"not found", {"Content-Type": "text/plain"})


def _error_page(answer: Answer) -> Answer:
    return Answer(200, b"<!doctype html><title>Sorry</title>", {"Content-Type": "text/html"})


def _tampered(answer: Answer) -> Answer:
    if answer.status != 200 or not answer.body:
        return answer
    body = bytearray(answer.body)
    body[len(body) // 2] ^= 1
    return replace(answer, body=bytes(body))


def _cut_short(answer: Answer) -> Answer:
    return replace(answer, cut=len(answer.body) // 2) if answer.status == 200 else answer


TROUBLES: Mapping[str, Trouble] = {
    "answers 503": _unavailable,
    "answers 404": _missing,
    "answers a page with 200": _error_page,
    "changes a byte of each body": _tampered,
    "cuts bodies short": _cut_short,
}
"""By what an edge with it does."""
