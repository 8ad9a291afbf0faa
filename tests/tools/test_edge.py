"""Both local edges do to readers what a CDN does: cache, revalidate, compress, purge; and keep the storage private."""

from __future__ import annotations

import gzip
import os
import signal
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient
from hishel import Entry, Request, Response

from publisher.adapters.varnish import VarnishPurger
from publisher.ports import PurgeError
from tests import parts
from tests.tools.conftest import Put
from tests.tools.running import WAIT, Answer, ask
from tools.local.azurite import ACCOUNT, KEY, Account
from tools.local.children import Child
from tools.local.edge.compression import accepts_gzip
from tools.local.edge.memory import Kept, Memory

IMMUTABLE = "public, max-age=31536000, immutable"
GZIP = {"Accept_Encoding": "gzip, br"}
SCRIPT = b"export const answer = 42;\n" * 100
RULES = {
    "x-content-type-options": "nosniff",
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "Age, ETag, X-Cache",
    "cross-origin-resource-policy": "cross-origin",
    "timing-allow-origin": "*",
}


@dataclass(frozen=True, slots=True)
class RunningEdge:
    port: int
    purge_port: int

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return ask(self.port, path, method, headers=named)

    def purge(self, path: str) -> int:
        return ask(self.purge_port, path, "PURGE").status


Start = Callable[..., RunningEdge]


@pytest.fixture(params=["varnish", "embedded"])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Start]:
    """`start(connection_string, *options)` runs an edge until the test ends."""
    if request.param == "varnish":
        parts.require("varnishd")
    module = "tools.local.varnish" if request.param == "varnish" else "tools.local.edge"
    with ExitStack() as stack:

        def run(connection_string: str, *options: str) -> RunningEdge:
            command = [sys.executable, "-m", module, "--with-parent", *options]
            child = Child("edge", command, {"ArtifactsStorage": connection_string}, tmp_path / "edge.log")
            said = stack.enter_context(child).ready(WAIT)
            return RunningEdge(said["port"], said["purgePort"])

        yield run


@pytest.fixture
def edge(start: Start, storage: Account) -> RunningEdge:
    return start(storage.connection_string)


def test_an_object_comes_with_its_headers_and_nosniff_and_none_of_the_storages_own(edge: RunningEdge, put: Put) -> None:
    put("artifacts", "feature-a/1.0.0/index.js", SCRIPT, "text/javascript; charset=utf-8", IMMUTABLE)
    answer = edge.get("/feature-a/1.0.0/index.js")
    assert (answer.status, answer.body) == (200, SCRIPT)
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == IMMUTABLE
    assert answer.headers["etag"]
    assert not [name for name in answer.headers if name.startswith("x-ms-")]
    assert "azurite" not in answer.headers.get("server", "").lower()


@pytest.mark.parametrize(
    ("path", "status"),
    [("/index.js", 200), ("/missing.js", 404), ("/../x", 404), ("/index.js", 304), ("/index.js", 206)],
)
def test_every_answer_has_what_the_rule_set_of_front_door_adds(
    edge: RunningEdge, put: Put, path: str, status: int
) -> None:
    put("artifacts", "index.js", SCRIPT, "text/javascript", IMMUTABLE)
    etag = edge.get("/index.js").headers["etag"]
    headers = {304: {"If_None_Match": etag}, 206: {"Range": "bytes=0-9"}}.get(status, {})
    answer = edge.get(path, **headers)
    assert answer.status == status
    assert {name: answer.headers.get(name) for name in RULES} == RULES


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


def test_an_age_is_counted_from_the_storages_word(edge: RunningEdge, put: Put) -> None:
    put("artifacts", "a.json", b"{}", "application/json", "public, max-age=60")
    ages = [int(edge.get("/a.json").headers["age"]) for _ in range(3)]
    assert ages == sorted(ages)
    assert ages[0] in {0, 1}


@pytest.mark.parametrize("label", ["no-store", "no-cache", "private, max-age=60"])
def test_what_may_not_be_kept_is_asked_for_every_time(edge: RunningEdge, put: Put, label: str) -> None:
    for data in (b"old", b"new"):
        put("artifacts", "a.json", data, "application/json", label)
        assert edge.get("/a.json").body == data


