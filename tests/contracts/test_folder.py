"""The folder's own promises: a tree for any web server, several processes, full and forbidden disks (T32)."""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest

from artifact.errors import Code, ContentError
from publisher.adapters.folder import WORK, FolderStore
from publisher.content_types import immutable, pointer
from publisher.ports import Created
from tests.contracts.bodies import upload, wrong

NAME = "feature-a/releases.json"
SETTINGS = pointer(NAME, 30)


def tree(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if WORK not in path.parts)


def leftovers(root: Path) -> list[str]:
    return sorted(path.name for path in (root / WORK).iterdir() if path.name != "lock")


def test_the_tree_has_the_objects_and_nothing_else(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.create("feature-a/1.0.0/manifest.json", b"{}", SETTINGS)
    etag = store.replace("feature-a/releases.json", b"1", SETTINGS, etag=None)
    store.replace("feature-a/releases.json", b"2", SETTINGS, etag=etag)
    list(store.create_all([upload("feature-a/1.0.0/assets/x.js", b"x")]))
    with pytest.raises(ContentError):
        list(store.create_all([wrong("feature-a/1.0.0/y.js", 10)]))
    assert tree(tmp_path) == [
        "feature-a",
        "feature-a/1.0.0",
        "feature-a/1.0.0/assets",
        "feature-a/1.0.0/assets/x.js",
        "feature-a/1.0.0/manifest.json",
        "feature-a/releases.json",
    ]
    assert leftovers(tmp_path) == []


def test_a_plain_web_server_serves_every_object_under_its_name(tmp_path: Path) -> None:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    store = FolderStore(tmp_path)
    names = [f"f/1.0.0/{c}x" for c in "!$&'()+,-09;=@AZ[]^_`az{}~"]
    list(store.create_all(upload(name, name.encode()) for name in names))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        for name in names:
            connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
            connection.request("GET", "/" + quote(name))
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, name.encode())
            connection.close()
        server.shutdown()
        thread.join()


def test_everybody_may_read_what_the_umask_allows(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    before = os.umask(0o022)
    try:
        store.create(NAME, b"x", SETTINGS)
        store.create("feature-a/1.0.0/x.js", b"x", SETTINGS)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE((tmp_path / path).stat().st_mode) for path in map(Path, tree(tmp_path))}
    assert modes == {"feature-a": 0o755, "1.0.0": 0o755, "x.js": 0o644, "releases.json": 0o644}


def test_a_folder_that_is_not_there_is_empty_and_is_made_by_the_first_object(tmp_path: Path) -> None:
    root = tmp_path / "not" / "yet"
    store = FolderStore(root)
    assert store.read(NAME, limit=1) is None
    assert list(store.list("")) == []
    assert not root.exists()
    assert store.create(NAME, b"x", SETTINGS) is Created.NEW
    assert (root / NAME).read_bytes() == b"x"


