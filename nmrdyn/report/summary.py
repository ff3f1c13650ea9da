"""The numbers of a posterior and its comparison, as summary.json and in sentences."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr

from nmrdyn.report.beside import agreement_of, finite, haven_of, lines_of, published_of

# As data/summary.schema.json describes it; when the number rises stands there.
SCHEMA = "nmrdyn-summary/1"
# Warnings that put a barrier itself in doubt, and so stand beside it in the verdict.
DOUBTS = (
    "t1-below-minimum", "prior-conflict", "at-bound", "one-temperature-decides",
    "sigma-convention", "no-single-barrier", "hysteresis",
)  # fmt: skip


def summarise(posterior: xr.DataTree, comparison: xr.Dataset) -> dict[str, Any]:
    """Everything that a paper would quote, as plain numbers with NaN as None.

    What each key is stands in `nmrdyn/data/summary.schema.json`, a JSON schema.
    """
    attrs = posterior.attrs
    described = json.loads(attrs["processes"])
    draws = posterior["posterior"].dataset
    processes = {
        name: _process(draws, name, entry) | {"mechanism_budget": _budget(posterior["processes"].children[name])}
        for name, entry in described.items()
    }
    differences = {}
    for pair in comparison["pair"].values:
        one = comparison.sel(pair=pair)
        values = one["difference"].values
        differences[str(pair)] = {
            "mean": float(values.mean()),
            "sd": float(values.std(ddof=1)),
            "ci95": _interval(values, 0.95),
            "probability_positive": float(one["probability_positive"]),
            "probability_equivalent": float(one["probability_equivalent"]),
            "equivalence_margin_eV": float(comparison.attrs["margin"]),
            "verdict": one["verdict"].item(),
            "reason": one["reason"].item(),
            "bayes_factor": {
                "width_eV": comparison["width"].values.tolist(),
                "factor": [finite(value) for value in one["bayes_factor"].values],
            },
        }
    return {
        "schema": SCHEMA,
        "study": attrs.get("study", ""),
        "processes": processes,
        "differences": differences,
        "error_budget": _error_budget(posterior["budget"].dataset),
        "conductivity_lines": lines_of(posterior),
        "agreement": agreement_of(posterior, comparison),
        "haven": haven_of(posterior),
        "published": published_of(posterior),
        "influence": _influence(posterior["influence"].dataset) if "influence" in posterior else [],
        "nuisances": {
            name: {"said": said} | (_moments(draws[name].values.ravel()) if name in draws else {})
            for name, said in json.loads(attrs["nuisances"]).items()
        },
        "priors": json.loads(attrs["priors"]),
        "probes": json.loads(attrs["probes"]),
        "modes": json.loads(attrs["modes"]),
        "diagnostics": {"passed": bool(attrs["passed"])},
        "warnings": json.loads(attrs["warnings"]),
        "provenance": {
            "nmrdyn": attrs["nmrdyn_version"],
            "versions": json.loads(attrs["versions"]),
            "seed": int(attrs["seed"]),
            "sampler": draws.attrs["sampler"],
            "steps": int(draws.attrs["steps"]),
            "discarded": draws.attrs["discarded"],
            "inputs_sha256": json.loads(attrs.get("inputs", "{}")),
        },
    }


def _process(draws: xr.Dataset, name: str, entry: dict[str, Any]) -> dict[str, Any]:
    barriers = {label: _moments(draws[variable].values.ravel()) for label, variable in entry["barriers"].items()}
    parameters = {
        variable.split(".", 1)[1]: _moments(draws[variable].values.ravel()) for variable in entry["parameters"]
    }
    return {
        "role": entry["role"],
        "nucleus": entry["nucleus"],
        "mechanism": entry["mechanism"],
        "convention": entry["convention"],
        "recovery": entry["recovery"],
        "likelihood": entry["likelihood"],
        "law": entry["law"],
        "law_fits": entry["law_fits"],
        "law_evidence": entry["laws"] or None,
        "misfit": _plain(entry["misfit"]),
        # Of a law with one barrier; where it changes with temperature, as it appears at `barriers_at_K`.
        "activation_energy_eV": barriers.get(name),
        "barriers_eV": barriers,
        "barriers_at_K": entry["barriers_at"],
        "log10_tau0_s": parameters.get("log10_tau0"),
        "law_parameters": parameters,
        "branch": entry["branch"] or None,
        "left_out": entry["left_out"],
        "diagnostics": entry["diagnostics"],
    } | ({"log10_prefactor": parameters["log10_prefactor"]} if "log10_prefactor" in parameters else {})


def _budget(process: xr.DataTree) -> dict[str, dict[str, list[float]]] | None:
    """Smallest and largest share of each mechanism in 1/T1 over the experiments, by branch; None for only one."""
    if "motion" not in process or process["motion"].sizes.get("part", 1) < 2:
        return None
    share = process["motion"].dataset["rate_share"]
    return {
        str(branch): {
            str(part): [float(edge) for edge in np.nanquantile(share.sel(branch=branch, part=part), [0.0, 1.0])]
            for part in share["part"].values
        }
        for branch in share["branch"].values
        if np.isfinite(share.sel(branch=branch)).any()
    }


def _error_budget(table: xr.Dataset) -> dict[str, Any]:
    """The sd of each barrier and difference, and the share and the saving of each source in its variance."""
    return {
        str(name): {"sd_eV": float(np.sqrt(table["total"].sel(quantity=name)))}
        | {
            key: {
                str(source): finite(table[key].sel(quantity=name, source=source)) for source in table["source"].values
            }
            for key in ("share", "saved")
        }
        for name in table["quantity"].values
    }


def _influence(table: xr.Dataset) -> list[dict[str, Any]]:
    """What every barrier would be without one run."""
    return [
        {
            "temperature_K": float(one["temperature"]),
            "probe": one["probe"].item(),
            "experiments": one["experiments"].item(),
            "pareto_k": finite(one["pareto_k"]),
            "sampled_anew": bool(one["anew"]),
            "barriers": {
                str(label): {key: finite(one[key].sel(barrier=label)) for key in ("mean", "sd", "shift_sd")}
                for label in one["barrier"].values
            },
        }
        for one in (table.isel(run=run) for run in range(table.sizes["run"]))
    ]


def _plain(values: dict[str, float]) -> dict[str, float | None]:
    return {key: value if isinstance(value, int) else finite(value) for key, value in values.items()}


def _moments(values: np.ndarray) -> dict[str, Any]:
    return {
        "mean": float(values.mean()),
        "sd": float(values.std(ddof=1)),
        "median": float(np.median(values)),
        "ci68": _interval(values, 0.68),
        "ci95": _interval(values, 0.95),
    }


def _interval(values: np.ndarray, level: float) -> list[float]:
    return [float(edge) for edge in np.quantile(values, [(1 - level) / 2, (1 + level) / 2])]


def verdict_lines(summary: dict[str, Any]) -> list[str]:
    """The verdict in sentences with numbers."""
    lines = []
    if any(w["code"] == "interrupted" for w in summary["warnings"]):
        lines.append("STOPPED by an interrupt: see the warnings for what is missing.")
    if not summary["diagnostics"]["passed"]:
        lines.append("NOT CONVERGED: the sampler's diagnostics failed; none of these numbers can be trusted.")
    for name, process in summary["processes"].items():
        if not process["law_fits"]:
            lines.append(_no_barrier(name, process))
            continue
        doubts = [w["code"] for w in summary["warnings"] if _process_of(w["where"]) == name and w["code"] in DOUBTS]
        for label, energy in process["barriers_eV"].items():
            low, high = (1e3 * edge for edge in energy["ci95"])
            line = f"{label}: {1e3 * energy['median']:.0f} meV (95 %: {low:.0f} to {high:.0f})"
            if process["convention"]:
                line += f", of {process['convention'].replace('_', ' ')}"
            if not process["law"].startswith(("Arrhenius", "TwoArrhenius", "PhaseTransition")):
                line += f" at {process['barriers_at_K']:.0f} K by {process['law']}"
            if process["branch"]:
                branch, probability = max(process["branch"].items(), key=lambda item: item[1])
                words = {"fast": "fast branch", "slow": "slow branch", "crossing": "T1 minimum inside the range"}[
                    branch
                ]
                line += f", {words} with probability {_probability(probability)}"
            if doubts:
                line += f"; in doubt, see the warnings: {', '.join(dict.fromkeys(doubts))}"
            lines.append(line)
    for pair, difference in summary["differences"].items():
        lines.append(
            f"{pair}: {difference['verdict']}; {difference['reason']} "
            f"(difference {1e3 * difference['mean']:+.0f} ± {1e3 * difference['sd']:.0f} meV)"
        )
    return lines


def _no_barrier(name: str, process: dict[str, Any]) -> str:
    """Why the number that a law calls a barrier is none."""
    misfit, barriers = (
        process["misfit"],
        ", ".join(f"{1e3 * b['median']:.0f} meV" for b in process["barriers_eV"].values()),
    )
    if misfit["p"] is not None and misfit["p"] < misfit["level"]:
        why = (
            f"{process['law']} does not describe these data (chi-square {misfit['chi2']:.0f} for {misfit['dof']} "
            f"degrees of freedom, p = {misfit['p']:.2g})"
        )
    else:
        best = max(process["law_evidence"], key=lambda law: process["law_evidence"][law]["log_evidence"])
        why = f"the data speak for the law {best} against {process['law']}"
    return f"{name}: no single barrier; {why}, and what would be one, {barriers}, means nothing"


def _process_of(where: str) -> str:
    """The process of a place such as "NAME/expno" or "NAME.quantity"."""
    return where.split("/")[0].split(".")[0]


def _probability(value: float) -> str:
    return "> 0.999" if value > 0.999 else f"{value:.3f}"