def test_what_has_no_label_is_kept_for_long_as_front_door_does(edge: RunningEdge, put: Put) -> None:
    put("artifacts", "a.json", b"old", "application/json")
    assert edge.get("/a.json").headers.get("cache-control") is None
    put("artifacts", "a.json", b"new", "application/json")
    assert edge.get("/a.json").body == b"old"


def test_a_part_of_an_object_is_a_part_of_the_same_bytes(edge: RunningEdge, put: Put) -> None:
    put("artifacts", "index.js", SCRIPT, "text/javascript", IMMUTABLE)
    for _ in range(2):
        answer = edge.get("/index.js", Range="bytes=7-11")
        assert (answer.status, answer.body) == (206, SCRIPT[7:12])
        assert answer.headers["content-range"] == f"bytes 7-11/{len(SCRIPT)}"
    assert edge.get("/index.js", Range="bytes=-5").body == SCRIPT[-5:]
    assert edge.get("/index.js", Range=f"bytes={len(SCRIPT)}-").status == 416
    assert edge.get("/index.js", Range="bytes=0-4", If_Range='"other"').status == 200


def test_what_is_not_one_range_is_answered_by_the_whole_object(edge: RunningEdge, put: Put) -> None:
    put("artifacts", "index.js", SCRIPT, "text/javascript", IMMUTABLE)
    for ranges in ("bytes=0-1,5-6", "bytes=some", "lines=1-2"):
        answer = edge.get("/index.js", Range=ranges)
        assert (ranges, answer.status, answer.body) == (ranges, 200, SCRIPT)


def test_a_part_is_given_by_a_strong_validator_only(edge: RunningEdge, put: Put) -> None:
    """RFC 9110, 13.1.5: two objects with the same weak one may have other bytes."""
    put("artifacts", "index.js", SCRIPT, "text/javascript", IMMUTABLE)
    strong, weak = (edge.get("/index.js", **headers).headers["etag"] for headers in ({}, GZIP))
    assert edge.get("/index.js", Range="bytes=0-4", If_Range=strong).status == 206
    assert edge.get("/index.js", Range="bytes=0-4", If_Range=weak).status == 200
    assert {edge.get("/index.js", Range="bytes=0-4", If_Range=etag, **GZIP).status for etag in (strong, weak)} == {200}


@pytest.mark.parametrize("accept", ["identity", "gzip"])
def test_a_reader_that_has_the_object_is_told_so(edge: RunningEdge, put: Put, accept: str) -> None:
    put("artifacts", "index.js", SCRIPT, "text/javascript", IMMUTABLE)
    etag = edge.get("/index.js", Accept_Encoding=accept).headers["etag"]
    answer = edge.get("/index.js", Accept_Encoding=accept, If_None_Match=f'"other", {etag}')
    assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", etag)
    assert edge.get("/index.js", If_None_Match='"other"').status == 200
    assert edge.get("/index.js", If_None_Match="*").status == 304
    assert edge.get("/index.js", If_Modified_Since=answer.headers["last-modified"]).status == 304


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
        answer = edge.get("/index.js", "HEAD")
        assert (answer.status, answer.body) == (200, b"")
        assert answer.headers["content-length"] == str(len(SCRIPT))


def test_other_methods_are_refused(edge: RunningEdge) -> None:
    for method in ("PUT", "POST", "DELETE", "OPTIONS", "PURGE"):
        assert edge.get("/a.json", method).status == 405


def test_names_with_every_allowed_character_arrive(edge: RunningEdge, put: Put) -> None:
    name = "feature-a/1.0.0/a+b@c[d]{e}~!$&'(),;=^`-_.js"  # P3
    for encoded in ("", "+[]{}^`'", "~!$&'(),;=@+[]{}^`"):
        path = "/" + "".join(f"%{ord(c):02X}" if c in encoded else c for c in name)
        for data in (b"old", b"new"):
            put("artifacts", name, data, "text/javascript", IMMUTABLE)
            assert edge.purge(path) == 200
            assert (path, edge.get(path).body) == (path, data)


