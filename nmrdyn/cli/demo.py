"""nmrdyn demo: an example study as TopSpin folders, and its results."""

from __future__ import annotations

import argparse
from pathlib import Path

from nmrdyn.cli.run import run_study


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Its options."""
    command = commands.add_parser("demo", help="write an example study as TopSpin folders and run it")
    command.add_argument("folder", type=Path, metavar="DIR")
    command.add_argument("--seed", type=int, help="another draw of noise and temperature errors than the example's")
    command.set_defaults(command=_demo)


def _demo(options: argparse.Namespace) -> None:
    from nmrdyn.simulate.example import example_study

    study = example_study(options.folder, seed=options.seed)
    print(f"wrote {study}", flush=True)
    run_study(study, options.folder / "results")
