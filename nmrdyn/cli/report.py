"""nmrdyn report: the report and the tables of a results.nc, without the raw data."""

from __future__ import annotations

import argparse
from pathlib import Path

from nmrdyn.cli.show import printable


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Its options."""
    command = commands.add_parser("report", help="rebuild report and tables from results.nc, without the raw data")
    command.add_argument("results", type=Path, help="results.nc of a run with this version of nmrdyn")
    command.add_argument("--out", type=Path, metavar="DIR", help="where they go; the folder of results.nc unless said")
    command.set_defaults(command=_report)


def _report(options: argparse.Namespace) -> None:
    from nmrdyn.report.summary import verdict_lines
    from nmrdyn.study.results import rebuild

    for line in verdict_lines(rebuild(options.results, options.out)):
        print(printable(line))
    print(f"results in {options.out or options.results.parent}")
