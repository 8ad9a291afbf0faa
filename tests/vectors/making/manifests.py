"""M, S: manifests."""

from __future__ import annotations

import json
from typing import Any

from tests.vectors.making.forge import (
    DELETE,
    FEATURE,
    JSON,
    MOMENT,
    OTHER_FEATURE,
    VERSION,
    domain,
    edit,
    integrity,
    manifest,
    sign,
    text,
    vector,
)


def _vector(name: str, rule: str, code: str, document: JSON | str, **context: Any) -> JSON:
    expected = {"trust": "full", "featureId": FEATURE, "version": VERSION, "at": MOMENT, **context}
    return vector(name, rule, code, document, **expected)


def _accepted() -> list[JSON]:
    small, large = sign(manifest(), "build"), sign(domain(), "build")
    remote_functions = {"endpoint": "https://api.example/functions", "exports": {"list": {}}}
    lab = manifest(feature=OTHER_FEATURE)
    return [
        _vector("facet", "M1", "ok", small),
        _vector("domain with everything, and unknown members", "M1, F3", "ok", large),
        _vector("any layout", "F4", "ok", "\n" + json.dumps(large, indent=2) + "\n"),
        _vector("escapes instead of letters", "F4", "ok", json.dumps(small)),
        _vector("without sizes", "M3", "ok", sign(edit(manifest(), "sizes", to=DELETE), "build")),
        _vector(
            "server functions elsewhere", "M1", "ok", sign({**manifest(), "serverFunctions": remote_functions}, "build")
        ),
        _vector("canary channel", "M1", "ok", sign({**manifest(), "channel": "canary"}, "build")),
        _vector("plain trust store", "S3", "ok", sign(manifest(), "plain"), trust="plain"),
        _vector("mixed trust store, plain entry", "S3", "ok", sign(manifest(), "plain"), trust="mixed"),
        _vector("mixed trust store, full entry", "S3", "ok", small, trust="mixed"),
        _vector("a team's own feature", "S4", "ok", sign(lab, "team-lab"), featureId=OTHER_FEATURE),
        _vector(
            "a team's own features, by the beginning of their names",
            "S4",
            "ok",
            sign(manifest(feature="feature-lab-x"), "team-lab"),
            featureId="feature-lab-x",
        ),
        _vector("retired key, published in time", "S6", "ok", sign(manifest(), "retired"), at="2026-06-01T00:00:00Z"),
        _vector("retired key, where time was judged before", "S6", "ok", sign(manifest(), "retired"), at=None),
    ]


def _signatures() -> list[JSON]:
    good = sign(manifest(), "build")
    value = good["signature"]["value"]
    # The last letter before the padding carries four bits that no byte uses.
    bad_values = {
        "empty": "",
        "not canonical": value[:-3] + chr(ord(value[-3]) + 1) + "==",
        "without padding": value.rstrip("="),
        "with white space": value[:40] + " " + value[40:],
        "with a line feed at the end": value + "\n",
        "in the URL alphabet": "-_" + value[2:],
        "of 63 bytes": "A" * 84,
        "of 65 bytes": "A" * 87 + "=",
        "of zeros": "A" * 86 + "==",
    }
    changes: dict[str, JSON] = {
        "no signature": edit(good, "signature", to=DELETE),
        "signature null": edit(good, "signature", to=None),
        "signature is a string": edit(good, "signature", to=value),
        "without algorithm": edit(good, "signature", "algorithm", to=DELETE),
        "without keyId": edit(good, "signature", "keyId", to=DELETE),
        "without value": edit(good, "signature", "value", to=DELETE),
        "another member": edit(good, "signature", "x", to=1),
        "another algorithm": edit(good, "signature", "algorithm", to="rsa"),
        "algorithm in capitals": edit(good, "signature", "algorithm", to="Ed25519"),
        "empty key id": edit(good, "signature", "keyId", to=""),
        "content altered": edit(good, "displayName", to="Pasientlister"),
        "member added": edit(good, "x", to=None),
        "member taken out": edit(good, "sizes", to=DELETE),
        "signature of another document": {**manifest(), "signature": sign(domain(), "build")["signature"]},
        "signed by another key under this id": sign(manifest(), "stranger", key_id="build"),
    } | {f"value {name}": edit(good, "signature", "value", to=bad) for name, bad in bad_values.items()}
    return [_vector(name, "S1, S2", "signature_invalid", document) for name, document in changes.items()]