def test_a_name_has_no_other_spelling_that_a_purge_would_miss(edge: RunningEdge, put: Put) -> None:
    put("artifacts", "a/1.0.0/x.js", b"old", "text/javascript", IMMUTABLE)
    assert edge.get("/a/1.0.0/x.js").status == 200
    for path in ("/%61/1.0.0/x.js", "/a/1%2e0.0/x.js", "/a/1.0.0%2Fx.js", "/a//1.0.0/x.js"):
        assert (path, edge.get(path).status) == (path, 404)


def test_a_path_that_no_object_can_have_never_reaches_the_storage(start: Start, origin: Origin) -> None:
    edge = start(origin.connection_string)
    for path in ("/", "/x/", "/%2e%2e/x", "/%252e%252e/x", "/..%2fx", "/..\\x", "/..%5cx", "/a%00", "/%zz", "/%"):
        assert (path, edge.get(path).status) == (path, 404)
    assert origin.asked == []


def test_a_path_that_climbs_reaches_no_other_container(edge: RunningEdge, put: Put) -> None:
    put("receipts", "secret.json", b"secret")
    climbing = ("/..", "/%2e%2e", "/x/..%2f..", "/..\\x\\..", "/x%00/..", "http://edge.example/..")
    for path in (*(f"{start}/receipts/secret.json" for start in climbing), "/", "/x\\secret.json"):
        answer = edge.get(path)
        assert (answer.status, answer.body.count(b"secret")) == (404, 0)


def test_a_path_with_a_host_before_it_is_the_same_object(edge: RunningEdge, put: Put) -> None:
    """RFC 9112, 3.2.2."""
    put("artifacts", "a.json", b"{}", cache_control=IMMUTABLE)
    put("receipts", "secret.json", b"secret")
    assert edge.get("http://receipts/a.json").body == b"{}"
    assert edge.get("http://receipts/secret.json").status == 404


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("X_HTTP_Method", "DELETE"),
        ("x_ms_range", "bytes=0-1"),
        ("x_ms_lease_id", str(uuid.UUID(int=0))),
        ("x_ms_if_tags", "\"a\"='b'"),
        ("x_ms_version", "2009-09-19"),
    ],
)
def test_a_reader_tells_the_storage_nothing_but_which_object(
    start: Start, origin: Origin, header: str, value: str
) -> None:
    edge = start(origin.connection_string)
    assert edge.get("/a.js", **{header: value}).body == b"old"
    assert header.replace("_", "-").lower() not in origin.told


def test_a_missing_object_is_404_and_appears_after_a_purge(edge: RunningEdge, put: Put) -> None:
    assert edge.get("/remote-index.json").status == 404
    put("artifacts", "remote-index.json", b"{}", "application/json", "public, max-age=30")
    edge.purge("/remote-index.json")
    assert edge.get("/remote-index.json").body == b"{}"


def test_a_purge_names_an_object_or_everything_below_a_folder_in_every_form(edge: RunningEdge, put: Put) -> None:
    names = ["a/releases.json", "a/1.0.0/x.js", "a/1.0.0/y/z.js", "a/1.0.0-rc.1/x.js", "b/1.0.0/x.js"]
    for name in names:
        put("artifacts", name, b"old" * 1000, "text/javascript", IMMUTABLE)
        for headers in ({}, GZIP):
            edge.get(f"/{name}", **headers)
        put("artifacts", name, b"new" * 1000, "text/javascript", IMMUTABLE)
    assert (edge.purge("/a/releases.json"), edge.purge("/a/1.0.0/*")) == (200, 200)
    expected = [b"new", b"new", b"new", b"old", b"old"]
    assert [edge.get(f"/{name}").body[:3] for name in names] == expected
    assert [gzip.decompress(edge.get(f"/{name}", **GZIP).body)[:3] for name in names] == expected


def test_a_dot_in_a_purge_is_a_dot(edge: RunningEdge, put: Put) -> None:
    put("artifacts", "a/1x0/f", b"old", cache_control=IMMUTABLE)
    edge.get("/a/1x0/f")
    put("artifacts", "a/1x0/f", b"new", cache_control=IMMUTABLE)
    assert edge.purge("/a/1.0/*") == 200
    assert edge.get("/a/1x0/f").body == b"old"


