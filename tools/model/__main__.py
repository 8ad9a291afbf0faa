"""`python -m tools.model`: the tables of docs/PERFORMANCE_MODEL.md."""

from __future__ import annotations

import time

import click
from rich.console import Console

from tools.model import comparison, report, tables
from tools.setup.steps import ROOT

DOCUMENT = ROOT / "docs" / "PERFORMANCE_MODEL.md"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--no-simulation", is_flag=True, help="Only what is computed, in a second.")
@click.option("--write", is_flag=True, help="Put the tables into docs/PERFORMANCE_MODEL.md too.")
def main(no_simulation: bool, write: bool) -> None:
    """Compute what 50,000 polling readers cost, and simulate them beside it."""
    out, said = Console(), Console(stderr=True)
    out = out if out.is_terminal else Console(width=160)
    blocks = {report.COMPUTED: tables.closed_form()}
    if not no_simulation:
        said.print("the simulation takes a minute or two …")
        began = time.monotonic()
        blocks[report.SIMULATED] = [comparison.compare(), comparison.compare_starts(), comparison.compare_pinning()]
        said.print(f"simulated in {time.monotonic() - began:.0f} s")
    for found in blocks.values():
        report.print_tables(found, out)
    if write:
        report.write(DOCUMENT, {block: report.markdown(found) for block, found in blocks.items()})


if __name__ == "__main__":
    main()
