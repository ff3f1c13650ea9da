"""Options of the commands that read TopSpin folders."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_folder(command: argparse.ArgumentParser) -> None:
    """What is read, and what is believed of its temperatures."""
    command.add_argument("folder", type=Path, help="an expno, a folder of expnos or of datasets, or a zip of them")
    command.add_argument(
        "--temperature",
        metavar="SOURCES|CSV|FORMULA",
        help='which to believe, in this order, such as "title,te" (of te, vt, title, audit); a table such as '
        'temperatures.csv; or a formula such as "1.013*TE - 4.2 ± 1.5"',
    )
    command.add_argument("--json", action="store_true", help="print JSON")


def add_reading(command: argparse.ArgumentParser) -> None:
    """How recoveries are read."""
    command.add_argument("--nucleus", help="which nucleus (23Na), where the folder holds several or NUC1 is wrong")
    command.add_argument(
        "--region",
        action="append",
        metavar="LOW:HIGH",
        help="one line only: -5:5kHz from the carrier, -40:-30ppm; may be repeated and named, BH4=-40:-30ppm",
    )
    command.add_argument("--kind", help="saturation_recovery or inversion_recovery, whatever the names say")
    command.add_argument("--echo", metavar="8us", help="time of the echo top after the first point; found unless said")
    command.add_argument("--method", default="shape", help="shape (default: the line shape all rows share) or box")
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
