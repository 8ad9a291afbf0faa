"""L1: what ConfigMaps register. One that is wrong is told with its name, and harms no other (T20)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from artifact.documents import INTEGER_LIMIT
from artifact.errors import ConfigurationError, ContentError
from artifact.releases import POINTER
from artifact.versions import check_feature_id
from loader_cdn.brought import Origin
from loader_cdn.origin import checked, shown
from loader_cdn.registrations import Registration, from_base_url

KEYS = ("featureId", "cdnBaseUrl", "image", "minSequence")
"""What is read of a ConfigMap's data; all else is somebody else's."""


@dataclass(frozen=True, slots=True)
class ConfigMap:
    """One with the label. `created` is RFC 3339, as the API server writes it; `uid` and `version` are for events."""

    namespace: str
    name: str
    data: Mapping[str, str]
    created: str = ""
    uid: str = ""
    version: str = ""

    @property
    def reference(self) -> str:
        """`<namespace>/<name>`."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one ConfigMap."""

    config_map: ConfigMap
    error: ConfigurationError


@dataclass(frozen=True, slots=True)
class Registered:
    """What the ConfigMaps of a cluster register, and what is wrong with some of them."""

    registrations: list[Registration]
    problems: list[Problem]


def registered(
    config_maps: Iterable[ConfigMap], origin: Origin, brought: Mapping[str, Collection[str]], *, allow_http: bool
) -> Registered:
    """Judge them all. Of two for one feature the older one holds, by creation time, then name.

    `brought` says which features the loader brought for a ConfigMap, by its reference: one that has turned malformed
    keeps them, and its place among others.
    """
    found: dict[str, Registration] = {}
    problems: list[Problem] = []
    for config_map in sorted(config_maps, key=lambda one: (one.created, one.name, one.namespace)):
        try:
            registration = _read(config_map, origin, allow_http=allow_http)
        except ConfigurationError as error:
            problems.append(Problem(config_map, error))
            for feature_id in brought.get(config_map.reference, ()):
                _claim(found, _kept(feature_id, origin, config_map.reference, error))
            continue
        first = _claim(found, registration)
        if first is not registration:
            problems.append(Problem(config_map, _claimed(config_map, registration.feature_id, first.by[0])))
        elif registration.fault is not None:
            assert isinstance(registration.fault, ConfigurationError)
            problems.append(Problem(config_map, registration.fault))
    return Registered(list(found.values()), problems)


def _claim(found: dict[str, Registration], registration: Registration) -> Registration:
    """Who holds the feature. That others have claimed it is remembered: one may be the last one left some day."""
    first = found.setdefault(registration.feature_id, registration)
    if first is not registration:
        found[registration.feature_id] = replace(first, by=first.by + registration.by)
    return first


def _read(config_map: ConfigMap, origin: Origin, *, allow_http: bool) -> Registration:
    """ConfigurationError where it is malformed."""
    data, where = config_map.data, f"ConfigMap {config_map.reference}"
    feature_id = data.get("featureId")
    if feature_id is None:
        raise _wrong(where, "featureId is missing", expected="a DNS label")
    try:
        check_feature_id(feature_id, where=where)
    except ContentError as error:
        raise _wrong(where, error.what, expected=error.expected, seen=feature_id) from error
    sources = [key for key in ("cdnBaseUrl", "image") if key in data]
    if len(sources) != 1:
        seen = " and ".join(sources) or "neither"
        raise _wrong(where, "it has to name one source", expected="exactly one of cdnBaseUrl and image", seen=seen)
    minimum = _min_sequence(data.get("minSequence"), where)
    if "image" in data:
        fault = _wrong(where, "this loader reads features from a CDN only", expected="cdnBaseUrl", seen="image")
        return _kept(feature_id, origin, config_map.reference, fault)
    base_url = _base_url(data["cdnBaseUrl"], where, allow_http=allow_http)
    return from_base_url(feature_id, base_url, origin, min_sequence=minimum, by=(config_map.reference,))


def _base_url(url: str, where: str, *, allow_http: bool) -> str:
    """With a `/` at its end. A query would be lost when the URLs of files are made from it (I2)."""
    try:
        checked(url, allow_http=allow_http)
        parts = urlsplit(url)
    except ConfigurationError as error:
        raise _wrong(where, f"cdnBaseUrl: {error.what}", expected=error.expected, seen=shown(url)) from error
    except ValueError as error:
        raise _wrong(where, "cdnBaseUrl: not an http(s) URL", seen=shown(url)) from error
    if parts.query or parts.fragment:
        raise _wrong(where, "cdnBaseUrl: a URL with a query or fragment cannot be a base for others", seen=shown(url))
    return url if url.endswith("/") else url + "/"


def _min_sequence(text: str | None, where: str) -> int:
    if text is None:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and int(text) <= INTEGER_LIMIT):
        raise _wrong(where, "minSequence is no sequence", expected="an integer of 0 or more", seen=text)
    return int(text)


def _kept(feature_id: str, origin: Origin, by: str, fault: ConfigurationError) -> Registration:
    return Registration(feature_id, "", POINTER, 0, origin, by=(by,), fault=fault)


def _claimed(config_map: ConfigMap, feature_id: str, holder: str) -> ConfigurationError:
    where = f"ConfigMap {config_map.reference}"
    return _wrong(where, f"{feature_id} is registered already; the older one holds", seen=f"ConfigMap {holder}")


def _wrong(where: str, what: str, *, expected: object = None, seen: object = None) -> ConfigurationError:
    return ConfigurationError(what, rule="L1", where=where, expected=expected, seen=seen)
