"""What an API server knows of its objects, as files that kubeconform reads: nothing is fetched from elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.kubernetes.api import Api

LOCATION = "{{.ResourceKind}}{{.KindSuffix}}.json"
"""How kubeconform finds the file of a kind."""

_REFERENCE = re.compile(r'"#/definitions/([^"]+)"')
_SPELLINGS: dict[str, Any] = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": ["string", "integer"]},
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": ["string", "number"]},
}
"""What OpenAPI 2 can only call a string."""


def write_schemas(api: Api, folder: Path) -> str:
    """One file a kind, which refuses members that the kind does not have; the answer is for `-schema-location`."""
    stated: Mapping[str, Any] = api.get("/openapi/v2")["definitions"]
    definitions: dict[str, Any] = {name: _closed(one) for name, one in stated.items()} | _SPELLINGS
    needs = {name: set(_REFERENCE.findall(json.dumps(one))) for name, one in definitions.items()}
    folder.mkdir(parents=True, exist_ok=True)
    for file, name in _kinds(definitions):
        schema = {"$ref": f"#/definitions/{name}", "definitions": {one: definitions[one] for one in _all(name, needs)}}
        (folder / file).write_text(json.dumps(schema), "utf-8")
    return str(folder / LOCATION)


def _closed(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"additionalProperties": False, **definition} if "properties" in definition else definition


def _kinds(definitions: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """File name and definition of every kind that is one object of one API."""
    for name, definition in definitions.items():
        kinds = definition.get("x-kubernetes-group-version-kind", [])
        if len(kinds) == 1:
            (kind,) = kinds
            group = kind["group"].partition(".")[0]
            yield "-".join(filter(None, (kind["kind"].lower(), group, kind["version"]))) + ".json", name


def _all(name: str, needs: Mapping[str, set[str]]) -> set[str]:
    """A definition and all that it refers to."""
    found: set[str] = set()
    waiting = {name}
    while waiting:
        found |= waiting
        waiting = set().union(*(needs[one] for one in waiting)) - found
    return found
