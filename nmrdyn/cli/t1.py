"""nmrdyn t1: T1 of every recovery in a TopSpin folder."""

from __future__ import annotations

import argparse
import json
import math
from typing import TYPE_CHECKING, Any

from nmrdyn.cli.parser import Commands, Parser, add_command, bars_wanted
from nmrdyn.cli.reading import WHAT, add_folder, add_reading, reading_said
from nmrdyn.cli.show import print_json, print_table, printable, shown
from nmrdyn.cli.suggest import choice, require_there
from nmrdyn.rounding import parenthesis

if TYPE_CHECKING:
    import xarray as xr

    from nmrdyn.findings import Finding

# Those left out are the reasons of single rows.
_SAID_IN_ROWS = ("no-t1", "recovery-misfit")


_MODELS = ("auto", "single", "stretched", "bi", "tri", "populations")


def add(commands: Commands[Parser]) -> None:
    """Its options."""
    command = add_command(
        commands,
        "t1",
        "fit T1 of every recovery in a TopSpin folder, with its 95 % interval",
        usage="[options] FOLDER",
        examples=[
            "vt-run/",
            "vt-run/ --nucleus 23Na --model single",
            "vt-run.zip --nucleus 11B --region BH4=-45:-35ppm --temperature title,te",
            "vt-run/ --model populations --initial all_sat --observed ct",
        ],
        json="a list with an entry for each recovery, also where none can be fitted",
        bars=True,
    )
    add_folder(command)
    add_reading(command)
    command.add_argument(
        "--model", default="auto", type=choice(*_MODELS), choices=_MODELS, metavar="MODEL",
        help=f"{', '.join(_MODELS)}; auto is the most credible of the first few (default: %(default)s)",
    )  # fmt: skip
    command.add_argument("--initial", metavar="LEVELS", help="populations: what was done, such as all_sat or ct_inv")
    command.add_argument("--observed", metavar="LINE", help="populations: which line is observed, such as total or ct")
    command.set_defaults(command=_t1)


def _t1(options: argparse.Namespace) -> None:
    from nmrdyn.findings import attached
    from nmrdyn.progress import shown as shown_bars
    from nmrdyn.progress import stage
    from nmrdyn.recovery.fit import fit_recovery
    from nmrdyn.recovery.interval import t1_interval
    from nmrdyn.topspin.read import read_topspin
    from nmrdyn.units import interval_said

    folder = require_there(options.folder, WHAT)
    with shown_bars(bars_wanted(options)):
        with stage(f"reading {printable(folder.name)}"):
            recovery = read_topspin(folder, **reading_said(options))
        with stage(f"fitting {recovery.sizes['experiment']} recoveries"):
            relaxation = fit_recovery(recovery, _model(options, recovery.attrs["nucleus"]))
    findings = [finding for finding in attached(relaxation) if finding.code not in _SAID_IN_ROWS]
    entries = _entries(recovery, relaxation, findings, t1_interval(recovery, relaxation).values)
    if options.json:
        print_json(entries)
        return
    print_table(
        {
            "expno": [entry["experiment"] for entry in entries],
            "T/K": [shown(entry["temperature_K"], ".1f", "unknown") for entry in entries],
            "from": [entry["temperature_source"] for entry in entries],
            "model": [entry["model"] for entry in entries],
            "T1/s": [parenthesis(entry["t1_s"], entry["t1_stderr_s"]) for entry in entries],
            "95 %": [interval_said(entry["t1_low_s"], entry["t1_high_s"]) for entry in entries],
            "beta": [shown(entry["beta"], ".3f") for entry in entries],
            "depth": [shown(entry["depth"], ".2f") for entry in entries],
            "chi2_red": [shown(entry["reduced_chi2"], ".3g") for entry in entries],
            "rows": [f"{entry['rows_used']}/{entry['rows_planned']}" for entry in entries],
            "TopSpin/s": [
                ", ".join(f"{fit['quantity']} {fit['t1_s']:.4g}" for fit in entry["topspin"]) or "-"
                for entry in entries
            ],
            "remarks": [entry["reason"] for entry in entries],
        }
    )
    for finding in findings:
        print(printable(f"{finding.where}: {finding.text} [{finding.code}]"))
    for name, why in json.loads(recovery.attrs["left_out"]).items():
        print(printable(f"{name}: left out: {why}"))


def _entries(
    recovery: xr.Dataset, relaxation: xr.Dataset, findings: list[Finding], interval: Any
) -> list[dict[str, Any]]:
    """What --json prints, one entry an experiment."""
    topspin = json.loads(recovery.attrs["topspin"])
    candidates = [str(name) for name in relaxation["candidate"].values]
    entries = []
    for i, name in enumerate(map(str, relaxation["experiment"].values)):
        one, read = relaxation.isel(experiment=i), recovery.isel(experiment=i)
        entries.append(
            {
                "experiment": name,
                "temperature_K": float(one["temperature"]),
                "nucleus": relaxation.attrs["nucleus"],
                "larmor_frequency_Hz": float(one["larmor_frequency"]),
                "model": one["model"].item(),
                "t1_s": float(one["t1"]),
                "t1_stderr_s": float(one["t1_stderr"]),
                "beta": float(one["beta"]),
                "depth": float(one["depth"]),
                "reduced_chi2": float(one["reduced_chi2"]),
                "rows_used": int(one["rows_used"]),
                "rows_planned": int(one["rows_planned"]),
                "converged": bool(one["converged"]),
                "reason": one["reason"].item(),
                "warnings": [finding.text for finding in findings if name in finding.where.split(", ")],
                "t1_meaning": one["t1_meaning"].item(),
                "t1_low_s": float(interval[i, 0]),
                "t1_high_s": float(interval[i, 1]),
                "t1_mean_s": float(one["t1_mean"]),
                "topspin": topspin.get(name, []),
                "components": [
                    {"t1_s": float(time), "fraction": float(fraction)}
                    for time, fraction in zip(one["component_t1"], one["component_fraction"], strict=True)
                    if math.isfinite(time)
                ],
                "model_weights": dict(zip(candidates, map(float, one["model_weight"]), strict=True)),
                "kind": read["kind"].item(),
                "site": read["site"].item(),
                "read_by": read["read_by"].item(),
                "temperature_stderr_K": float(read["temperature_stderr"]),
                "temperature_source": read["temperature_source"].item(),
                "mas_rate_Hz": float(read["mas_rate"]),
                "irradiated": read["irradiated"].item(),
                "second_component": float(read["second_component"]),
                "second_component_limit": float(read["second_component_limit"]),
            }
        )
    return entries


def _model(options: argparse.Namespace, nucleus: str) -> Any:
    """A recovery model or its name; populations from the spin and what was said of them."""
    from nmrdyn.isotopes import Isotope
    from nmrdyn.recovery.populations import PopulationRecovery
    from nmrdyn.schema import InputError

    said = {name: getattr(options, name) for name in ("initial", "observed") if getattr(options, name) is not None}
    if options.model != "populations":
        if said:
            raise InputError(f"--{next(iter(said))}: needed --model populations, found --model {options.model}")
        return options.model
    missing = " and ".join(f"--{name}" for name in ("initial", "observed") if name not in said)
    if missing:
        raise InputError(f"--model populations: needed {missing}, found neither a rule nor a default for it")
    return PopulationRecovery(spin=Isotope.get(nucleus).spin, interaction="quad", **said)
