"""R1-R4, I1, I2: release indexes, remote indexes, and what one document says about another."""

from __future__ import annotations

from typing import Any

from tests.vectors.making.forge import (
    DELETE,
    FEATURE,
    JSON,
    MOMENT,
    OTHER_FEATURE,
    domain,
    edit,
    entry,
    full_releases,
    manifest,
    releases,
    remote,
    remote_entry,
    sha256,
    sign,
    text,
    vector,
)


def _releases(name: str, rule: str, code: str, document: JSON, **context: Any) -> JSON:
    return vector(name, rule, code, document, **{"trust": "full", "featureId": FEATURE, "at": MOMENT, **context})


def _remote(name: str, rule: str, code: str, document: JSON, **context: Any) -> JSON:
    return vector(name, rule, code, document, **{"trust": "full", "at": MOMENT, **context})


def _releases_accepted() -> list[JSON]:
    first = {**releases(), "channels": {"stable": "1.0.0", "canary": "1.0.0"}, "withdrawn": []}
    other = releases(feature=OTHER_FEATURE)
    return [
        _releases("only what R1 demands", "R1", "ok", sign(releases(), "release")),
        _releases("everything, and unknown members", "R3, F3", "ok", sign(full_releases(), "release")),
        _releases("a feature's first canary is active, too", "R6", "ok", sign(first, "release")),
        _releases("highest sequence", "R1", "ok", sign(releases(sequence=2**53 - 1), "release")),
        _releases("a roll-back", "R4", "ok", sign(releases("2.0.0", "1.0.0", active="1.0.0", sequence=2), "release")),
        _releases("a team's own feature", "S4", "ok", sign(other, "team-release"), featureId=OTHER_FEATURE),
        _releases(
            "an empty reason", "R3", "ok", sign(edit(full_releases(), "withdrawn", 0, "reason", to=""), "release")
        ),
    ]


def _releases_schema() -> dict[str, JSON]:
    plain, full = releases(), full_releases()
    required = ("schemaVersion", "featureId", "sequence", "activeVersion", "versions")
    changed = {f"{name} missing": edit(plain, name, to=DELETE) for name in required}
    times = ["2026-11-20", "2026-11-20T08:00:00+01:00", "2026-11-20T08:00:00", 1763971200, None]
    changed |= {f"expiresAt {time!r}": edit(full, "expiresAt", to=time) for time in times}
    return changed | {
        "schemaVersion 2": edit(plain, "schemaVersion", to=2),
        "schemaVersion true": edit(plain, "schemaVersion", to=True),
        "schemaVersion is a string": edit(plain, "schemaVersion", to="1"),
        "sequence 0": edit(plain, "sequence", to=0),
        "sequence below zero": edit(plain, "sequence", to=-1),
        "sequence true": edit(plain, "sequence", to=True),
        "featureId with a dot": edit(plain, "featureId", to="feature.x"),
        "activeVersion not listed": edit(plain, "activeVersion", to="1.0.1"),
        "versions empty": edit(plain, "versions", to=[]),
        "versions is an object": edit(plain, "versions", to={}),
        "a version that is a string": edit(plain, "versions", to=["1.0.0"]),
        "ascending versions": releases("1.0.0", "1.1.0"),
        "a release below its own candidate": releases("1.0.0-rc.1", "1.0.0"),
        "a version twice": releases("1.0.0", "1.0.0"),
        "order of text, not of SemVer": releases("1.9.0", "1.10.0"),
        "manifestSha256 missing": edit(plain, "versions", 0, "manifestSha256", to=DELETE),
        "manifestSha256 in capitals": edit(plain, "versions", 0, "manifestSha256", to="A" * 64),
        "manifestSha256 too short": edit(plain, "versions", 0, "manifestSha256", to="a" * 63),
        "manifestSha256 with a line feed": edit(plain, "versions", 0, "manifestSha256", to="a" * 64 + "\n"),
        "serverFunctionsSha256 as base64": edit(plain, "versions", 0, "serverFunctionsSha256", to="sha256-AAAA"),
        "publishedAt with an offset": edit(full, "versions", 0, "publishedAt", to="2026-11-20T08:00:00+00:00"),
        "bytes below zero": edit(full, "versions", 0, "bytes", to=-1),
        "files is a string": edit(full, "versions", 0, "files", to="4"),
        "gitSha is a number": edit(full, "versions", 2, "gitSha", to=1),
        "previousSha256 at sequence 1": {**plain, "previousSha256": sha256("x")},
        "previousSha256 null": edit(full, "previousSha256", to=None),
        "channels.stable is not the active version": edit(full, "channels", "stable", to="1.0.0"),
        "channels.stable missing": edit(full, "channels", "stable", to=DELETE),
        "channels.canary not listed": edit(full, "channels", "canary", to="3.0.0"),
        "channels.canary null": edit(full, "channels", "canary", to=None),
        "channels is an array": edit(full, "channels", to=[]),
        "a withdrawn version is listed": edit(full, "withdrawn", 0, "version", to="1.0.0"),
        "withdrawn without reason": edit(full, "withdrawn", 0, "reason", to=DELETE),
        "withdrawn without hash": edit(full, "withdrawn", 0, "manifestSha256", to=DELETE),
        "withdrawn at a bad time": edit(full, "withdrawn", 0, "at", to="yesterday"),
        "withdrawn is an object": edit(full, "withdrawn", to={}),
        "change is a string": edit(full, "change", to="publish"),
        "change without action": edit(full, "change", "action", to=DELETE),
        "change.ticket is a number": edit(full, "change", "ticket", to=2),
        "a remote index": remote(),
        "a manifest": manifest(),
    }


