"""Cold syncs: over this machine's loopback, and over a wide-area link."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from tools.bench import peers
from tools.bench.bench import LOADER, Bench, Figure, Measured, check_fetched, drop, feature_flag
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
_RESIDENT_GOALS = {"c": 64.0}

Command = Callable[[Path], list[str | Path]]
"""What to run, for the folder to write to."""


def sync(bench: Bench, name: str, *, tls: bool) -> Measured:
    """Fetch, verify and place a set, durably, against those who only fetch it."""
    files = bench.sets[name]
    scheme = "https" if tls else "http"
    measured = Measured(f"cold sync of {name} over {scheme}: {len(files.files)} files from nginx on this machine")
    tree = bench.new_folder("tree")
    bench.published(files, tree)
    with Nginx(tree, bench.work / "nginx", bench.tls) as server:
        origin = server.https if tls else server.http
        measured.results = race(bench.runs, partial(_loopback, bench, files, origin))
    drop(tree)
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
    measured.figures.append(Figure(f"{what}: peak resident memory", resident, _RESIDENT_GOALS.get(name), "MiB"))
    return measured


def wide(bench: Bench, *, loss: bool) -> Measured:
    """Cold sync of b over a line of 200 Mbit/s and 50 ms, against what is best for such a line without a pack."""
    files = bench.sets["b"]
    line = replace(WIDE, loss=LOSS) if loss else WIDE
    kind = "1 % loss" if loss else "no loss"
    measured = Measured(f"cold sync of b over https, 200 Mbit/s, 50 ms round trip, {kind}; nginx with gzip_static")
    tree, packed = bench.new_folder("tree"), bench.new_folder("packed")
    bench.published(files, tree)
    compressed_copy(tree, packed)
    with (
        Link(line) as link,
        Nginx(packed, bench.work / "nginx", bench.tls, address=SERVER, within=link.at_server, gzip=True) as server,
    ):
        # Where packets are lost, HTTP/2's few connections take more than half a minute: nobody's best line.
        measured.results = race(bench.runs, partial(_across, bench, files, server.https, link, with_h2=not loss))
    drop(packed)
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
    commands: dict[str, Command] = {
        CURL: lambda target: download.curl(files, target, bench.work, at_once=DOWNLOADS),
        ARIA2C: lambda target: download.aria2c(files, target, bench.work),
        RCLONE: download.rclone,
    }
    yield [_ours(bench, files, origin), *_theirs(bench, files, commands)]


@contextmanager
def _across(bench: Bench, files: Set, origin: str, link: Link, *, with_h2: bool) -> Iterator[Sequence[Contestant]]:
    download = Download(f"{origin}/{FEATURE}/", bench.tls.authority)
    commands: dict[str, Command] = {
        CURL_H1: lambda target: download.curl(files, target, bench.work, at_once=_H1_CONNECTIONS, packed=True),
        ARIA2C: lambda target: download.aria2c(files, target, bench.work),
    }
    if with_h2:
        commands[CURL_H2] = lambda target: download.curl_h2(files, target, bench.work, connections=_H2_CONNECTIONS)
    contestants = [_ours(bench, files, origin), *_theirs(bench, files, commands)]
    yield [
        replace(contestant, commands=[[*link.at_client, *command] for command in contestant.commands])
        for contestant in contestants
    ]


def _ours(bench: Bench, files: Set, origin: str) -> Contestant:
    root = bench.new_folder("root")
    return bench.loader(root, feature_flag(origin), check=partial(_check, files, root, root / FEATURE))


def _theirs(bench: Bench, files: Set, commands: Mapping[str, Command]) -> Iterator[Contestant]:
    absent = peers.missing(command for command in (ARIA2C, RCLONE) if command in commands)
    for name, command in commands.items():
        if name not in absent:
            target = bench.new_folder("target")
            check = partial(_check, files, target, target)
            yield Contestant(name, [command(target)], peers.environment(bench.work), check=check)


def _check(files: Set, target: Path, folder: Path) -> None:
    """BenchError where not all of the set is in `folder`; the space of `target` is given back."""
    check_fetched(files, folder)
    drop(target)
