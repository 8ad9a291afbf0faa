"""The pod that a chart makes, on this machine: what its containers run, with folders in the place of volumes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def named(items: Iterable[Any], name: str) -> Any:
    """The one of a list of objects that has this name."""
    (found,) = (item for item in items if item["name"] == name)
    return found


def of_kind(objects: Iterable[Any], kind: str) -> list[Any]:
    """The objects of one kind, in their order."""
    return [item for item in objects if item["kind"] == kind]


@dataclass(frozen=True, slots=True)
class Process:
    """What a container runs: the words after the entry point of its image, and what the pod adds to its environment."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod's `spec`; each of its volumes is a folder of the same name below `folder`."""

    spec: Any
    folder: Path

    @classmethod
    def of(cls, objects: Iterable[Any], folder: Path) -> Pod:
        """The pod of the one Deployment among what a chart made."""
        (deployment,) = of_kind(objects, "Deployment")
        return cls(deployment["spec"]["template"]["spec"], folder)

    def container(self, name: str) -> Any:
        """A container, or an init container, as it is written."""
        return named([*self.spec["initContainers"], *self.spec["containers"]], name)

    def process(self, name: str) -> Process:
        """What a container runs, with local paths in the place of those below its mounts."""
        container = self.container(name)
        volumes = {mount["mountPath"]: self.volume(mount["name"]) for mount in container["volumeMounts"]}
        return Process(
            tuple(_local(word, volumes) for word in container.get("args", [])),
            {one["name"]: _local(one["value"], volumes) for one in container.get("env", [])},
        )

    def volume(self, name: str) -> Path:
        """The folder that stands for a volume; it is made where it is missing."""
        named(self.spec["volumes"], name)
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _local(text: str, volumes: Mapping[str, Path]) -> str:
    """A path, or `--flag=PATH`, with the local folder; anything else as it is."""
    flag, equals, path = text.partition("=") if text.startswith("--") else ("", "", text)
    for place in sorted(volumes, key=len, reverse=True):
        if path == place or path.startswith(f"{place}/"):
            return f"{flag}{equals}{volumes[place]}{path.removeprefix(place)}"
    return text
