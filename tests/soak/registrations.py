"""What an operator does meanwhile: ConfigMaps that register features, rightly and wrongly, in one namespace."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from loader_cdn.settings import SELECTOR
from tests.kubernetes.api import Api

HOSTS = ("127.0.0.1", "localhost")

_LABEL, _, _VALUE = SELECTOR.partition("=")


class Registrations:
    """`held` is the ConfigMap that registers each feature, `names` are all that did without a gap, this one included.
    All are named as a loader's `/status` names them. An action returns whether there was anything to do.
    """

    def __init__(self, api: Api, namespace: str, edge_port: int, is_heard: Callable[[str, str], bool]) -> None:
        """`is_heard` says whether every loader knows a feature by a ConfigMap."""
        self.namespace = namespace
        self.held: dict[str, str] = {}
        self.names: dict[str, frozenset[str]] = {}
        self._api, self._edge_port, self._is_heard = api, edge_port, is_heard
        self._path = f"/api/v1/namespaces/{namespace}/configmaps"
        self._numbers = itertools.count(1)
        self._extra: dict[str, str] = {}
        """The feature of each ConfigMap that registers nothing, by name: second ones, and malformed ones of none."""
        self._bent: set[str] = set()
        self._marks: set[str] = set()

    @property
    def features(self) -> frozenset[str]:
        """Those that are registered, also by what has turned malformed since."""
        return frozenset(self.held)

    # Rightly

    def register(self, feature_id: str, rng: Random) -> bool:
        """A feature that is not registered."""
        if feature_id in self.held:
            return False
        self._hold(feature_id, self._create(self._data(feature_id, rng)))
        return True

    def unregister(self, feature_id: str, rng: Random) -> bool:
        """All of its registrations go; one feature at least stays registered."""
        if feature_id not in self.held or len(self.held) == 1:
            return False
        self.names.pop(feature_id)
        for reference in [reference for reference, other in self._extra.items() if other == feature_id]:
            self._delete_extra(reference)
        self._bent.discard(feature_id)
        self._delete(self.held.pop(feature_id))
        return True

    def rename(self, feature_id: str, rng: Random) -> bool:
        """Registered under another name, too, and then no more under the first."""
        if not self._is_right(feature_id) or feature_id in self._extra.values():
            return False
        before = self.held[feature_id]
        self._hold(feature_id, self._create(self._data(feature_id, rng)))
        self._delete(before)
        return True

    def readdress(self, feature_id: str, rng: Random) -> bool:
        """Another host in cdnBaseUrl, for the same edge."""
        if not self._is_right(feature_id):
            return False
        self._put(self.held[feature_id], self._data(feature_id, rng))
        return True

    # Wrongly

    def bend(self, feature_id: str, rng: Random) -> bool:
        """A registration turns malformed, which every loader has seen when it was right; nobody else holds it."""
        if not self._is_right(feature_id) or feature_id in self._extra.values():
            return False
        if not self._is_heard(feature_id, self.held[feature_id]):
            return False
        self._bent.add(feature_id)
        self._put(self.held[feature_id], rng.choice(_malformed(feature_id)))
        return True

    def straighten(self, feature_id: str, rng: Random) -> bool:
        """A malformed registration is right again."""
        if feature_id not in self._bent:
            return False
        self._bent.discard(feature_id)
        self._put(self.held[feature_id], self._data(feature_id, rng))
        return True

    def duplicate(self, feature_id: str, rng: Random) -> bool:
        """A second registration, which leads to nowhere: the older one holds."""
        if not self._is_right(feature_id):
            return False
        self._extra[self._create({"featureId": feature_id, "cdnBaseUrl": "http://127.0.0.1:1/"})] = feature_id
        return True

    def misregister(self, feature_id: str, rng: Random) -> bool:
        """A malformed one."""
        self._extra[self._create(rng.choice(_malformed(feature_id)))] = ""
        return True

    def drop(self, feature_id: str, rng: Random) -> bool:
        """One that registers nothing goes."""
        if not self._extra:
            return False
        self._delete_extra(rng.choice(sorted(self._extra)))
        return True

    def mark(self) -> str:
        """A malformed one, by which one sees that a loader hears; which."""
        reference = self._create({})
        self._marks.add(reference)
        return reference

    def mend(self) -> None:
        """Only what registers a feature rightly is left."""
        while self._marks:
            self._delete(self._marks.pop())
        for name in list(self._extra):
            self._delete_extra(name)
        for feature_id in sorted(self._bent):
            self.straighten(feature_id, Random(0))

    # The API

    def _is_right(self, feature_id: str) -> bool:
        return feature_id in self.held and feature_id not in self._bent

    def _hold(self, feature_id: str, reference: str) -> None:
        self.held[feature_id] = reference
        self.names[feature_id] = self.names.get(feature_id, frozenset()) | {reference}

    def _data(self, feature_id: str, rng: Random) -> dict[str, str]:
        return {
            "featureId": feature_id,
            "cdnBaseUrl": f"http://{rng.choice(HOSTS)}:{self._edge_port}/{feature_id}" + rng.choice(("", "/")),
        }

    def _create(self, data: Mapping[str, str]) -> str:
        name = f"registration-{next(self._numbers):05}"
        self._api.create(self._path, self._document(name, data))
        return f"{self.namespace}/{name}"

    def _put(self, reference: str, data: Mapping[str, str]) -> None:
        name = reference.rpartition("/")[2]
        answer = self._api.request("PUT", f"{self._path}/{name}", self._document(name, data))
        assert answer.status == 200, answer

    def _delete(self, reference: str) -> None:
        self._api.delete(f"{self._path}/{reference.rpartition('/')[2]}")

    def _delete_extra(self, reference: str) -> None:
        del self._extra[reference]
        self._delete(reference)

    def _document(self, name: str, data: Mapping[str, str]) -> dict[str, Any]:
        return {"metadata": {"name": name, "labels": {_LABEL: _VALUE}}, "data": dict(data)}


def _malformed(feature_id: str) -> list[dict[str, str]]:
    url = "http://127.0.0.1:1/"
    return [
        {"cdnBaseUrl": url},
        {"featureId": "Not A Label", "cdnBaseUrl": url},
        {"featureId": feature_id},
        {"featureId": feature_id, "cdnBaseUrl": "ftp://127.0.0.1/"},
        {"featureId": feature_id, "cdnBaseUrl": f"{url}?query"},
        {"featureId": feature_id, "cdnBaseUrl": url, "image": "registry.example.org/one@sha256:0"},
        {"featureId": feature_id, "cdnBaseUrl": url, "minSequence": "many"},
    ]


ACTIONS = {
    "register": (Registrations.register, 4),
    "unregister": (Registrations.unregister, 2),
    "register under another name": (Registrations.rename, 2),
    "change cdnBaseUrl": (Registrations.readdress, 2),
    "make malformed": (Registrations.bend, 1),
    "mend malformed": (Registrations.straighten, 2),
    "register twice": (Registrations.duplicate, 1),
    "register malformed": (Registrations.misregister, 1),
    "drop a wrong registration": (Registrations.drop, 2),
}
"""By name: what is done with a feature, and how often beside the others."""