@pytest.mark.parametrize("path", ["/a?x", "/a*", "/*/a", "/a/*b"])
def test_a_purge_of_anything_else_is_refused(edge: RunningEdge, path: str) -> None:
    assert edge.purge(path) == 400


def test_nothing_is_served_where_purges_are_taken(edge: RunningEdge, put: Put) -> None:
    put("artifacts", "a.json", b"{}", cache_control=IMMUTABLE)
    assert ask(edge.purge_port, "/a.json").status == 400


def test_w4_the_adapter_purges_below_its_prefix_and_tells_what_went_wrong(edge: RunningEdge, put: Put) -> None:
    put("artifacts", "mfe/a/releases.json", b"old", cache_control=IMMUTABLE)
    edge.get("/mfe/a/releases.json")
    put("artifacts", "mfe/a/releases.json", b"new", cache_control=IMMUTABLE)
    purger = VarnishPurger(f"http://127.0.0.1:{edge.purge_port}", "/mfe")
    assert purger.purge(["/remote-index.json", "/a/releases.json"], None) is None
    assert edge.get("/mfe/a/releases.json").body == b"new"
    for url in (f"http://127.0.0.1:{edge.port}", "http://127.0.0.1:1"):
        with pytest.raises(PurgeError) as caught:
            VarnishPurger(url).purge(["/a/releases.json"], None)
        assert not caught.value.is_over


def test_t15_a_404_is_believed_for_as_long_as_it_is_told_and_forgotten_by_a_purge(
    start: Start, storage: Account, put: Put
) -> None:
    edge = start(storage.connection_string, "--negative-seconds", "3600")
    assert edge.get("/a.json").status == 404
    put("artifacts", "a.json", b"{}", "application/json", "public, max-age=30")
    assert (edge.get("/a.json").status, edge.get("/a.json").headers["x-cache"]) == (404, "HIT")
    edge.purge("/a.json")
    assert edge.get("/a.json").status == 200


class Origin(ThreadingHTTPServer):
    """A storage of one object, that may refuse, be away, or end in the middle. `asked`: the validators that were sent;
    `told`: the names of all headers.

    While `answers` is not set it has read the object, set `has_read`, and waits.
    """

    daemon_threads = True

    def __init__(self) -> None:
        self.body, self.status, self.is_away, self.is_cut, self.label = b"old", 200, False, False, "max-age=0"
        self.asked: list[str | None] = []
        self.has_read, self.answers = threading.Event(), threading.Event()
        self.answers.set()
        self.told: set[str] = set()
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def connection_string(self) -> str:
        endpoint = f"http://127.0.0.1:{self.server_address[1]}/{ACCOUNT}"
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={endpoint};"