def _releases_refused() -> list[JSON]:
    good = sign(releases(), "release")
    refused = [
        _releases(name, "R1, R3", "schema_invalid", sign(document, "release"))
        for name, document in _releases_schema().items()
    ]
    return [
        *refused,
        _releases("more versions than allowed", "P4", "limit_exceeded", good, limits={"versions": 0}),
        _releases("no signature", "S2", "signature_invalid", releases()),
        _releases("altered", "S1", "signature_invalid", edit(good, "sequence", to=2)),
        _releases("a key that nobody knows", "S3", "key_unknown", sign(releases(), "stranger")),
        _releases("a build key", "S4", "key_not_allowed", sign(releases(), "build")),
        _releases("an index key", "S4", "key_not_allowed", sign(releases(), "index")),
        _releases("a team's key for another feature", "S4", "key_not_allowed", sign(releases(), "team-release")),
        _releases("another feature", "S4", "feature_mismatch", sign(releases(feature=OTHER_FEATURE), "release")),
    ]


def _remote_accepted() -> list[JSON]:
    both = remote(remote_entry(OTHER_FEATURE), remote_entry(FEATURE, sequence=9, active="2.0.0-rc.1"), sequence=3)
    full = {
        **edit(both, "features", 1, "channels", to={"stable": "2.0.0-rc.1", "canary": "2.1.0", "x-beta": "1.0.0"}),
        "previousSha256": sha256("the state before"),
        "withdrawn": [{"featureId": "feature-old", "at": "2026-11-01T08:00:00Z", "reason": "replaced", "x-by": "ops"}],
        "x-unknown": [1, {"kept": False}],
    }
    return [
        _remote("without features", "I1", "ok", sign(remote(), "release")),
        _remote("two features, an index key", "I1, S4", "ok", sign(both, "index")),
        _remote(
            "everything, and unknown members", "I1, F3", "ok", sign(edit(full, "features", 0, "x-y", to=1), "release")
        ),
        _remote("without expiry", "R3", "ok", sign(edit(both, "expiresAt", to=DELETE), "release")),
    ]


def _remote_schema() -> dict[str, JSON]:
    one = remote(remote_entry(FEATURE), sequence=2)
    required = ("schemaVersion", "kind", "sequence", "generatedAt", "features")
    changed = {f"{name} missing": edit(one, name, to=DELETE) for name in required}
    changed |= {
        f"features[0].{name} missing": edit(one, "features", 0, name, to=DELETE) for name in remote_entry(FEATURE)
    }
    bases = [
        "", FEATURE, f"/{FEATURE}/", f"./{FEATURE}/", f"../{FEATURE}/", f"https://evil.example/{FEATURE}/",
        "//evil.example/", f"{OTHER_FEATURE}/", f"{FEATURE}//", f"{FEATURE}/?x",
    ]  # fmt: skip
    changed |= {f"baseUrl {url!r}": edit(one, "features", 0, "baseUrl", to=url) for url in bases}
    urls = ["releases.json", "releases.2.json", "releases.1.json?x", "../releases.1.json", "releases.01.json"]
    changed |= {f"releasesUrl {url!r}": edit(one, "features", 0, "releasesUrl", to=f"{FEATURE}/{url}") for url in urls}
    return changed | {
        "releasesUrl elsewhere": edit(one, "features", 0, "releasesUrl", to="https://evil.example/releases.1.json"),
        "kind of something else": edit(one, "kind", to="releases"),
        "schemaVersion 2": edit(one, "schemaVersion", to=2),
        "sequence 0": edit(one, "sequence", to=0),
        "features not sorted": remote(remote_entry(FEATURE), remote_entry(OTHER_FEATURE)),
        "a feature twice": remote(remote_entry(FEATURE), remote_entry(FEATURE)),
        "features is an object": edit(one, "features", to={}),
        "a feature's sequence 0": edit(one, "features", 0, "sequence", to=0),
        "a feature's hash in capitals": edit(one, "features", 0, "releasesSha256", to="A" * 64),
        "channels.stable is not the active version": edit(one, "features", 0, "channels", "stable", to="1.0.1"),
        "channels without stable": edit(one, "features", 0, "channels", to={}),
        "channels.canary is no version": edit(one, "features", 0, "channels", "canary", to="latest"),
        "previousSha256 at sequence 1": {**remote(), "previousSha256": sha256("x")},
        "generatedAt with an offset": edit(one, "generatedAt", to="2026-11-22T12:00:00+01:00"),
        "withdrawn without reason": {**one, "withdrawn": [{"featureId": "feature-old", "at": MOMENT}]},
        "withdrawn with a bad id": {**one, "withdrawn": [{"featureId": "../x", "at": MOMENT, "reason": "x"}]},
        "a release index": releases(),
    }


