"""Alternative texts: what a figure shows, in words with numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from nmrdyn.report.data_tables import experiments_of
from nmrdyn.rounding import significant, with_error
from nmrdyn.schema import ZERO_CELSIUS


def barriers_said(summary: dict[str, Any]) -> str:
    """Of the densities of all barriers."""
    said = [
        f"{label} {1e3 * one['median']:.0f} meV ({_interval(one['ci95'])})"
        for process in summary["processes"].values()
        for label, one in process["barriers_eV"].items()
    ]
    return f"Posterior densities of the activation energies of all processes: {'; '.join(said)}"


def differences_said(summary: dict[str, Any]) -> str:
    """Of the densities of all differences."""
    said = [
        f"{pair} {1e3 * one['mean']:+.0f} meV ({_interval(one['ci95'])}), {one['verdict']}"
        for pair, one in summary["differences"].items()
    ]
    return f"Posterior densities of the differences of activation energies: {'; '.join(said)}"


def budget_said(summary: dict[str, Any]) -> str:
    """Of the bars of the error budget: the largest source of each."""
    said = []
    for name, row in summary["error_budget"].items():
        source, share = max(((key, one or 0.0) for key, one in row["share"].items()), key=lambda item: item[1])
        said.append(f"{name} ± {1e3 * row['sd_eV']:.1f} meV, most from {source} ({100 * share:.0f} %)")
    return f"Stacked bars: share of each source in the variance of each barrier and difference: {'; '.join(said)}"


def corner_said(summary: dict[str, Any], name: str) -> str:
    """Of the corner plot of one process: where its law's parameters lie."""
    said = [
        f"{key.replace('_', ' ')} {with_error(one['median'], one['sd'])}"
        for key, one in summary["processes"][name]["law_parameters"].items()
    ]
    return f"Corner plot of {name}: sampled quantities against each other; {', '.join(said)}"


def savage_dickey_said(comparison: xr.Dataset) -> str:
    """Of the Bayes factors: those at the least and the greatest width of the prior."""
    width = 1e3 * comparison["width"].values
    said = [
        f"{pair} {significant(factor[0], 2)} at {width[0]:.0f} to {significant(factor[-1], 2)} at {width[-1]:.0f} meV"
        for pair, factor in zip(comparison["pair"].values, comparison["bayes_factor"].values, strict=True)
        if np.isfinite(factor).all()
    ]
    return f"Bayes factor of no difference against the width of the prior: {'; '.join(said)}"


_MEASURED = {
    "t1": ("T1 against inverse temperature with posterior bands", "relaxation", "t1", "s"),
    "tau_c": ("Correlation times on both branches against inverse temperature with posterior bands", "motion", "", "s"),
    "sigma_T": (
        "Conductivity times temperature against inverse temperature with posterior band", "transport", "conductivity",
        "S/m",
    ),
    "diffusion": (
        "Diffusion coefficients against inverse temperature with posterior band", "diffusion", "diffusion", "m²/s",
    ),
}  # fmt: skip


def measured_said(posterior: xr.DataTree, quantity: str) -> str:
    """Of a quantity against 1000/T: its range for each process."""
    title, stage, variable, unit = _MEASURED[quantity]
    said = []
    for name, node in posterior["processes"].children.items():
        if stage not in node:
            continue
        data = node[stage].dataset
        celsius = experiments_of(node)["temperature"].values - ZERO_CELSIUS
        if stage == "motion":
            series = {f", {branch} branch" if data.sizes["branch"] > 1 else "": data["tau_c"].values[:, k]
                      for k, branch in enumerate(data["branch"].values)}  # fmt: skip
        else:
            series = {"": data[variable].values}
        for label, values in series.items():
            kept = np.flatnonzero(np.isfinite(values) & np.isfinite(celsius))
            if kept.size:
                cold, hot = kept[np.argmin(celsius[kept])], kept[np.argmax(celsius[kept])]
                said.append(
                    f"{name}{label}, {significant(values[cold], 3)} {unit} at {celsius[cold]:.1f} °C to "
                    f"{significant(values[hot], 3)} {unit} at {celsius[hot]:.1f} °C"
                )
    return f"{title}: {'; '.join(said) or 'no value'}"


def _interval(edges: list[float]) -> str:
    return f"95 %: {1e3 * edges[0]:.0f} to {1e3 * edges[1]:.0f}"
