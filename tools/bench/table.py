"""What was measured, as tables: for a terminal, for docs/BENCHMARKS.md, and as JSON."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tools.bench.bench import Figure, Measured
from tools.bench.measure import BenchError, Results
from tools.bench.sets import MIB

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
_FIGURES = ("figure", "measured", "goal", "")
_TIMES = ("who", "seconds: median", "least to most", "CPU seconds", "peak resident MiB")
_VERSIONS = {
    "nginx": ("nginx", "-v"),
    "curl": ("curl", "--version"),
    "aria2c": ("aria2c", "--version"),
    "rclone": ("rclone", "version"),
    "azcopy": ("azcopy", "--version"),
}


def print_tables(races: Mapping[str, Measured], console: Console) -> None:
    """For people."""
    for measured in races.values():
        table = Table(*_TIMES, title=measured.title, title_justify="left")
        for row in _time_rows(measured.results):
            table.add_row(*row)
        if table.row_count:
            console.print(table)
        for name, why in measured.results.left_out.items():
            console.print(f"left out: {name}: {why}", markup=False, highlight=False)
    table = Table(*_FIGURES, title="Figures", title_justify="left")
    for row in _figure_rows(races):
        table.add_row(*row)
    console.print(table)


def as_json(races: Mapping[str, Measured], runs: int, facts: Mapping[str, str]) -> dict[str, Any]:
    """One document: seconds, bytes, and ratios as they were measured."""
    return {
        "machine": dict(facts),
        "runs": runs,
        "races": {name: _race_document(measured) for name, measured in races.items()},
    }


def write(races: Mapping[str, Measured], runs: int, facts: Mapping[str, str], path: Path) -> None:
    """Put the tables between the two marks of the document. BenchError where they are not there."""
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BenchError(f"{path.name} has no place for the tables: {BEGIN} … {END}")
    path.write_text(f"{before}{BEGIN}\n{_markdown(races, runs, facts)}\n{END}{after}", encoding="utf-8")


def machine() -> dict[str, str]:
    """What the figures depend on, without a name of the machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    facts = {
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "processor": _processor(),
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
    }
    search = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    for name, (program, flag) in _VERSIONS.items():
        if found := shutil.which(program, path=search):
            done = subprocess.run([found, flag], capture_output=True, text=True, check=False)
            match = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
            facts[name] = match[0] if match else "?"
    return facts


def load() -> str:
    """How many processes wanted to run, over the last minute: beyond the number of cores, times are worth little."""
    return f"{os.getloadavg()[0]:.1f}"


def _markdown(races: Mapping[str, Measured], runs: int, facts: Mapping[str, str]) -> str:
    machine_line = ", ".join(f"{name} {value}" for name, value in facts.items())
    parts = [f"Median of {runs}. {machine_line}.", _markdown_table(_FIGURES, _figure_rows(races))]
    for measured in races.values():
        if measured.results.samples:
            parts += [f"### {measured.title}", _markdown_table(_TIMES, _time_rows(measured.results))]
        parts += [f"Left out: {name}: {why}." for name, why in measured.results.left_out.items()]
    return "\n\n".join(parts)


def _markdown_table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(columns)
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _figure_rows(races: Mapping[str, Measured]) -> list[tuple[str, str, str, str]]:
    return [
        (figure.what, _number(figure.value, figure.unit), _goal(figure), "missed" if figure.is_missed else "")
        for measured in races.values()
        for figure in measured.figures
    ]


def _goal(figure: Figure) -> str:
    return "" if figure.goal is None else f"≤ {figure.goal:g} {figure.unit}".rstrip()


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "not measured"
    return f"{value:.2f} ×" if unit == "×" else f"{value:.0f} {unit}".rstrip()


def _time_rows(results: Results) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, samples in results.samples.items():
        seconds = sorted(sample.seconds for sample in samples)
        spread = f"{seconds[0]:.2f} to {seconds[-1]:.2f}"
        peak = (results.peak(name) or 0) / MIB
        rows.append((name, f"{results.seconds(name):.2f}", spread, f"{results.cpu(name):.2f}", f"{peak:.0f}"))
    return rows


def _race_document(measured: Measured) -> dict[str, Any]:
    return {
        "title": measured.title,
        "samples": {
            name: [{"seconds": sample.seconds, "cpu": sample.cpu, "peak": sample.peak} for sample in samples]
            for name, samples in measured.results.samples.items()
        },
        "leftOut": measured.results.left_out,
        "figures": [
            {"what": figure.what, "value": figure.value, "goal": figure.goal, "unit": figure.unit}
            for figure in measured.figures
        ],
    }


def _processor() -> str:
    """The model, as Linux says it; elsewhere the architecture."""
    try:
        match = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        match = None
    return match[1] if match else platform.machine()