def _remote_refused() -> list[JSON]:
    one = remote(remote_entry(FEATURE))
    good = sign(one, "release")
    return [
        *(
            _remote(name, "I1, I2", "schema_invalid", sign(document, "release"))
            for name, document in _remote_schema().items()
        ),
        _remote("more features than allowed", "P4", "limit_exceeded", good, limits={"features": 0}),
        _remote("no signature", "S2", "signature_invalid", one),
        _remote("altered", "S1", "signature_invalid", edit(good, "features", 0, "releasesSha256", to="0" * 64)),
        _remote("a key that nobody knows", "S3", "key_unknown", sign(one, "stranger")),
        _remote("a build key", "S4", "key_not_allowed", sign(one, "build")),
        _remote("a team's release key", "S4", "key_not_allowed", sign(one, "team-release")),
    ]


def _links() -> list[JSON]:
    """What a remote index says of a release index (I2), and a release index of a manifest (R1, R2)."""
    index = sign(releases(sequence=4), "release")
    listed = remote_entry(FEATURE, sequence=4, digest=sha256(text(index)))

    def remote_link(name: str, code: str, said: JSON) -> JSON:
        document = sign(remote(said), "release")
        return {**_remote(name, "I2", code, document), "featureId": FEATURE, "releases": text(index)}

    def entry_link(name: str, code: str, rule: str, described: JSON, said: JSON) -> JSON:
        document = sign({**releases(), "versions": [said]}, "release")
        return {**_releases(name, rule, code, document), "manifest": text(described)}

    functions = domain()["integrity"]["index.js"]
    with_module, without = sign(domain(), "build"), sign(manifest(), "build")
    module_hash = sha256(b'import("./assets/chunk.js")\n')
    assert functions.startswith("sha256-")

    def said(of: JSON, **more: str) -> JSON:
        return entry("1.0.0", **{"manifestSha256": sha256(text(of)), **more})

    return [
        remote_link("the release index that is named", "ok", listed),
        remote_link("another release index", "integrity_mismatch", {**listed, "releasesSha256": sha256("other")}),
        remote_link(
            "another sequence", "schema_invalid",
            {**listed, "sequence": 5, "releasesUrl": f"{FEATURE}/releases.5.json"},
        ),
        remote_link(
            "another active version", "schema_invalid",
            {**listed, "activeVersion": "1.0.1", "channels": {"stable": "1.0.1"}},
        ),
        entry_link("the manifest that is listed", "ok", "R2", without, said(without)),
        entry_link(
            "with a server module", "ok", "R1", with_module,
            said(with_module, serverFunctionsSha256=module_hash),
        ),
        entry_link("another manifest", "integrity_mismatch", "R2", without, said(with_module)),
        entry_link("the module's hash is missing", "manifest_mismatch", "R1", with_module, said(with_module)),
        entry_link(
            "a hash without a module", "manifest_mismatch", "R1", without,
            said(without, serverFunctionsSha256=module_hash),
        ),
        entry_link(
            "another module", "manifest_mismatch", "R1", with_module,
            said(with_module, serverFunctionsSha256=sha256("other")),
        ),
    ]  # fmt: skip


def files() -> dict[str, JSON]:
    return {
        "release-indexes.json": {"vectors": _releases_accepted() + _releases_refused()},
        "remote-indexes.json": {"vectors": _remote_accepted() + _remote_refused()},
        "links.json": {"vectors": _links()},
    }
