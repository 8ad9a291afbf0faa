"""HTTP route templates as ASP.NET writes them: `items/{id:int?}`, `{verb:regex(^(open|close)$)}`, `{*rest}`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from artifact.errors import ConfigurationError

from .functions import LoadedFunction

_CONSTRAINTS = {
    "int": r"-?\d+",
    "long": r"-?\d+",
    "alpha": r"[A-Za-z]+",
    "guid": r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    "bool": r"(?:[Tt]rue|[Ff]alse)",
}
_PARAMETER = re.compile(r"\{(\*?)(\w+)(?::((?:[^{}]|\{[\d,]+\})+?))?(\??)\}")


@dataclass(frozen=True, slots=True)
class Route:
    """One function's route. `rank` sorts the more specific one first, segment by segment."""

    function: LoadedFunction
    methods: frozenset[str]
    pattern: re.Pattern[str]
    rank: tuple[int, ...]

    @classmethod
    def of(cls, function: LoadedFunction, prefix: str) -> Route:
        """The route of an HTTP-triggered function under `prefix` (host.json's `routePrefix`)."""
        template = "/".join(part for part in (prefix, function.trigger["route"].strip("/")) if part)
        pattern, rank = "", []
        for segment in _segments(template):
            text, specific = _segment(segment, function.name)
            pattern += text
            rank.append(specific)
        methods = frozenset(function.trigger.get("methods", ()))
        return cls(function, methods, re.compile(pattern, re.IGNORECASE), tuple(rank))

    def match(self, method: str, raw_path: str) -> dict[str, str] | None:
        """The route's parameters, or None. Another method is no match: the host answers 404, not 405."""
        if self.methods and method not in self.methods:
            return None
        found = self.pattern.fullmatch(raw_path.rstrip("/"))
        return {k: unquote(v) for k, v in found.groupdict().items() if v is not None} if found else None


def find(routes: Sequence[Route], method: str, raw_path: str) -> tuple[LoadedFunction, dict[str, str]] | None:
    """The function that answers and its route parameters; `routes` are sorted by rank."""
    for route in routes:
        parameters = route.match(method, raw_path)
        if parameters is not None:
            return route.function, parameters
    return None


def _segments(template: str) -> list[str]:
    """`template` split at every `/` outside braces."""
    return re.findall(r"(?:\{(?:[^{}]|\{[^{}]*\})*\}|[^/{}])+", template)


def _segment(segment: str, name: str) -> tuple[str, int]:
    pattern, end, rank, optional = "", 0, 1, False
    for match in _PARAMETER.finditer(segment):
        star, parameter, constraint, question = match.groups()
        pattern += re.escape(segment[end : match.start()])
        pattern += f"(?P<{parameter}>{'.*' if star else _constraint(constraint, name)})"
        rank = (4 if star else 2) + (constraint is None)
        optional = optional or bool(star or question)
        end = match.end()
    if "{" in segment[end:] or "}" in segment[end:]:
        raise ConfigurationError("a route template that this host does not know", where=name, seen=segment)
    pattern = f"/{pattern}{re.escape(segment[end:])}"
    return (f"(?:{pattern})?" if optional else pattern), rank


def _constraint(constraint: str | None, name: str) -> str:
    if constraint is None:
        return "[^/]+"
    if constraint.startswith("regex("):
        inner = constraint.removeprefix("regex(").removesuffix(")").replace("\\\\", "\\")
        return f"(?:{inner.removeprefix('^').removesuffix('$')})"
    if constraint not in _CONSTRAINTS:
        raise ConfigurationError("a route constraint that this host does not know", where=name, seen=constraint)
    return _CONSTRAINTS[constraint]