def test_a_deleted_version_leaves_no_empty_folder(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    for name in ("f/1.0.0/a/b/x.js", "f/1.0.0/y.js", "g/z.js"):
        store.create(name, b"x", immutable(name))
    store.delete("f/1.0.0/a/b/x.js")
    assert tree(tmp_path) == ["f", "f/1.0.0", "f/1.0.0/y.js", "g", "g/z.js"]
    store.delete("f/1.0.0/y.js")
    assert tree(tmp_path) == ["g", "g/z.js"]


@pytest.mark.parametrize("name", ["../x", "f/../../x", ".favn-work/lock", "f/.hidden", ".htaccess"])
def test_t05_no_name_leads_out_of_the_folder_or_hides_in_it(tmp_path: Path, name: str) -> None:
    store = FolderStore(tmp_path / "site")
    for attempt in (
        lambda: store.read(name, limit=1),
        lambda: store.create(name, b"x", SETTINGS),
        lambda: store.replace(name, b"x", SETTINGS, etag=None),
        lambda: store.delete(name),
    ):
        with pytest.raises(ContentError) as caught:
            attempt()
        assert caught.value.code == Code.PATH_INVALID
    assert list(tmp_path.iterdir()) in ([], [tmp_path / "site"])


def test_t05_no_link_leads_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    root = tmp_path / "site"
    root.mkdir()
    (root / "f").symlink_to(tmp_path / "outside")
    (root / "g").symlink_to(tmp_path / "outside" / "secret")
    store = FolderStore(root)
    for attempt in (
        lambda: store.read("f/secret", limit=10),
        lambda: store.read("g", limit=10),
        lambda: store.create("f/x", b"x", SETTINGS),
        lambda: store.delete("f/secret"),
        lambda: list(store.create_all([upload("f/x", b"x")])),
    ):
        with pytest.raises(ContentError) as caught:
            attempt()
        assert caught.value.code == Code.PATH_INVALID
    assert list(store.list("")) == []
    assert sorted(path.name for path in (tmp_path / "outside").iterdir()) == ["secret"]


def test_p3_a_name_that_is_a_file_and_a_folder_is_refused(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.create("f/x", b"x", SETTINGS)
    for attempt in (
        lambda: store.create("f", b"x", SETTINGS),
        lambda: store.create("f/x/y", b"x", SETTINGS),
        lambda: store.replace("f/x/y", b"x", SETTINGS, etag=None),
        lambda: list(store.create_all([upload("f/x/y", b"x")])),
    ):
        with pytest.raises(ContentError) as caught:
            attempt()
        assert caught.value.code == Code.PATH_INVALID
    assert store.read("f", limit=1) is None
    assert store.read("f/x/y", limit=1) is None
    assert leftovers(tmp_path) == []


def test_what_somebody_left_who_died_is_cleared_away_after_a_day(tmp_path: Path) -> None:
    work = tmp_path / WORK
    work.mkdir()
    for name, age in (("old", 2 * 86400), ("young", 60)):
        (work / name).write_bytes(b"half")
        os.utime(work / name, (time.time() - age,) * 2)
    FolderStore(tmp_path).create(NAME, b"x", SETTINGS)
    assert leftovers(tmp_path) == ["young"]


def _count(root: Path, rounds: int) -> None:
    store = FolderStore(root)
    for _ in range(rounds):
        while True:
            found = store.read(NAME, limit=10)
            assert found is not None
            if store.replace(NAME, b"%d" % (int(found.data) + 1), SETTINGS, etag=found.etag) is not None:
                break


def test_r5_processes_that_write_the_same_object_lose_no_update(tmp_path: Path) -> None:
    FolderStore(tmp_path).create(NAME, b"0", SETTINGS)
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_count, args=(tmp_path, 20)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert (tmp_path / NAME).read_bytes() == b"60"


WRITER = """
import json, sys
from functools import partial
from io import BytesIO
from pathlib import Path
from artifact.errors import DeliveryError
from publisher.adapters.folder import FolderStore
from publisher.content_types import immutable
from publisher.ports import Upload

store = FolderStore(Path(sys.argv[1]))
settings = immutable("x.js")
calls = {
    "create": lambda: store.create("f/new", b"new", settings),
    "replace": lambda: store.replace("f/there", b"new", settings, etag=store.read("f/there", limit=9).etag),
    "create_all": lambda: list(store.create_all([Upload("f/new", 3, partial(BytesIO, b"new"), settings)])),
    "delete": lambda: store.delete("f/there"),
}
try:
    calls[sys.argv[2]]()
    print(json.dumps({}))
except DeliveryError as error:
    print(json.dumps(error.as_json()))
"""

# Calls that only this program makes: an interpreter that starts writes and opens files of its own.
FAULTS = [
    ("create", "fsync", "ENOSPC", Code.STORAGE_FULL),
    ("create", "link,linkat", "ENOSPC", Code.STORAGE_FULL),
    ("create", "link,linkat", "EROFS", Code.UNAUTHORIZED),
    ("create", "fsync", "EIO", Code.TRANSPORT_FAILED),
    ("replace", "fsync", "EDQUOT", Code.STORAGE_FULL),
    ("replace", "rename,renameat,renameat2", "EACCES", Code.UNAUTHORIZED),
    ("create_all", "fsync", "ENOSPC", Code.STORAGE_FULL),
    ("create_all", "link,linkat", "EPERM", Code.UNAUTHORIZED),
    ("delete", "flock", "EIO", Code.TRANSPORT_FAILED),
    ("delete", "unlink,unlinkat", "EROFS", Code.UNAUTHORIZED),
]


@pytest.mark.parametrize(("call", "system_call", "fault", "code"), FAULTS)
def test_t32_a_full_or_forbidden_disk_is_a_sentence_and_leaves_what_was_there(
    tmp_path: Path, require: Callable[[str], Path], call: str, system_call: str, fault: str, code: Code
) -> None:
    strace = require("strace")
    FolderStore(tmp_path).create("f/there", b"there", SETTINGS)
    inject = f"inject={system_call}:error={fault}:when=1"
    command: list[str | Path] = [
        strace,
        "-f",
        "-qq",
        "-o",
        os.devnull,
        "-e",
        inject,
        sys.executable,
        "-c",
        WRITER,
        tmp_path,
        call,
    ]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(found.stdout)["code"] == code
    assert (tmp_path / "f/there").read_bytes() == b"there"
    assert tree(tmp_path) == ["f", "f/there"]
    assert leftovers(tmp_path) == []
