"""Tables of correlation times, and of what molecular dynamics gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import xarray as xr

from nmrdyn.table.column import (
    ends_of,
    measured,
    numbers,
    remarks,
    rows_used,
    spans,
    temperatures,
    texts,
    values_of,
    words_of,
)
from nmrdyn.table.recoveries import experiments, notes_of, of_nucleus
from nmrdyn.table.table import Table


def of_motion(data: xr.Dataset) -> Table:
    """Correlation times of each branch, one row an experiment."""
    branches = [str(branch) for branch in data["branch"].values]
    columns = [*experiments(data)]
    for k, branch in enumerate(branches):
        one = data.isel(branch=k)
        # A table that was read has no branches; so it reads back.
        said = "" if branch == "given" else branch
        head, name = f"tau_c {said}".strip(), f"tau_c_{said}".rstrip("_")
        columns.append(measured(f"{head} / s", name, "s", one["tau_c"].values, one["tau_c_stderr"].values))
    if "branch_probability" in data and "slow" in branches:
        slow = data["branch_probability"].sel(branch="slow").values
        columns.append(numbers("P(slow)", "probability_slow", "", slow, form=".3f"))
    columns += [
        numbers("shortest T1 / s", "t1_minimum", "s", values_of(data, "t1_minimum"), digits=3),
        numbers("amplitude", "amplitude", "", values_of(data, "amplitude"), form=".2f"),
        numbers("beta", "beta", "", values_of(data, "beta"), form=".2f"),
        rows_used(values_of(data, "rows_used"), values_of(data, "rows_planned")),
        remarks(words_of(data, "reason"), _infeasible(data)),
    ]
    return Table(tuple(columns), f"Correlation times{of_nucleus(data)}", notes_of(data))


def of_diffusion(data: xr.Dataset) -> Table:
    """Diffusion coefficients, one row a temperature."""
    value, error = data["diffusion"].values, data["diffusion_stderr"].values
    columns = (
        texts("experiment", words_of(data, "experiment")),
        temperatures(data),
        measured("D / m²/s", "D", "m^2/s", value, error),
        remarks(words_of(data, "reason")),
    )
    return Table(columns, "Diffusion coefficients", notes_of(data))


def of_autocorrelation(data: xr.Dataset) -> Table:
    """Autocorrelation functions, one row a temperature."""
    time, correlation = data["time"].values, data["correlation"].values
    known = np.isfinite(time) & np.isfinite(correlation)
    last = [row[seen][-1] if seen.any() else np.nan for row, seen in zip(correlation, known, strict=True)]
    columns = (
        texts("experiment", words_of(data, "experiment")),
        temperatures(data),
        numbers("points", "points", "", known.sum(axis=1), form=".0f"),
        spans("times / ps", "time", "s", *ends_of(time, known), factor=1e12),
        numbers("C at the end", "last_correlation", "", last, form=".3f"),
    )
    return Table(columns, "Rotational autocorrelation functions", notes_of(data))


def _infeasible(data: xr.Dataset) -> list[str]:
    """What is said of a T1 that the mechanism does not allow, where no reason says it."""
    words, feasible = words_of(data, "reason"), data["feasible"].values
    known = values_of(data, "t1")
    return [
        "T1 is below the shortest that the mechanism allows" if not ok and not word and np.isfinite(t1) else ""
        for ok, word, t1 in zip(feasible, words, known, strict=True)
    ]


MAKERS: Mapping[str, Callable[[xr.Dataset], Table]] = {
    "motion": of_motion,
    "diffusion": of_diffusion,
    "autocorrelation": of_autocorrelation,
}
