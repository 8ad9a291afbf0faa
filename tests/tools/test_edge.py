"""The local edge does to readers what a CDN does: cache, revalidate, compress, purge; and keeps the storage private."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient

from tests.tools.conftest import Put
from tests.tools.running import WAIT, Answer, ask
from tools.local.azurite import Account
from tools.local.children import Child
from tools.local.edge.cache import NEGATIVE_SECONDS, UNLABELLED_SECONDS, Cache, Entry, lifetime
from tools.local.edge.compression import accepts_gzip

IMMUTABLE = "public, max-age=31536000, immutable"
GZIP = {"Accept-Encoding": "gzip, br"}
SCRIPT = b"export const answer = 42;\n" * 100


@dataclass(frozen=True, slots=True)
class RunningEdge:
    port: int
    purge_port: int
    log: Path

    def get(self, path: str, **headers: str) -> Answer:
        return ask(self.port, path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def purge(self, *paths: object) -> Answer:
        return ask(self.purge_port, "/purge", "POST", json.dumps({"paths": paths}).encode())

    def purges(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text("utf-8").splitlines()]


@pytest.fixture
def edge(tmp_path: Path, storage: Account) -> Iterator[RunningEdge]:
    log = tmp_path / "purge.log"
    command = [sys.executable, "-m", "tools.local.edge", "--with-parent", "--purge-log", str(log)]
    environment = {"ArtifactsStorage": storage.connection_string}
    with Child("edge", command, environment, tmp_path / "edge.log") as child:
        said = child.ready(WAIT)
        yield RunningEdge(said["port"], said["purgePort"], log)


def test_an_object_comes_with_its_headers_and_nosniff_and_none_of_the_storages_own(edge: RunningEdge, put: Put) -> None:
    put("artifacts", "feature-a/1.0.0/index.js", SCRIPT, "text/javascript; charset=utf-8", IMMUTABLE)
    answer = edge.get("/feature-a/1.0.0/index.js")
    assert (answer.status, answer.body) == (200, SCRIPT)
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == IMMUTABLE
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["etag"]
    assert not [name for name in answer.headers if name.startswith("x-ms-")]


def test_the_second_request_is_a_hit_even_when_the_storage_has_changed(edge: RunningEdge, put: Put) -> None:
    put("artifacts", "a.json", b"old", "application/json", "public, max-age=60, s-maxage=60")
    assert edge.get("/a.json").headers["x-cache"] == "MISS"
    put("artifacts", "a.json", b"new", "application/json", "public, max-age=60, s-maxage=60")
    answer = edge.get("/a.json?no=difference")
    assert (answer.headers["x-cache"], answer.body) == ("HIT", b"old")


def test_what_is_stale_is_asked_for_again(edge: RunningEdge, put: Put) -> None:
    put("artifacts", "a.json", b"old", "application/json", "public, max-age=60, s-maxage=0")
    assert edge.get("/a.json").body == b"old"
    unchanged = edge.get("/a.json")
    assert (unchanged.headers["x-cache"], unchanged.body) == ("MISS", b"old")
    put("artifacts", "a.json", b"new", "application/json", "public, max-age=60, s-maxage=0")
    assert edge.get("/a.json").body == b"new"


@pytest.mark.parametrize("accept", ["identity", "gzip"])
def test_a_reader_that_has_the_object_is_told_so(edge: RunningEdge, put: Put, accept: str) -> None:
    put("artifacts", "index.js", SCRIPT, "text/javascript", IMMUTABLE)
    etag = edge.get("/index.js", Accept_Encoding=accept).headers["etag"]
    answer = edge.get("/index.js", Accept_Encoding=accept, If_None_Match=f'"other", {etag}')
    assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", etag)
    assert edge.get("/index.js", If_None_Match='"other"').status == 200


def test_texts_are_compressed_for_those_who_take_it(edge: RunningEdge, put: Put) -> None:
    put("artifacts", "index.js", SCRIPT, "text/javascript", IMMUTABLE)
    for cache in ("MISS", "HIT"):
        answer = edge.get("/index.js", **GZIP)
        assert answer.headers["x-cache"] == cache
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["vary"] == "Accept-Encoding"
        assert answer.headers["etag"].startswith("W/")
        assert gzip.decompress(answer.body) == SCRIPT
    plain = edge.get("/index.js")
    assert "content-encoding" not in plain.headers
    assert plain.body == SCRIPT


@pytest.mark.parametrize(("kind", "size"), [("image/png", 5000), ("text/css", 1000), ("text/css", 8 * 1024 * 1024 + 1)])
def test_images_and_what_is_too_small_or_too_large_are_not_compressed(
    edge: RunningEdge, put: Put, kind: str, size: int
) -> None:
    put("artifacts", "object", b"x" * size, kind, IMMUTABLE)
    answer = edge.get("/object", **GZIP)
    assert "content-encoding" not in answer.headers
    assert answer.body == b"x" * size


@pytest.mark.parametrize("size", [9 * 1024 * 1024, 40 * 1024 * 1024])
def test_large_objects_pass_through_whole(edge: RunningEdge, put: Put, size: int) -> None:
    body = bytes(range(256)) * (size // 256)
    put("artifacts", "large.bin", body, cache_control=IMMUTABLE)
    first, second = edge.get("/large.bin"), edge.get("/large.bin")
    assert (first.status, second.status) == (200, 200)
    assert first.body == body
    assert second.body == body


def test_head_says_what_get_would_without_a_body(edge: RunningEdge, put: Put) -> None:
    put("artifacts", "index.js", SCRIPT, "text/javascript", IMMUTABLE)
    for _ in range(2):
        answer = ask(edge.port, "/index.js", "HEAD")
        assert (answer.status, answer.body) == (200, b"")
        assert answer.headers["content-length"] == str(len(SCRIPT))


def test_other_methods_are_refused(edge: RunningEdge) -> None:
    for method in ("PUT", "POST", "DELETE", "OPTIONS"):
        assert ask(edge.port, "/a.json", method).status == 405


def test_names_with_every_allowed_character_arrive(edge: RunningEdge, put: Put) -> None:
    name = "feature-a/1.0.0/a+b@c[d]{e}~!$&'(),;=^`-_.js"  # P3
    put("artifacts", name, b"yes", "text/javascript", IMMUTABLE)
    path = "/" + "".join(f"%{ord(c):02X}" if c in "+[]{}^`'" else c for c in name)
    assert edge.get(path).body == b"yes"


def test_a_path_that_climbs_reaches_no_other_container(edge: RunningEdge, put: Put) -> None:
    put("receipts", "secret.json", b"secret")
    for path in ("/../receipts/secret.json", "/%2e%2e/receipts/secret.json", "/x/..%2f..%2freceipts/secret.json", "/"):
        answer = edge.get(path)
        assert (answer.status, answer.body.count(b"secret")) == (404, 0)


def test_a_missing_object_is_404_and_appears_after_a_purge(edge: RunningEdge, put: Put) -> None:
    assert edge.get("/remote-index.json").status == 404
    put("artifacts", "remote-index.json", b"{}", "application/json", "public, max-age=30")
    edge.purge("/remote-index.json")
    assert edge.get("/remote-index.json").body == b"{}"


def test_a_purge_names_objects_or_everything_below_a_folder_and_is_logged(edge: RunningEdge, put: Put) -> None:
    names = ["a/releases.json", "a/1.0.0/x", "a/1.0.0/y/z", "a/1.0.0-rc.1/x"]
    for name in names:
        put("artifacts", name, b"old", cache_control=IMMUTABLE)
        edge.get(f"/{name}")
        put("artifacts", name, b"new", cache_control=IMMUTABLE)
    answer = edge.purge("/a/releases.json", "/a/1.0.0/*")
    assert (answer.status, json.loads(answer.body)) == (200, {"purged": 3})
    assert [edge.get(f"/{name}").body for name in names] == [b"new", b"new", b"new", b"old"]
    (line,) = edge.purges()
    assert (line["paths"], line["status"], line["purged"]) == (["/a/releases.json", "/a/1.0.0/*"], 200, 3)
    assert line["at"].endswith("Z")


@pytest.mark.parametrize("paths", [[], ["no-slash"], [1], [f"/{n}" for n in range(101)]])
def test_a_purge_that_a_cdn_would_refuse_is_refused_and_logged(edge: RunningEdge, paths: list[object]) -> None:
    assert edge.purge(*paths).status == 400
    assert [line["status"] for line in edge.purges()] == [400]


def test_purges_are_not_taken_where_readers_ask(edge: RunningEdge) -> None:
    assert ask(edge.port, "/purge", "POST", b'{"paths": ["/a"]}').status == 405


def test_the_container_itself_stays_private(edge: RunningEdge, storage: Account, put: Put) -> None:
    put("artifacts", "a.json", b"{}", cache_control=IMMUTABLE)
    assert edge.get("/a.json").status == 200
    with BlobServiceClient.from_connection_string(storage.connection_string) as service:
        assert service.get_container_client("artifacts").get_container_properties().public_access is None


@pytest.mark.parametrize(
    ("status", "label", "seconds"),
    [
        (200, "public, max-age=30, s-maxage=5", 5),
        (200, 'public, MAX-AGE="30"', 30),
        (200, IMMUTABLE, 31536000),
        (200, "no-cache, max-age=30", 0),
        (200, "no-store", 0),
        (200, "private, max-age=30", 0),
        (200, "max-age=soon", 0),
        (200, None, UNLABELLED_SECONDS),
        (404, "max-age=30", NEGATIVE_SECONDS),
        (500, "max-age=30", 0),
    ],
)
def test_how_long_an_answer_is_believed(status: int, label: str | None, seconds: float) -> None:
    assert lifetime(status, label) == seconds


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("", False),
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("*", True),
        ("*;q=0", False),
        ("*, gzip;q=0", False),
        ("identity", False),
        ("xgzip", False),
    ],
)
def test_who_takes_gzip(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted


def test_the_cache_holds_no_more_than_its_limit_and_drops_what_was_used_least() -> None:
    cache = Cache(limit=100)
    for name in ("/a", "/b"):
        cache.put(name, Entry(200, {}, b"x" * 40, 0, 1))
    cache.get("/a")
    cache.put("/c", Entry(200, {}, b"x" * 40, 0, 1))
    assert [name for name in ("/a", "/b", "/c") if cache.get(name)] == ["/a", "/c"]
