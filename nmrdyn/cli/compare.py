"""nmrdyn compare: barriers and their differences of one or several results, under any margin."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nmrdyn.cli.parser import Commands, Parser, add_command
from nmrdyn.cli.report import stored
from nmrdyn.cli.show import print_json, print_table

if TYPE_CHECKING:
    import xarray as xr

_INDEPENDENT = (
    "pairs across results are of independent draws: an error that both share, such as that of a thermometer that both "
    "used, is not cancelled, and their intervals are rather too wide"
)


def add(commands: Commands[Parser]) -> None:
    """Its options."""
    command = add_command(
        commands,
        "compare",
        "compare all pairs of barriers of one or several results, under any margin",
        usage="[options] RESULTS [RESULTS ...]",
        examples=[
            "results",
            'results --margin "30 meV"',
            "sample-a/results sample-b/results --json",
            'results --published "Na2(NH2)(BH4)"',
        ],
        details="A pair is same where the central 95 % interval of its difference lies inside ± margin, different\n"
        "where it lies outside, and undecided otherwise, or where diagnostics failed or the law does not fit.",
        json="margin_eV, barriers, differences and published",
    )
    command.add_argument(
        "results", type=Path, nargs="+", metavar="RESULTS", help="a results.nc, or the folder of one, of this version"
    )
    command.add_argument(
        "--margin", metavar="ENERGY", help='barriers closer than this count as the same, "30 meV" or 3kJ/mol; the '
        "study's unless said, 20 meV of several",
    )  # fmt: skip
    command.add_argument("--published", metavar="COMPOUND", help="show published barriers of a compound, as Li2OHCl")
    command.set_defaults(command=_compare)


def _compare(options: argparse.Namespace) -> None:
    from nmrdyn.compare import compare, compare_results
    from nmrdyn.schema import InputError
    from nmrdyn.study.results import read_posterior

    published = _published(options.published) if options.published else []
    files = [stored(path) for path in options.results]
    if len({file.resolve() for file in files}) < len(files):
        raise InputError("nmrdyn compare: needed different results, found one twice; name each once")
    posteriors = [read_posterior(file) for file in files]
    margin = _margin(options.margin, posteriors)
    names = _names(files)
    if len(files) == 1:
        comparison = compare(posteriors[0], margin)
    else:
        comparison = compare_results(dict(zip(names, posteriors, strict=True)), margin)
    found = _as_json(comparison, dict(zip(names, files, strict=True)), published)
    if options.json:
        print_json(found)
        return
    _print(found)


def _margin(said: str | None, posteriors: list[xr.DataTree]) -> float:
    """The margin [eV] that was said, or that of the one study."""
    from nmrdyn.units import parse

    if said is None:
        return float(posteriors[0].attrs.get("margin", 0.020)) if len(posteriors) == 1 else 0.020
    return parse(said, "energy", name="--margin", positive=True, exact=True).value


def _names(files: list[Path]) -> list[str]:
    """What tells results apart: as few of the folders they are in as do, from the last."""
    parts = [file.resolve().parent.parts for file in files]
    if any(file.name != "results.nc" for file in files):
        parts = [(*file.resolve().parent.parts, file.stem) for file in files]
    for number in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-number:]) for part in parts]
        if len(set(names)) == len(names):
            break
    # Of a/results and b/results the last part says nothing.
    shared = len({part[-1] for part in parts}) == 1 and len(parts) > 1
    return [name.rpartition("/")[0] if shared else name for name in names]


def _as_json(comparison: xr.Dataset, files: dict[str, Path], published: list[dict[str, Any]]) -> dict[str, Any]:
    import numpy as np

    barriers = {
        str(one["process"].item()): {
            "mean": float(one["activation_energy"].mean()),
            "median": float(one["activation_energy"].median()),
            "sd": float(one["activation_energy"].std(ddof=1)),
            "ci95": np.quantile(one["activation_energy"], [0.025, 0.975]).tolist(),
            "law_fits": bool(one["law_fits"]),
        }
        for one in (comparison.isel(process=k) for k in range(comparison.sizes["process"]))
    }
    differences = {
        str(one["pair"].item()): {
            "mean": float(one["difference"].mean()),
            "median": float(one["difference"].median()),
            "sd": float(one["difference"].std(ddof=1)),
            "ci95": np.quantile(one["difference"], [0.025, 0.975]).tolist(),
            "probability_positive": float(one["probability_positive"]),
            "probability_equivalent": float(one["probability_equivalent"]),
            "verdict": one["verdict"].item(),
            "reason": one["reason"].item(),
            "independent": bool(one["independent"]) if "independent" in one else False,
        }
        for one in (comparison.isel(pair=k) for k in range(comparison.sizes["pair"]))
    }
    return {
        "results": {name: str(file) for name, file in files.items()},
        "margin_eV": float(comparison.attrs["margin"]),
        "barriers_eV": barriers,
        "differences": differences,
        "remarks": [_INDEPENDENT] if len(files) > 1 else [],
        "published": published,
    }


def _print(found: dict[str, Any]) -> None:
    barriers, differences = found["barriers_eV"], found["differences"]
    print_table(
        {
            "barrier": list(barriers),
            "E/meV": [_meV(one) if one["law_fits"] else "none" for one in barriers.values()],
            "95 %": [_interval(one) if one["law_fits"] else "-" for one in barriers.values()],
            "remarks": [
                "" if one["law_fits"] else "one barrier does not describe these data" for one in barriers.values()
            ],
        }
    )
    if differences:
        print()
        print_table(
            {
                "pair": list(differences),
                "difference/meV": [_meV(one) for one in differences.values()],
                "P(> 0)": [f"{one['probability_positive']:.3f}" for one in differences.values()],
                "P(same)": [f"{one['probability_equivalent']:.3f}" for one in differences.values()],
                "verdict": [one["verdict"] for one in differences.values()],
                "because": [one["reason"] for one in differences.values()],
            }
        )
        print(f"P(same) is the probability of a difference within ±{1e3 * found['margin_eV']:g} meV")
    for text in found["remarks"]:
        print(text)
    if found["published"]:
        print()
        print_table(
            {
                "published": [one["quantity"] for one in found["published"]],
                "moves": [one["moves"] for one in found["published"]],
                "phase": [one["phase"] for one in found["published"]],
                "E/meV": [f"{one['qualifier']} {1e3 * one['value_eV']:.0f}".strip() for one in found["published"]],
                "doi": [one["doi"] for one in found["published"]],
            }
        )


def _meV(one: dict[str, Any]) -> str:
    from nmrdyn.rounding import parenthesis

    return parenthesis(1e3 * one["median"], 1e3 * one["sd"])


def _interval(one: dict[str, Any]) -> str:
    low, high = (1e3 * edge for edge in one["ci95"])
    return f"{low:.0f} to {high:.0f}"


def _published(compound: str) -> list[dict[str, Any]]:
    """Published barriers of a compound."""
    from nmrdyn.literature import literature
    from nmrdyn.schema import InputError

    figures = literature(compound=compound)
    texts = ("compound", "phase", "quantity", "moves", "qualifier", "paper", "doi", "place")
    found = [
        {name: one[name].item() for name in texts}
        | {"value_eV": one["value"].item(), "stderr_eV": one["stderr"].item()}
        for one in (figures.isel(entry=k) for k in range(figures.sizes["entry"]))
        if one["unit"].item() == "eV"
    ]
    if not found:
        raise InputError(f"--published: needed a compound with published barriers, found none of {compound}")
    return found
