"""nmrdyn init: a study file of what is in a folder, to be filled in."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nmrdyn.cli.parser import Commands, Parser, add_command, bars_wanted
from nmrdyn.cli.reading import add_folder, temperature_said
from nmrdyn.cli.show import print_json, print_table, printable
from nmrdyn.cli.suggest import require_there

if TYPE_CHECKING:
    from nmrdyn.study.gaps import Gap
    from nmrdyn.study.init import Candidate, Findings


def add(commands: Commands[Parser]) -> None:
    """Its options."""
    command = add_command(
        commands,
        "init",
        "write a study file of what is in a folder, with comments, to be filled in",
        usage="[options] FOLDER",
        examples=[
            "vt-run/",
            "vt-run/ --cq 23Na=1.00±0.05MHz --eta 23Na=0.1 --cq 11B=0.100±0.005MHz --eta 11B=0.4",
            'vt-run.zip -o na2nh2bh4.toml --temperature "1.013*TE - 4.2 ± 1.5"',
        ],
        details="One process is made for each nucleus and field, each sample of a table of conductivities and each\n"
        'folder of impedance spectra. What the data cannot tell, such as C_Q, is written as "?", and nmrdyn run\n'
        "names the lines until it is filled in. Nothing is written into FOLDER.",
        json="what was found, the file, and the lines to fill in",
        bars=True,
    )
    add_folder(command)
    command.add_argument(
        "-o",
        "--out",
        type=Path,
        default=Path("study.toml"),
        metavar="FILE",
        help="the study file (default: %(default)s)",
    )
    command.add_argument("--force", action="store_true", help="overwrite an existing file")
    command.add_argument(
        "--cq",
        action="append",
        default=[],
        metavar="NUCLEUS=VALUE",
        help="quadrupolar coupling constant e²qQ/h, as 23Na=1.00±0.05MHz; may be repeated, or several apart by commas",
    )
    command.add_argument(
        "--eta", action="append", default=[], metavar="NUCLEUS=VALUE", help="its asymmetry, as 23Na=0.1"
    )
    command.set_defaults(command=_init)


def _init(options: argparse.Namespace) -> None:
    from nmrdyn.progress import shown, stage
    from nmrdyn.study.draft import couplings, draft
    from nmrdyn.study.gaps import gaps
    from nmrdyn.study.init import look_into

    folder = require_there(options.folder, "a folder of measurements")
    study: Path = options.out
    _require_place(study, folder, force=options.force)
    temperature, table = temperature_said(options), None
    if isinstance(temperature, str) and temperature.lower().endswith(".csv"):
        table = require_there(Path(temperature), "a table of temperatures")
    with shown(bars_wanted(options)), stage(f"reading {printable(folder.name)}"):
        found = look_into(folder, temperature=temperature)
    text = draft(
        found,
        study,
        name=printable(folder.resolve().name or "study"),
        couplings=couplings(options.cq, options.eta, found),
        temperature=_relative(table, study) if table else temperature,
    )
    _write(study, text, force=options.force)
    open_ = gaps(text)
    if options.json:
        print_json(_as_json(found, study, open_))
        return
    _say(found, study, open_)


def _relative(table: Path, study: Path) -> str:
    from nmrdyn.study.draft import relative

    return relative(table, study.parent)


def _require_place(study: Path, folder: Path, *, force: bool) -> None:
    """Refuse to write into data, and over what is there."""
    from nmrdyn.schema import InputError

    data = folder.resolve()
    if data.is_dir() and study.resolve().is_relative_to(data):
        here = Path.cwd() == data or Path.cwd().is_relative_to(data)
        move = f"cd {os.path.relpath(data.parent)} first" if here else "choose another place"
        raise InputError(
            f"{study}: needed a place outside the data for the study, found one inside {data}; "
            f"{move}, or say -o {Path(os.path.relpath(data.parent)) / study.name}"
        )
    if study.is_dir():
        raise InputError(f"{study}: needed a file for the study, found a folder; say -o {study / 'study.toml'}")
    if study.exists() and not study.is_file():  # a device or a pipe, which the study would take the place of
        raise InputError(f"{study}: needed a file for the study, found a device or a pipe; say -o OTHER.toml")
    if study.exists() and not force:
        raise InputError(f"{study}: needed a new file, found one that exists; say -o OTHER.toml, or --force")


def _write(study: Path, text: str, *, force: bool) -> None:
    """Write the file, where a link leads to; it is there whole or not at all."""
    from nmrdyn.schema import InputError

    whole = study.resolve()
    aside = whole.with_name(f".{whole.name}.part")
    try:
        with aside.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        aside.replace(whole)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise InputError(f"{study}: needed a place to write the study to, found {error.strerror or error}") from error


def _say(found: Findings, study: Path, open_: list[Gap]) -> None:
    """What was found, and what is left to do."""
    from nmrdyn.study.gaps import said

    print_table(
        {
            "process": [one.name for one in found.processes],
            "found": [_found(one) for one in found.processes],
            "T/K": [
                f"{one.temperatures[0]:.1f} to {one.temperatures[-1]:.1f}" if one.temperatures else ""
                for one in found.processes
            ],
            "nu/MHz": [f"{one.larmor_frequency / 1e6:.3f}" if one.nucleus else "" for one in found.processes],
            "data": [str(one.data) for one in found.processes],
        }
    )
    if found.left_out:
        names = list(found.left_out)
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        print(printable(f"left out, with the reasons in the file: {', '.join(names[:5])}{more}"))
    print(printable(f"wrote {study}"))
    if open_:
        print(f"fill in {said(open_)}")
    print("look at the errors of the probes, which are guesses, then:")
    print(printable(f"  nmrdyn run {study} --out results"))


def _found(one: Candidate) -> str:
    if one.recoveries:
        used = sum(not each.problem for each in one.recoveries)
        return (
            f"{used} of {len(one.recoveries)} recoveries usable" if used < len(one.recoveries) else f"{used} recoveries"
        )
    return f"conductivity at {len(one.temperatures)} temperatures" if one.temperatures else "impedance spectra"


def _as_json(found: Findings, study: Path, open_: list[Gap]) -> dict[str, Any]:
    return {
        "study": str(study),
        "processes": [
            {
                "name": one.name,
                "data": str(one.data),
                "nucleus": one.nucleus or None,
                "larmor_frequency_Hz": one.larmor_frequency,
                "temperatures_K": list(one.temperatures),
                "sample": one.sample or None,
                "experiments": [
                    {
                        "experiment": each.name,
                        "kind": each.kind,
                        "temperature_K": each.temperature,
                        "temperature_source": each.temperature_source,
                        "rows_recorded": each.rows_recorded,
                        "rows_planned": each.rows_planned,
                        "members": list(each.members),
                        "problem": each.problem,
                    }
                    for each in one.recoveries
                ],
                "exclude": list(one.exclude),
            }
            for one in found.processes
        ],
        "fill_in": [{"line": gap.line, "key": gap.key} for gap in open_],
        "left_out": dict(found.left_out),
    }
