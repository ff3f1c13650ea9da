"""nmrdyn run: a study into a folder of results, or several into a folder each."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from nmrdyn.cli.parser import Commands, Parser, add_command, bars_wanted
from nmrdyn.cli.show import print_json, print_table, printable, shown
from nmrdyn.cli.show import print_remark as _remark
from nmrdyn.cli.suggest import require_there
from nmrdyn.rounding import with_error

if TYPE_CHECKING:
    from nmrdyn.study.campaign import StudyOutcome


def add(commands: Commands[Parser]) -> None:
    """Its options."""
    command = add_command(
        commands,
        "run",
        "run a study, or several, from raw data to barriers and their differences, into a folder of results",
        usage="[options] STUDY [STUDY ...] --out DIR",
        examples=[
            "study.toml --out results",
            "study.toml --out results --json > verdict.json",
            "a.toml b.toml c.toml --out campaign --jobs 2",
        ],
        details="DIR then holds report.html, summary.json, results.nc, t1.csv, tau_c.csv and draws.csv, all at once\n"
        "or not at all. What a run that was interrupted has drawn is kept, and the same command goes on from it.",
        json="what summary.json holds; of several studies a list of name, folder, status, barriers and verdicts",
        bars=True,
    )
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
    command.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="how many studies to run at once (default: %(default)s)"
    )
    command.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a dask cluster that runs them in place of this host, tcp://host:8786"
    )
    command.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    if len(options.studies) == 1 and options.scheduler is None:
        run_study(options.studies[0], options.out, options)
        return 0
    return _run_many(options)


def run_study(study: Path, out: Path, options: argparse.Namespace) -> None:
    """Run it and print the verdict."""
    from nmrdyn.report.summary import verdict_lines
    from nmrdyn.study.gaps import require_filled
    from nmrdyn.study.run import run

    require_filled(require_there(study, "a study file"))
    run(study, out, progress=bars_wanted(options), say=None if options.quiet else _remark)
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    if options.json:
        print_json(summary)
        return
    for line in verdict_lines(summary):
        print(printable(line))
    print(printable(f"results in {out}"))


def _run_many(options: argparse.Namespace) -> int:
    """Run them and print the table of the campaign; 2 where a study failed."""
    from tqdm import tqdm

    from nmrdyn.study.campaign import run_many

    number = len(options.studies)
    with tqdm(total=number, desc="studies", unit="study", disable=not bars_wanted(options), leave=False) as bar:

        def ended(text: str) -> None:
            bar.update()
            if not options.quiet:
                with bar.external_write_mode():
                    _remark(text)

        bar.refresh()
        outcomes = run_many(options.studies, options.out, jobs=options.jobs, scheduler=options.scheduler, say=ended)
    if options.json:
        print_json([asdict(one) | {"folder": str(one.folder)} for one in outcomes])
    else:
        _print_outcomes(outcomes, options.out)
    status = {one.status for one in outcomes}
    if "interrupted" in status:
        _remark("interrupted; what was drawn is kept, and the same command goes on from it")
        return 130
    return 2 if "failed" in status else 0


def _print_outcomes(outcomes: list[StudyOutcome], out: Path) -> None:
    print_table(
        {
            "study": [one.name for one in outcomes],
            "status": [one.status for one in outcomes],
            "t/s": [shown(one.seconds, ".0f") for one in outcomes],
            "barriers/meV": [
                ", ".join(f"{name} {with_error(1e3 * mean, 1e3 * sd)}" for name, (mean, sd) in one.barriers.items())
                or "-"
                for one in outcomes
            ],
            "verdicts": [
                ", ".join(f"{pair}: {verdict}" for pair, verdict in one.verdicts.items()) or "-" for one in outcomes
            ],
        }
    )
    print(printable(f"results in {out}, the table in {out / 'campaign.csv'}"))
