"""nmrdyn report: the report and the tables of a results.nc, without the raw data."""

from __future__ import annotations

import argparse
from pathlib import Path

from nmrdyn.cli.parser import Commands, Parser, add_command, bars_wanted
from nmrdyn.cli.show import print_json, printable
from nmrdyn.cli.suggest import require_there


def add(commands: Commands[Parser]) -> None:
    """Its options."""
    command = add_command(
        commands,
        "report",
        "rebuild report and tables from results.nc, without the raw data",
        usage="[options] RESULTS",
        examples=["results", "results/results.nc --out elsewhere", "results --json | jq .differences"],
        json="what summary.json holds",
        bars=True,
    )
    command.add_argument(
        "results", type=Path, metavar="RESULTS", help="results.nc of a run with this version of nmrdyn, or its folder"
    )
    command.add_argument("--out", type=Path, metavar="DIR", help="where they go; the folder of results.nc unless said")
    command.set_defaults(command=_report)


def stored(path: Path) -> Path:
    """The results.nc that is meant, by its name or by that of its folder."""
    from nmrdyn.report.write import unfinished

    if path.is_dir():
        return path / "results.nc"
    # What a broken-off run had completed is put into its place where it is read.
    return path if unfinished(path.parent) else require_there(path, "a results.nc written by nmrdyn, or its folder")


def _report(options: argparse.Namespace) -> None:
    from nmrdyn.progress import shown, stage
    from nmrdyn.report.summary import verdict_lines
    from nmrdyn.study.results import rebuild

    file = stored(options.results)
    with shown(bars_wanted(options)), stage("writing the report and the tables"):
        summary = rebuild(file, options.out)
    if options.json:
        print_json(summary)
        return
    for line in verdict_lines(summary):
        print(printable(line))
    print(printable(f"results in {options.out or file.parent}"))
