"""nmrdyn sigma: barriers of conductivities, from a table or from impedance spectra."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nmrdyn.cli.parser import Commands, Parser, add_command, bars_wanted
from nmrdyn.cli.show import print_json, print_table, printable, shown
from nmrdyn.cli.suggest import choice, require_there
from nmrdyn.rounding import with_error

if TYPE_CHECKING:
    import xarray as xr

    from nmrdyn.findings import Finding

# Said in the row already.
_SAID_IN_ROWS = ("no-single-barrier",)


def add(commands: Commands[Parser]) -> None:
    """Its options."""
    command = add_command(
        commands,
        "sigma",
        "fit the barriers of conductivities, from a table or from impedance spectra",
        usage="[options] PATH",
        examples=[
            "eis.csv",
            "eis.csv --sample A --transition 40°C",
            "spectra/ --thickness 0.9mm --radius 0.5cm --part bulk --plots figures",
        ],
        details="Straight lines through ln(sigma T) and ln(sigma) against 1/T: both, as papers use either, and the\n"
        "barrier of sigma is lower by about kT. Compare that of sigma T with others.",
        json="a list with an entry for each line",
        bars=True,
    )
    command.add_argument(
        "path", type=Path, metavar="PATH", help="a table (CSV), a file of impedance spectra or a folder of them"
    )
    command.add_argument("--sample", metavar="NAME", help="one sample of a table of several")
    for name, known, default, words in (
        ("direction", ("heating", "cooling"), None, "these runs only: heating or cooling"),
        (
            "part",
            ("total", "bulk", "grain_boundary"),
            "total",
            "of the sample: total, bulk or grain_boundary (default: total)",
        ),
    ):
        command.add_argument(
            f"--{name}", type=choice(*known), choices=known, default=default, metavar=name.upper(), help=words
        )
    command.add_argument(
        "--columns",
        action="append",
        default=[],
        metavar="HEAD=NAME (UNIT)",
        help='read a column as another, such as "target=sigma (S/cm)", or pass over it, "target="; may be repeated',
    )
    command.add_argument("--thickness", metavar="0.9mm", help='of the pellet; "0.90 ± 0.02 mm" with its error')
    for name, example in (("radius", "0.5cm"), ("diameter", "1cm"), ("area", "0.785cm^2")):
        command.add_argument(
            f"--{name}", metavar=example, help=f"{name} of its electrodes (one of radius, diameter, area)"
        )
    command.add_argument(
        "--circuit", metavar="auto", help="of impedance spectra: auto, or a name or string of a circuit"
    )
    command.add_argument("--temperature", metavar="CSV", help="temperatures of impedance spectra")
    command.add_argument(
        "--transition",
        action="append",
        default=[],
        metavar="40°C|find",
        help="a phase transition, a line on each side (may be repeated); or find, to look for one",
    )
    command.add_argument("--plots", type=Path, metavar="DIR", help="write lines.svg, and spectra.svg of spectra, there")
    command.set_defaults(command=_sigma)


def _sigma(options: argparse.Namespace) -> None:
    from nmrdyn.conductivity.lines import straight_lines
    from nmrdyn.conductivity.read import read_conductivity
    from nmrdyn.findings import attached
    from nmrdyn.progress import shown as shown_bars
    from nmrdyn.progress import stage

    path = require_there(options.path, "a table, a file of impedance spectra or a folder of them")
    with shown_bars(bars_wanted(options)), stage(f"reading and fitting {printable(path.name)}"):
        transport = read_conductivity(path, **_reading_said(options))
        lines = straight_lines(transport, transition=_transition(options.transition))
    if options.plots:
        _write_plots(options.plots, transport, lines)
    findings = [finding for finding in attached(lines) if finding.code not in _SAID_IN_ROWS]
    entries = [_entry(lines.isel(line=i)) for i in range(lines.sizes["line"])]
    if options.json:
        samples = {entry["sample"] for entry in entries}
        print_json([entry | {"warnings": _warnings(entry["sample"], samples, findings)} for entry in entries])
        return
    print_table(
        {
            "sample": [entry["sample"] for entry in entries],
            "direction": [entry["direction"] for entry in entries],
            "phase": [entry["phase"] for entry in entries],
            "T/K": [_range(entry, "temperature{}_K", ".5g") for entry in entries],
            "n": [str(entry["points"]) for entry in entries],
            "E(sigma T)/eV": [_barrier(entry, "sigma_T") for entry in entries],
            "95 %": [_range(entry, "activation_energy_sigma_T{}_eV", ".3f") for entry in entries],
            "E(sigma)/eV": [_barrier(entry, "sigma") for entry in entries],
            "rms": [shown(entry["rms_sigma_T"], ".3f") for entry in entries],
            "remarks": [entry["reason"] for entry in entries],
        }
    )
    for finding in findings:
        where = f"{finding.where}: " if finding.where else ""
        print(printable(f"{where}{finding.text} [{finding.code}]"))


def _write_plots(folder: Path, transport: xr.Dataset, lines: xr.Dataset) -> None:
    """lines.svg, and spectra.svg where there are any."""
    from nmrdyn import plot
    from nmrdyn.conductivity.read import spectra_of

    figures: dict[str, Any] = {"lines.svg": plot.conductivity_lines(transport, lines).figure}
    if spectra := spectra_of(transport):
        figures["spectra.svg"] = plot.nyquist_grid(*spectra)
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        (folder / name).write_bytes(plot.svg(figure))


def _entry(line: xr.Dataset) -> dict[str, Any]:
    """What --json prints of one line."""
    entry = {name: line[name].item() for name in ("sample", "direction", "phase", "part", "points")}
    entry |= {f"temperature_{end}_K": line[f"temperature_{end}"].item() for end in ("low", "high")}
    for convention in line["convention"].values:
        one = line.sel(convention=convention)
        for end in ("", "_stderr", "_low", "_high"):
            entry[f"activation_energy_{convention}{end}_eV"] = one[f"activation_energy{end}"].item()
        entry[f"log10_prefactor_{convention}"] = one["log10_prefactor"].item()
        entry[f"rms_{convention}"] = one["rms"].item()
    return entry | {name: line[name].item() for name in ("straight", "reason")}


def _warnings(sample: str, samples: set[str], findings: list[Finding]) -> list[str]:
    """Findings on a sample, and on none in particular."""
    named = {finding: {name for name in samples if name and name in finding.where} for finding in findings}
    return [finding.text for finding in findings if not named[finding] or sample in named[finding]]


def _barrier(entry: dict[str, Any], convention: str) -> str:
    value, error = (entry[f"activation_energy_{convention}{end}_eV"] for end in ("", "_stderr"))
    return "-" if math.isnan(value) else with_error(value, error)


def _range(entry: dict[str, Any], name: str, form: str) -> str:
    low, high = (shown(entry[name.format(end)], form) for end in ("_low", "_high"))
    return "-" if "-" in (low, high) else f"{low} to {high}"


def _reading_said(options: argparse.Namespace) -> dict[str, Any]:
    """The keywords of `read_conductivity`."""
    said = {name: getattr(options, name) for name in ("sample", "direction", "circuit", "temperature")}
    said |= {"cell": _cell(options), "columns": _columns(options.columns)}
    return {"part": options.part} | {name: value for name, value in said.items() if value is not None}


def _cell(options: argparse.Namespace) -> Any:
    """The geometry that was said, each length with its error."""
    from nmrdyn.conductivity.cell import cell_said
    from nmrdyn.schema import InputError

    said = {name: getattr(options, name) for name in ("thickness", "radius", "diameter", "area")}
    said = {name: text for name, text in said.items() if text is not None}
    if not said:
        return None
    if "thickness" not in said or len(said) != 2:
        raise InputError(
            "nmrdyn sigma: needed --thickness and one of --radius, --diameter and --area, "
            f"found {', '.join(f'--{name}' for name in said)}"
        )
    return cell_said(said, where="--")


def _columns(texts: list[str]) -> dict[str, str] | None:
    from nmrdyn.schema import InputError

    pairs = [text.partition("=") for text in texts]
    for head, equals, name in pairs:
        if not (head.strip() and equals):
            raise InputError(
                f"--columns: needed HEAD=NAME such as 'target=sigma (S/cm)', found {head + equals + name!r}"
            )
    return {head.strip(): name.strip() for head, _, name in pairs} or None


def _transition(texts: list[str]) -> list[float] | str | None:
    from nmrdyn.units import parse

    if texts == ["find"]:
        return "find"
    return [parse(text, "temperature", name="--transition", exact=True).value for text in texts] or None
