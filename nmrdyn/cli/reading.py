"""Options of the commands that read TopSpin folders."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from nmrdyn.cli.suggest import choice

WHAT = "a TopSpin expno, a folder of expnos, or a zip of them"


def add_folder(command: argparse.ArgumentParser) -> None:
    """What is read, and what is believed of its temperatures."""
    command.add_argument(
        "folder", type=Path, metavar="FOLDER", help="an expno, a folder of expnos or of datasets, or a zip of them"
    )
    command.add_argument(
        "--temperature",
        metavar="SOURCES|CSV|FORMULA",
        help='which to believe, in this order, such as "title,te" (of te, vt, title, audit); a table such as '
        'temperatures.csv; or a formula such as "1.013*TE - 4.2 ± 1.5"; all sources unless said',
    )


def add_reading(command: argparse.ArgumentParser) -> None:
    """How recoveries are read."""
    command.add_argument(
        "--nucleus", metavar="23Na", help="which nucleus to read, where the folder holds several or NUC1 is wrong"
    )
    command.add_argument(
        "--region",
        action="append",
        metavar="LOW:HIGH",
        help="one line only: -5:5kHz from the carrier, -40:-30ppm; may be repeated and named, BH4=-40:-30ppm",
    )
    kinds = ("saturation_recovery", "inversion_recovery")
    command.add_argument(
        "--kind",
        type=choice(*kinds),
        choices=kinds,
        metavar="KIND",
        help=f"{' or '.join(kinds)}, whatever the names say",
    )
    command.add_argument("--echo", metavar="8us", help="time of the echo top after the first point; found unless said")
    command.add_argument(
        "--method", default="shape", type=choice("shape", "box"), choices=("shape", "box"),
        metavar="METHOD", help="intensities by shape, the line shape all rows share, or box (default: %(default)s)",
    )  # fmt: skip
    command.add_argument(
        "--delays", metavar="D7|CSV", help="what one-dimensional expnos of one recovery step through, or their delays"
    )
    command.add_argument("--processed", action="store_true", help="read pdata/N/2rr even where there is a ser")


def temperature_said(options: argparse.Namespace) -> Any:
    """The argument `temperature` of `scan` and `read_topspin`."""
    said = options.temperature
    if said is None:
        return None
    words = [word.strip() for word in said.split(",")]
    return words if all(word.isalpha() for word in words) else said


def reading_said(options: argparse.Namespace) -> dict[str, Any]:
    """The keywords of `read_topspin`."""
    from nmrdyn.units import parse

    region = options.region
    return {
        "nucleus": options.nucleus,
        "region": region[0] if region and len(region) == 1 else region,
        "kind": options.kind,
        "method": options.method,
        "echo": parse(options.echo, "time", name="--echo", exact=True).value if options.echo else None,
        "delays": options.delays,
        "processed": options.processed,
        "temperature": temperature_said(options),
    }
