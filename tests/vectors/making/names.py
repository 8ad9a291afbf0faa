"""P and F5: feature ids, versions and their order, paths, times."""

from __future__ import annotations

from tests.vectors.making.forge import JSON

FEATURE_IDS = ["a", "feature-patientlist", "0", "a-b--c", "x" * 63]
BAD_FEATURE_IDS = ["", "-a", "a-", "A", "feature_x", "a.b", "a/b", "..", "x" * 64, "a\n", "æ", "a ", "*"]  # fmt: skip

ORDER = [
    "0.0.0", "0.0.1", "0.9.9", "1.0.0-0", "1.0.0-1", "1.0.0-2", "1.0.0-10", "1.0.0-99999999999999999999",
    "1.0.0--", "1.0.0-0A", "1.0.0-A", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.1.0", "1.0.0-alpha.beta",
    "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1-a", "1.0.1", "1.2.0", "1.10.0",
    "2.0.0", "10.0.0", "99999999999999999999.0.0",
]  # fmt: skip
"""Ascending (SemVer 11), with the specification's own example in the middle."""

BAD_VERSIONS = [
    "", "1", "1.0", "1.0.0.0", "v1.0.0", "01.0.0", "1.00.0", "1.0.01", "1.0.0-", "1.0.0-01", "1.0.0-a..b", "1.0.0-a.",
    "1.0.0+build", "1.0.0-a+b", "1.0.0-æ", "1.0.0-a_b", " 1.0.0", "1.0.0\n", "1.0.0 ", "-1.0.0", "1.0.0-a/b", "latest",
    "1.0.0-" + "a" * 123, "١.0.0", "../1.0.0",
]  # fmt: skip

PATHS = [
    "index.js", "assets/app.css", "a", "A/B/c.JS", "assets/manifest.json", "manifest.jsonx", "a.b/c..d", "-x", "~a",
    "!$&'()+,-;=@[]^_`{}~", "x" * 255, "/".join(["d" * 255] * 4)[:1024],
]  # fmt: skip
BAD_PATHS = [
    "", "/a", "a/", "a//b", "../a", "a/../b", "./a", "a/./b", "..", ".", ".hidden", "a/.git/config", "...", "a b",
    "a\\b", "c:a", "a*", "a?b", 'a"b', "a<b", "a>b", "a|b", "a#b", "a%2fb", "a\tb", "a\nb", "a\x00b", "a\x7fb", "æ.js",
    "a\u202eb", "manifest.json", "MANIFEST.json", "Manifest.JSON/x", "x" * 256, "/".join(["d" * 100] * 11), "a\n",
]  # fmt: skip

PATH_SETS = {
    "nothing in the way": ["a/b", "a/c", "a-b", "a.b", "ab"],
    "folders may differ by case": ["Lib/a.js", "lib/b.js"],
}
BAD_PATH_SETS = {
    "equal when case is folded": ["lib/App.js", "lib/app.js"],
    "equal when the folder's case is folded": ["Lib/app.js", "lib/app.js"],
    "file and folder": ["lib", "lib/app.js"],
    "file and folder, with others between them by name": ["lib", "lib-b", "lib.js", "lib/x/app.js"],
    "file and folder that differ by case": ["LIB", "lib/app.js"],
    "file and folder that differ by case, deep": ["a/B/c", "A/b/C/d"],
    "one bad path": ["index.js", "../x"],
}

TIMES = {
    "2026-11-22T12:00:00Z": "2026-11-22T12:00:00Z",
    "2026-11-22T12:00:00.5Z": "2026-11-22T12:00:00.500000Z",
    "2026-11-22T12:00:00.000Z": "2026-11-22T12:00:00Z",
    "2024-02-29T23:59:59.123456789Z": "2024-02-29T23:59:59.123456Z",
    "0001-01-01T00:00:00Z": "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z": "9999-12-31T23:59:59Z",
}
BAD_TIMES = [
    "", "2026-11-22", "2026-11-22T12:00:00", "2026-11-22T12:00:00+00:00", "2026-11-22T13:00:00+01:00",
    "2026-11-22T12:00:00z", "2026-11-22t12:00:00Z", "2026-11-22 12:00:00Z", "2026-11-22T12:00Z",
    "2026-02-29T12:00:00Z", "2026-13-01T12:00:00Z", "2026-11-22T24:00:00Z", "2026-11-22T12:60:00Z",
    "2026-11-22T12:00:00.Z",
    "2026-11-22T12:00:00,5Z", " 2026-11-22T12:00:00Z", "2026-11-22T12:00:00Z\n", "20261122T120000Z",
    "0000-01-01T00:00:00Z", "٢026-11-22T12:00:00Z", "2026-11-22T12:00:00.٢Z",
    "-2026-11-22T12:00:00Z", "2026-W47-7T12:00:00Z",
]  # fmt: skip


def _judged(good: list[str], bad: list[str], code: str) -> list[JSON]:
    return [{"text": text, "code": "ok"} for text in good] + [{"text": text, "code": code} for text in bad]


def _sets(sets: dict[str, list[str]], code: str) -> list[JSON]:
    return [{"name": name, "paths": paths, "code": code} for name, paths in sets.items()]


def files() -> dict[str, JSON]:
    names = {
        "featureIds": _judged(FEATURE_IDS, BAD_FEATURE_IDS, "schema_invalid"),
        "versions": _judged([*ORDER, "1.0.0-" + "a" * 122], BAD_VERSIONS, "schema_invalid"),
        "ascendingVersions": ORDER,
        "paths": _judged(PATHS, BAD_PATHS, "path_invalid"),
        "pathSets": _sets(PATH_SETS, "ok") + _sets(BAD_PATH_SETS, "path_invalid"),
        "times": [{"text": text, "code": "ok", "written": written} for text, written in TIMES.items()]
        + [{"text": text, "code": "schema_invalid"} for text in BAD_TIMES],
    }
    return {"names.json": names}
