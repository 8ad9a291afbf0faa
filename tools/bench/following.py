"""After the first sync: an update, passes in which nothing changed, and a large remote index."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from artifact.keys import KeySigner, PrivateKey
from artifact.manifest import Manifest, parse_manifest
from artifact.paths import MANIFEST, Limits
from artifact.remote_index import POINTER as REMOTE_POINTER
from artifact.remote_index import RemoteEntry, RemoteIndex, parse_remote_index, verify_remote_index
from artifact.trust import TrustStore
from artifact.versions import Version
from publisher.adapters.folder import FolderStore
from publisher.authoring import sign_directory
from publisher.environment import Environment
from publisher.publish import publish
from publisher.remote import commit_remote
from publisher.sources import DirectorySource
from tools.bench.bench import LOADER, Bench, Figure, Measured, check_fetched, drop, feature_flag
from tools.bench.measure import Contestant, Results, run
from tools.bench.servers import Nginx
from tools.bench.sets import FEATURE, Set, draft
from tools.local.keys import BUILD_KEY_ID, RELEASE_KEY_ID
from tools.setup.steps import VENV

MANY = 100
MANY_ENTRIES = 10_000


def update(bench: Bench) -> Measured:
    """With b in place, b2 is published: what does the next sync fetch, counted at the server?"""
    old, new = bench.sets["b"], bench.sets["b2"]
    measured = Measured("update b to b2, over https from nginx on this machine")
    changed = _changed_bytes(old, new)
    sent: list[int] = []
    samples = measured.results.samples.setdefault(f"{LOADER}, b2 over b", [])
    for _ in range(bench.runs):
        tree, root = bench.new_folder("tree"), bench.new_folder("root")
        bench.published(old, tree)
        with Nginx(tree, bench.work / "nginx", bench.tls, counted=True) as server:
            loader = bench.loader(root, feature_flag(server.https))
            run(loader)
            bench.published(new, tree)
            with server.counting() as requests:
                samples.append(run(loader))
            check_fetched(new, root / FEATURE)
        sent.append(sum(request.body_bytes for request in requests))
        drop(tree)
        drop(root)
    measured.figures.append(Figure("update b to b2: bytes sent / bytes that changed", median(sent) / changed, 1.05))
    return measured


def unchanged(bench: Bench) -> Measured:
    """Everything stands and nothing changed: what is asked, and what does a process cost from its start to its end?"""
    measured = Measured(f"sync again without change: b, and {MANY} features behind one remote index")
    results = measured.results
    start = Contestant(f"{LOADER} --help", [(VENV / "bin" / LOADER, "--help")])
    results.samples[start.name] = [run(start) for _ in range(bench.runs)]
    tree = bench.new_folder("tree")
    bench.published(bench.sets["b"], tree)
    asked = _again(bench, results, tree, f"{LOADER}, b unchanged", FEATURE)
    measured.figures.append(Figure("pass without change, b: requests", asked, 1, ""))
    tree = bench.new_folder("tree")
    publish_many(bench, tree)
    asked = _again(bench, results, tree, f"{LOADER}, {MANY} features unchanged", REMOTE_POINTER)
    measured.figures.append(Figure(f"pass without change, {MANY} features: requests", asked, 1, ""))
    return measured


def remote_index(bench: Bench) -> Measured:
    """A remote index of as many features as P4 allows, parsed and verified in this process."""
    measured = Measured(f"a remote index of {MANY_ENTRIES:,} features, in one process")
    data = _large_index(bench)
    trust = TrustStore.parse(bench.keys.trust.read_bytes(), source=str(bench.keys.trust))
    took = []
    for _ in range(bench.runs):
        began = time.perf_counter()
        verify_remote_index(parse_remote_index(data, where="index", limits=Limits()), trust, at=datetime.now(UTC))
        took.append((time.perf_counter() - began) * 1000)
    what = f"remote index of {MANY_ENTRIES:,} features, {len(data) / 1e6:.1f} MB: verified and read"
    measured.figures.append(Figure(what, median(took), 150, "ms"))
    return measured


def _again(bench: Bench, results: Results, tree: Path, name: str, source: str) -> float:
    """Sync, then again as often as is to be measured; the most requests that one of those made."""
    asked = 0
    with Nginx(tree, bench.work / "nginx", bench.tls, counted=True) as server:
        flags = (
            ("--remote-index", f"{server.https}/{source}") if source == REMOTE_POINTER else feature_flag(server.https)
        )
        loader = bench.loader(bench.new_folder("root"), flags)
        run(loader)
        for _ in range(bench.runs):
            with server.counting() as requests:
                results.samples.setdefault(name, []).append(run(loader))
            asked = max(asked, len(requests))
    return asked


def publish_many(bench: Bench, tree: Path) -> None:
    """Many small features, and the remote index that lists them."""
    env = Environment(
        artifacts=FolderStore(tree),
        trust=TrustStore.parse(bench.keys.trust.read_bytes(), source=str(bench.keys.trust)),
        signer=_signer(bench.keys.release, RELEASE_KEY_ID),
        clock=lambda: datetime.now(UTC),
    )
    build = _signer(bench.keys.build, BUILD_KEY_ID)
    ids = [f"feature-{number:03}" for number in range(MANY)]
    for feature_id in ids:
        folder = bench.work / "many" / feature_id / "1.0.0"
        (folder / "assets").mkdir(parents=True)
        for path in ("index.js", "assets/chunk.js", "assets/app.css"):
            (folder / path).write_text(f"/* {feature_id} {path} */\n" * 40, encoding="utf-8")
        (folder / MANIFEST).write_text(json.dumps(draft(feature_id, "1.0.0")), encoding="utf-8")
        sign_directory(folder, build, Limits())
        publish(env, DirectorySource(folder, Limits()), actor="bench")
    commit_remote(env, ids)


def _large_index(bench: Bench) -> bytes:
    entries = tuple(
        RemoteEntry(f"feature-{number:05}", f"{number:064x}", 1 + number % 50, Version(f"1.{number % 90}.0"))
        for number in range(MANY_ENTRIES)
    )
    index = RemoteIndex(1, datetime.now(UTC).replace(microsecond=0), entries)
    return index.signed(_signer(bench.keys.release, RELEASE_KEY_ID))


def _changed_bytes(old: Set, new: Set) -> int:
    """Bytes of the files whose content is not in the old version."""
    known = {file.sha256 for file in _manifest(old).files.values()}
    return sum(new.files[path] for path, file in _manifest(new).files.items() if file.sha256 not in known)


def _manifest(files: Set) -> Manifest:
    path = files.folder / MANIFEST
    return parse_manifest(path.read_bytes(), where=str(path), limits=Limits()).manifest


def _signer(path: Path, key_id: str) -> KeySigner:
    return KeySigner(key_id, PrivateKey.parse(path.read_text("utf-8"), where=str(path)))