class Handler(BaseHTTPRequestHandler):
    server: Origin
    protocol_version = "HTTP/1.1"

    def parse_request(self) -> bool:
        self.close_connection = self.server.is_away
        return not self.server.is_away and super().parse_request()

    def do_GET(self) -> None:
        of = self.server
        of.asked.append(self.headers.get("If-None-Match"))
        of.told |= {name.lower() for name in self.headers}
        body, etag = of.body, f'"{of.body.decode()[:3]}"'
        is_same = self.headers.get("If-None-Match") == etag and of.status == 200
        is_cut, label = of.is_cut, of.label
        of.has_read.set()
        of.answers.wait(WAIT)
        self.send_response(304 if is_same else of.status)
        fields = {"ETag": etag, "Cache-Control": label, "Content-Type": "text/javascript"}
        for name, value in {**fields, "Content-Length": "0" if is_same else str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"" if is_same else body[: len(body) // 2] if is_cut else body)
        self.close_connection = is_cut

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as server:
        yield server
        server.answers.set()
        server.shutdown()


@pytest.mark.parametrize("headers", [{}, GZIP])
def test_what_is_stale_is_asked_for_by_its_strong_validator(
    start: Start, origin: Origin, headers: dict[str, str]
) -> None:
    origin.body = b"old" * 1000
    edge = start(origin.connection_string)
    answers = [edge.get("/a.js", **headers) for _ in range(3)]
    assert origin.asked == [None, '"old"', '"old"']
    assert len({answer.body for answer in answers}) == 1
    assert len({answer.headers["etag"] for answer in answers}) == 1
    assert {answer.headers["x-cache"] for answer in answers} == {"MISS"}


@pytest.mark.parametrize("status", [403, 429, 500, 503])
def test_a_storage_that_refuses_is_no_object_and_is_asked_again(start: Start, origin: Origin, status: int) -> None:
    edge = start(origin.connection_string)
    edge.get("/a.js")
    origin.status = status
    answer = edge.get("/a.js")
    assert answer.status in {502, 503}
    assert b"old" not in answer.body
    origin.status = 200
    assert edge.get("/a.js").body == b"old"


def test_what_is_stale_is_not_served_while_the_storage_is_away(start: Start, origin: Origin) -> None:
    """Front Door knows no stale-while-revalidate."""
    edge = start(origin.connection_string)
    assert edge.get("/a.js").status == 200
    origin.is_away = True
    assert edge.get("/a.js").status in {502, 503}
    origin.is_away = False
    assert edge.get("/a.js").status == 200


@pytest.mark.parametrize("headers", [{}, GZIP])
def test_an_object_that_is_cut_short_is_never_whole_and_not_kept(
    start: Start, origin: Origin, headers: dict[str, str]
) -> None:
    origin.body, origin.label, origin.is_cut = b"old" * 1000, IMMUTABLE, True
    edge = start(origin.connection_string)
    with suppress(HTTPException, OSError):
        assert edge.get("/a.js", **headers).status in {502, 503}
    origin.is_cut = False
    answer = edge.get("/a.js", **headers)
    assert (gzip.decompress(answer.body) if headers else answer.body) == origin.body


@pytest.mark.parametrize("start", ["embedded"], indirect=True)
def test_an_object_that_was_being_fetched_when_a_purge_came_is_not_kept(start: Start, origin: Origin) -> None:
    """Varnish keeps it (ADR 0010)."""
    origin.label = IMMUTABLE
    origin.answers.clear()
    edge = start(origin.connection_string)
    with ThreadPoolExecutor() as readers:
        early = readers.submit(edge.get, "/a.js")
        assert origin.has_read.wait(WAIT)
        origin.body = b"new"
        assert edge.purge("/a.js") == 200
        origin.answers.set()
        assert early.result().body == b"old"
    assert edge.get("/a.js").body == b"new"


def test_the_container_itself_stays_private(edge: RunningEdge, storage: Account, put: Put) -> None:
    put("artifacts", "a.json", b"{}", cache_control=IMMUTABLE)
    assert edge.get("/a.json").status == 200
    with BlobServiceClient.from_connection_string(storage.connection_string) as service:
        assert service.get_container_client("artifacts").get_container_properties().public_access is None


def test_a_varnish_that_is_killed_ends_its_edge_and_leaves_no_folder(tmp_path: Path, origin: Origin) -> None:
    parts.require("varnishd")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    settings = {"ArtifactsStorage": origin.connection_string, "TMPDIR": str(temporary)}
    command = [sys.executable, "-m", "tools.local.varnish", "--with-parent"]
    with Child("edge", command, settings, tmp_path / "edge.log") as edge:
        edge.ready(WAIT)
        (manager,) = Path(f"/proc/{edge.pid}/task/{edge.pid}/children").read_text().split()
        os.kill(int(manager), signal.SIGKILL)
        assert edge.wait(WAIT) == 1
        assert "varnishd has ended by itself" in edge.last_words()
    assert list(temporary.iterdir()) == []


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


def test_the_memory_holds_no_more_than_its_limit_and_drops_what_was_used_least() -> None:
    memory, entry = Memory(limit=100), Entry(uuid.uuid4(), Request("GET", "/"), Response(200))
    for name in ("/a", "/b"):
        memory.put(name, Kept(entry, b"x" * 40))
    memory.get("/a")
    memory.put("/c", Kept(entry, b"x" * 40))
    assert [name for name in ("/a", "/b", "/c") if memory.get(name)] == ["/a", "/c"]