def _keys() -> list[JSON]:
    lab = sign(manifest(), "team-lab")
    late = "2026-06-01T00:00:01Z"
    return [
        _vector("a key that nobody knows", "S3", "key_unknown", sign(manifest(), "stranger")),
        _vector("a key that was removed", "S5", "key_unknown", sign(manifest(), "build"), trust="plain"),
        _vector("another key under the same id", "S5", "signature_invalid", sign(manifest(), "build"), trust="rotated"),
        _vector("a release key", "S4", "key_not_allowed", sign(manifest(), "release")),
        _vector("a key without roles", "S3", "key_not_allowed", sign(manifest(), "nothing")),
        _vector("a team's key for another feature", "S4", "key_not_allowed", lab),
        _vector("retired key, published too late", "S6", "key_not_allowed", sign(manifest(), "retired"), at=late),
        _vector("another feature", "S4", "feature_mismatch", sign(manifest(feature=OTHER_FEATURE), "build")),
        _vector("another version", "R2", "manifest_mismatch", sign(manifest(version="1.0.1"), "build")),
    ]


def _schema_changes() -> dict[str, JSON]:
    small, large = manifest(), domain()
    functions = large["serverFunctions"]
    absent: dict[str, tuple[JSON, tuple[str, ...]]] = {
        **{
            name: (small, (name,)) for name in ("id", "version", "displayName", "featureType", "channel", "entrypoints")
        },
        "integrity": (small, ("integrity",)),
        "entrypoints.js": (small, ("entrypoints", "js")),
        "mount": (large, ("mount",)),
        "mount.pathPrefix": (large, ("mount", "pathPrefix")),
        "mount.domElementId": (large, ("mount", "domElementId")),
        "routes": (large, ("routes",)),
        "serverFunctions.exports": (large, ("serverFunctions", "exports")),
        "serverFunctions.module": (large, ("serverFunctions", "module")),
    }
    changed: dict[str, JSON] = {
        "id in capitals": edit(small, "id", to="Feature-x"),
        "version with build metadata": edit(small, "version", to="1.0.0+7"),
        "version is a number": edit(small, "version", to=1),
        "displayName empty": edit(small, "displayName", to=""),
        "featureType unknown": edit(small, "featureType", to="widget"),
        "channel unknown": edit(small, "channel", to="beta"),
        "entrypoints.js empty": edit(small, "entrypoints", "js", to=[]),
        "entrypoints.js is a string": edit(small, "entrypoints", "js", to="index.js"),
        "entrypoints.js with a number": edit(small, "entrypoints", "js", to=["index.js", 1]),
        "entrypoints.css empty": edit(small, "entrypoints", "css", to=[]),
        "entrypoints is an array": edit(small, "entrypoints", to=[]),
        "entrypoint without integrity": edit(small, "entrypoints", "js", to=["other.js"]),
        "stylesheet without integrity": edit(small, "entrypoints", "css", to=["other.css"]),
        "entrypoint is manifest.json": edit(small, "entrypoints", "js", to=["manifest.json"]),
        "routes empty": edit(large, "routes", to=[]),
        "routes empty in a facet": {**small, "routes": []},
        "routes is an object": edit(large, "routes", to={}),
        "mount.pathPrefix empty": edit(large, "mount", "pathPrefix", to=""),
        "serverFunctions both": edit(large, "serverFunctions", "endpoint", to="https://api.example/"),
        "serverFunctions null": edit(large, "serverFunctions", to=None),
        "serverFunctions.exports empty": edit(large, "serverFunctions", "exports", to=[]),
        "serverFunctions.exports is a string": edit(large, "serverFunctions", "exports", to="list"),
        "serverFunctions.module without integrity": edit(large, "serverFunctions", "module", to="server.mjs"),
    }  # fmt: skip
    endpoints = [
        "/functions", "//api.example/", "api.example", "ftp://api.example/", "https://", "https:///x",
        "javascript:alert(1)", "https://user@api.example/", "https://user:word@api.example/", "https://@api.example/",
        "https://api.example:port/", "https://api.example:99999/", "https://api.example/a b", "ht\ntps://api.example/",
        "https:\\\\api.example\\", "https://[::1/",
    ]  # fmt: skip
    changed |= {
        f"serverFunctions.endpoint {endpoint!r}": edit(
            large, "serverFunctions", to={"endpoint": endpoint, "exports": functions["exports"]}
        )
        for endpoint in endpoints
    }
    return changed | {f"{name} missing": edit(document, *path, to=DELETE) for name, (document, path) in absent.items()}


