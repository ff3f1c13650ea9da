"""nmrdyn run: a study into a folder of results, or several into a folder each."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from nmrdyn.cli.show import print_table, printable, shown


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Its options."""
    command = commands.add_parser("run", help="run a study, or several, into a folder of results")
    command.add_argument(
        "studies", type=Path, nargs="+", metavar="STUDY", help="a study.toml; the paths in it are relative to it"
    )
    command.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="where the results go, of several studies into DIR/NAME each; not into raw data",
    )
    command.add_argument("--jobs", type=int, default=1, metavar="N", help="how many studies to run at once")
    command.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a dask cluster that runs them in place of this host"
    )
    command.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    if len(options.studies) == 1 and options.scheduler is None:
        run_study(options.studies[0], options.out)
        return 0
    return _run_many(options)


def run_study(study: Path, out: Path) -> None:
    """Run it and print the verdict."""
    from nmrdyn.report.summary import verdict_lines
    from nmrdyn.study.run import run

    run(study, out, progress=sys.stderr.isatty(), say=_remark)
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    for line in verdict_lines(summary):
        print(printable(line))
    print(f"results in {out}")


def _run_many(options: argparse.Namespace) -> int:
    """Run them and print the table of the campaign; 2 where a study failed."""
    from nmrdyn.study.campaign import run_many

    outcomes = run_many(options.studies, options.out, jobs=options.jobs, scheduler=options.scheduler, say=_remark)
    print_table(
        {
            "study": [one.name for one in outcomes],
            "status": [one.status for one in outcomes],
            "t/s": [shown(one.seconds, ".0f") for one in outcomes],
            "barriers/meV": [
                ", ".join(f"{name} {1e3 * mean:.0f} ± {1e3 * sd:.0f}" for name, (mean, sd) in one.barriers.items())
                or "-"
                for one in outcomes
            ],
            "verdicts": [
                ", ".join(f"{pair}: {verdict}" for pair, verdict in one.verdicts.items()) or "-" for one in outcomes
            ],
        }
    )
    print(f"results in {options.out}, the table in {options.out / 'campaign.csv'}")
    status = {one.status for one in outcomes}
    if "interrupted" in status:
        _remark("interrupted; what was drawn is kept, and the same command goes on from it")
        return 130
    return 2 if "failed" in status else 0


def _remark(text: str) -> None:
    print(printable(f"nmrdyn: {text}"), file=sys.stderr, flush=True)
