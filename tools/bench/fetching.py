"""Cold syncs: over this machine's loopback, and over a wide-area link."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from tools.bench import peers
from tools.bench.bench import LOADER, Bench, Figure, Measured, feature_flag
from tools.bench.link import SERVER, Line, Link
from tools.bench.measure import Contestant, race
from tools.bench.peers import DOWNLOADS, Download
from tools.bench.servers import Nginx, compressed_copy
from tools.bench.sets import FEATURE, MIB, Set

CURL, ARIA2C, RCLONE = "curl --parallel", "aria2c", "rclone"
CURL_H1, CURL_H2 = "curl, h1 × 48, gzip", "curl, h2 × 4, gzip"
WIDE = Line(rate=200e6, round_trip=0.05)
LOSS = 0.01
_H1_CONNECTIONS, _H2_CONNECTIONS = 48, 4
_LEAST_RESIDENT = {"c": 64.0}


def sync(bench: Bench, name: str, *, tls: bool) -> Measured:
    """Fetch, verify and place a set, durably, against those who only fetch it."""
    files = bench.sets[name]
    scheme = "https" if tls else "http"
    measured = Measured(f"cold sync of {name} over {scheme}: {len(files.files)} files from nginx on this machine")
    tree = bench.work / f"tree-{name}"
    bench.published(files, tree)
    with Nginx(tree, bench.work / "nginx", bench.tls) as server:
        origin = server.https if tls else server.http
        measured.results = race(bench.runs, partial(_loopback, bench, files, origin))
    shutil.rmtree(tree)
    results = measured.results
    results.left_out |= peers.missing((ARIA2C, RCLONE))
    others = (CURL, ARIA2C, RCLONE)
    what = f"cold sync of {name}, {scheme}"
    goals = (1.3, 0.7, 0.7) if name == "b" else (None, None, None)
    measured.figures.append(
        Figure(f"{what}: time / fastest that verifies nothing", results.ratio(LOADER, others), goals[0])
    )
    for peer, goal in zip(others[1:], goals[1:], strict=True):
        measured.figures.append(Figure(f"{what}: time / {peer}", results.ratio(LOADER, [peer]), goal))
    peak = results.peak(LOADER)
    resident = None if peak is None else peak / MIB
    measured.figures.append(Figure(f"{what}: peak resident memory", resident, _LEAST_RESIDENT.get(name), "MiB"))
    return measured


def wide(bench: Bench, *, loss: bool) -> Measured:
    """Cold sync of b over a line of 200 Mbit/s and 50 ms, against what is best for such a line without a pack."""
    files = bench.sets["b"]
    line = replace(WIDE, loss=LOSS) if loss else WIDE
    kind = "1 % loss" if loss else "no loss"
    measured = Measured(f"cold sync of b over https, 200 Mbit/s, 50 ms round trip, {kind}; nginx with gzip_static")
    tree, packed = bench.work / "tree-wide", bench.work / "tree-wide-gz"
    bench.published(files, tree)
    compressed_copy(tree, packed)
    with (
        Link(line) as link,
        Nginx(packed, bench.work / "nginx", bench.tls, address=SERVER, within=link.at_server, gzip=True) as server,
    ):
        # Where packets are lost, HTTP/2's few connections take more than half a minute: nobody's best line.
        measured.results = race(bench.runs, partial(_across, bench, files, server.https, link, with_h2=not loss))
    shutil.rmtree(tree)
    shutil.rmtree(packed)
    results = measured.results
    results.left_out |= peers.missing((ARIA2C,))
    what = f"cold sync of b, wide-area link, {kind}"
    best = results.ratio(LOADER, (CURL_H1, CURL_H2))
    measured.figures.append(Figure(f"{what}: time / best line without a pack", best, 1.15))
    measured.figures.append(Figure(f"{what}: time / aria2c -j16", results.ratio(LOADER, [ARIA2C]), 0.45))
    return measured


@contextmanager
def _loopback(bench: Bench, files: Set, origin: str) -> Iterator[Sequence[Contestant]]:
    download = Download(f"{origin}/{FEATURE}/", bench.tls.authority)
    commands = {
        CURL: download.curl(files, bench.target, bench.work, at_once=DOWNLOADS),
        ARIA2C: download.aria2c(files, bench.target, bench.work),
        RCLONE: download.rclone(bench.target),
    }
    yield [_ours(bench, files, origin), *_theirs(bench, files, commands)]


@contextmanager
def _across(bench: Bench, files: Set, origin: str, link: Link, *, with_h2: bool) -> Iterator[Sequence[Contestant]]:
    download = Download(f"{origin}/{FEATURE}/", bench.tls.authority)
    commands = {
        CURL_H1: download.curl(files, bench.target, bench.work, at_once=_H1_CONNECTIONS, packed=True),
        ARIA2C: download.aria2c(files, bench.target, bench.work),
    }
    if with_h2:
        commands[CURL_H2] = download.curl_h2(files, bench.target, bench.work, connections=_H2_CONNECTIONS)
    contestants = [_ours(bench, files, origin), *_theirs(bench, files, commands)]
    yield [
        replace(contestant, commands=[[*link.at_client, *command] for command in contestant.commands])
        for contestant in contestants
    ]


def _ours(bench: Bench, files: Set, origin: str) -> Contestant:
    def check() -> None:
        bench.check_target(files, bench.target / FEATURE)

    return bench.loader(feature_flag(origin), prepare=bench.empty_target, check=check)


def _theirs(bench: Bench, files: Set, commands: dict[str, list[str | Path]]) -> Iterator[Contestant]:
    absent = peers.missing(command for command in (ARIA2C, RCLONE) if command in commands)
    for name, command in commands.items():
        if name not in absent:
            yield Contestant(
                name,
                [command],
                peers.environment(bench.work),
                prepare=bench.empty_target,
                check=partial(bench.check_target, files, bench.target),
            )