def _integrity_changes() -> dict[str, JSON]:
    small = manifest()
    good = integrity(b"")
    values: dict[str, Any] = {
        "null": None,
        "of an object": {},
        "empty": "",
        "of another algorithm": "sha384-" + "A" * 64,
        "without algorithm": good.removeprefix("sha256-"),
        "in hexadecimal": "sha256-" + "0" * 64,
        "without padding": good.rstrip("="),
        "not canonical": good[:-2] + "V=",
        "of two hashes": f"{good} {good}",
        "of 31 bytes": "sha256-" + "AAAA" * 10 + "AA==",
        "with options": good + "?ct=text",
    }
    changed = {f"integrity {name}": edit(small, "integrity", "empty.txt", to=bad) for name, bad in values.items()}
    return changed | {
        "integrity is null": edit(small, "integrity", to=None),
        "integrity is an array": edit(small, "integrity", to=[]),
        "integrity is empty": edit(edit(small, "integrity", to={}), "sizes", to={}),
        "sizes without one path": edit(small, "sizes", "empty.txt", to=DELETE),
        "sizes with another path": edit(small, "sizes", "other.js", to=1),
        "sizes is empty": edit(small, "sizes", to={}),
        "sizes is null": edit(small, "sizes", to=None),
        "a size below zero": edit(small, "sizes", "empty.txt", to=-1),
        "a size that is a string": edit(small, "sizes", "empty.txt", to="0"),
        "a size that is true": edit(small, "sizes", "empty.txt", to=True),
    }


def _bad_paths() -> list[JSON]:
    sets = {
        "climbing": ["../x.js"], "climbing later": ["a/../../x.js"], "absolute": ["/etc/x.js"], "hidden": [".env"],
        "hidden folder": ["a/.git/x"], "reserved": ["manifest.json"], "reserved in capitals": ["Manifest.json"],
        "reserved as a folder": ["manifest.json/x"], "backslash": ["a\\x.js"], "space": ["a x.js"],
        "percent": ["%2e%2e/x"], "drive": ["c:x.js"], "not ASCII": ["æ.js"],
        "empty segment": ["a//x.js"], "empty": [""], "folder": ["a/"],
        "case collision": ["a/x.js", "A/x.js"], "file and folder": ["a", "a/x.js"],
        "file and folder by case": ["A", "a/x.js"],
    }  # fmt: skip
    return [
        _vector(
            f"path {name}", "P3", "path_invalid",
            sign(manifest({"index.js": b"", **dict.fromkeys(paths, b"")}), "build"),
        )
        for name, paths in sets.items()
    ]  # fmt: skip


def files() -> dict[str, JSON]:
    schema = _schema_changes() | _integrity_changes()
    refused = [_vector(name, "M1-M4", "schema_invalid", sign(document, "build")) for name, document in schema.items()]
    small = sign(manifest(), "build")
    refused += [
        _vector("more files than allowed", "P4", "limit_exceeded", small, limits={"files": 3}),
        _vector("a file larger than allowed", "P4", "limit_exceeded", small, limits={"fileBytes": 18}),
        _vector("a version larger than allowed", "P4", "limit_exceeded", small, limits={"versionBytes": 50}),
        _vector("duplicate member", "F2", "document_invalid", text(small)[:-1] + ',"id":"feature-patientlist"}'),
        _vector("a release index", "M1", "schema_invalid", sign({"schemaVersion": 1}, "build")),
    ]
    return {"manifests.json": {"vectors": _accepted() + _signatures() + _keys() + _bad_paths() + refused}}
