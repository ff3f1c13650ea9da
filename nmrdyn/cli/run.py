"""nmrdyn run: a study into a folder of results."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from nmrdyn.cli.show import printable


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Its options."""
    command = commands.add_parser("run", help="run a study into a folder of results")
    command.add_argument("study", type=Path, help="a study.toml; the paths in it are relative to it")
    command.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="where the results go; not into raw data"
    )
    command.set_defaults(command=lambda options: run_study(options.study, options.out))


def run_study(study: Path, out: Path) -> None:
    """Run it and print the verdict."""
    from nmrdyn.report.summary import verdict_lines
    from nmrdyn.study.run import run

    run(study, out, progress=sys.stderr.isatty())
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    for line in verdict_lines(summary):
        print(printable(line))
    print(f"results in {out}")
