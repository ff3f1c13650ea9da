"""nmrdyn demo: an example study as TopSpin folders, and its results."""

from __future__ import annotations

import argparse
from pathlib import Path

from nmrdyn.cli.parser import Commands, Parser, add_command
from nmrdyn.cli.run import run_study
from nmrdyn.cli.show import print_remark, printable


def add(commands: Commands[Parser]) -> None:
    """Its options."""
    command = add_command(
        commands,
        "demo",
        "write an example study as TopSpin folders and run it, in about a minute",
        usage="[options] DIR",
        examples=["example", "example --seed 7", "example --quiet --json > verdict.json"],
        details="Simulated 23Na and 11B recoveries and conductivities, whose barriers are known: 450, 400 and 552 meV.",
        json="what summary.json holds",
        bars=True,
    )
    command.add_argument("folder", type=Path, metavar="DIR", help="a new or empty folder")
    command.add_argument(
        "--seed", type=int, metavar="N", help="another draw of noise and temperature errors than the example's"
    )
    command.set_defaults(command=_demo)


def _demo(options: argparse.Namespace) -> None:
    from nmrdyn.simulate.example import example_study

    study = example_study(options.folder, seed=options.seed)
    if not options.json:
        print(printable(f"wrote {study}"), flush=True)
    elif not options.quiet:
        print_remark(f"wrote {study}")
    run_study(study, options.folder / "results", options)
