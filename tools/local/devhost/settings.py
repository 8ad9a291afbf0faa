"""What the host is told: host.json, app settings from the environment, and the same overrides as in Azure."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from artifact.errors import ConfigurationError

OVERRIDE = "AzureFunctionsJobHost__"
"""An app setting of this prefix overrides host.json: `AzureFunctionsJobHost__extensions__queues__batchSize`."""

_DURATION = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,7}))?")


@dataclass(frozen=True, slots=True)
class HostSettings:
    """One function app as the host sees it.

    `poll` is the time between two looks into storage, `lease` the time after which what a dead host had in work comes
    again; both in seconds.
    """

    script: Path
    host_json: Mapping[str, Any]
    poll: float
    lease: int

    @classmethod
    def load(cls, script: Path, *, poll: float, lease: int) -> HostSettings:
        """Read host.json beside `script` (defaults where there is none); ConfigurationError where it is no JSON."""
        path = script.parent / "host.json"
        try:
            document = json.loads(path.read_text("utf-8")) if path.exists() else {}
        except ValueError as error:
            raise ConfigurationError("host.json is not JSON", where=str(path), seen=str(error)) from error
        for name, value in os.environ.items():
            if name.startswith(OVERRIDE):
                _put(document, name.removeprefix(OVERRIDE).split("__"), value)
        return cls(script, document, poll, lease)

    @property
    def host_id(self) -> str:
        """Names this app's own objects in storage; instances of one app share it."""
        return sha256(str(self.script.resolve()).encode()).hexdigest()[:16]

    def value(self, path: str, default: Any) -> Any:
        """The member of host.json at `path` (dots between names), in the type of `default`."""
        at: Any = self.host_json
        for name in path.split("."):
            if not isinstance(at, Mapping) or name not in at:
                return default
            at = at[name]
        return duration(at, path) if isinstance(default, timedelta) else type(default)(at)

    def resolve(self, text: str) -> str:
        """`text` with every `%NAME%` replaced by that app setting, as in a binding's path, queue name or schedule."""
        return re.sub(r"%([^%\s]+)%", lambda match: setting(match[1]), text)


def setting(name: str) -> str:
    """The app setting `name`; ConfigurationError where it is missing or empty."""
    value = os.environ.get(name, "")
    if not value:
        raise ConfigurationError("a binding names an app setting that does not exist", where=name)
    return value


def duration(text: str, where: str) -> timedelta:
    """A .NET time span: `hh:mm:ss`, `d.hh:mm:ss`, `hh:mm:ss.fffffff`."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ConfigurationError("not a time span", where=where, expected="hh:mm:ss", seen=text)
    days, hours, minutes, seconds, fraction = match.groups(default="0")
    return timedelta(int(days), int(seconds), int(fraction.ljust(7, "0")) // 10, 0, int(minutes), int(hours))


def _put(document: dict[str, Any], names: list[str], value: str) -> None:
    for name in names[:-1]:
        document = document.setdefault(name, {})
    document[names[-1]] = value
