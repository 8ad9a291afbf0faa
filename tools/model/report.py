"""The tables, for a terminal and between the marks of docs/PERFORMANCE_MODEL.md."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

from tools.model.tables import Table

COMPUTED = "computed"
SIMULATED = "simulated"


def marks(block: str) -> tuple[str, str]:
    """What stands before and after a block of tables."""
    return f"<!-- {block}: begin -->", f"<!-- {block}: end -->"


def markdown(tables: Iterable[Table]) -> str:
    """Tables under their titles."""
    return "\n\n".join(_markdown(table) for table in tables)


def block_of(text: str, block: str) -> str:
    """What a document has between the marks. ValueError where they are missing."""
    return _parts(text, block)[1]


def with_block(text: str, block: str, content: str) -> str:
    """The document with other content between the marks. ValueError where they are missing."""
    begin, end = marks(block)
    before, _, after = _parts(text, block)
    return f"{before}{begin}\n{content}\n{end}{after}"


def write(path: Path, blocks: dict[str, str]) -> None:
    """Put blocks into a document. ValueError where it has no place for one."""
    text = path.read_text(encoding="utf-8")
    for block, content in blocks.items():
        text = with_block(text, block, content)
    path.write_text(text, encoding="utf-8")


def print_tables(tables: Iterable[Table], console: Console) -> None:
    """For people."""
    for table in tables:
        drawn = RichTable(*table.columns, title=table.title, title_justify="left")
        for row in table.rows:
            drawn.add_row(*row)
        console.print(drawn)


def _parts(text: str, block: str) -> tuple[str, str, str]:
    begin, end = marks(block)
    before, found, rest = text.partition(f"{begin}\n")
    content, ended, after = rest.partition(f"\n{end}")
    if not found or not ended:
        raise ValueError(f"there is no place for the tables: {begin} … {end}")
    return before, content, after


def _markdown(table: Table) -> str:
    lines = [table.columns, ("---",) * len(table.columns), *table.rows]
    return "\n".join([f"### {table.title}", "", *("| " + " | ".join(line) + " |" for line in lines)])
