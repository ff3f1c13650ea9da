"""The rows of t1.csv, tau_c.csv and draws.csv."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

_MOST_DRAWS = 4000


def t1_rows(posterior: xr.DataTree) -> Iterator[list[object]]:
    """Header and rows of t1.csv."""
    yield [
        "process",
        "experiment",
        "temperature_K",
        "nucleus",
        "larmor_frequency_Hz",
        "model",
        "t1_s",
        "t1_stderr_s",
        "t1_low_s",
        "t1_high_s",
        "t1_meaning",
        "t1_mean_s",
        "beta",
        "depth",
        "reduced_chi2",
        "rows_used",
        "rows_planned",
        "converged",
        "reason",
    ]
    for name, node in posterior["processes"].children.items():
        if "relaxation" not in node:
            continue
        data = node["relaxation"].dataset
        for i in range(data.sizes["experiment"]):
            one = data.isel(experiment=i)
            yield [
                name,
                one["experiment"].item(),
                one["temperature"].item(),
                data.attrs.get("nucleus", ""),
                one["larmor_frequency"].item(),
                *(
                    one[key].item()
                    for key in ("model", "t1", "t1_stderr", "t1_low", "t1_high", "t1_meaning", "t1_mean")
                ),
                *(one[key].item() for key in ("beta", "depth", "reduced_chi2")),
                *(one[key].item() for key in ("rows_used", "rows_planned", "converged", "reason")),
            ]


def tau_rows(posterior: xr.DataTree) -> Iterator[list[object]]:
    """Header and rows of tau_c.csv: both branches of every experiment."""
    yield [
        "process",
        "experiment",
        "temperature_K",
        "branch",
        "tau_c_s",
        "tau_c_stderr_s",
        "feasible",
        "branch_probability",
        "rows_used",
        "rows_planned",
        "reason",
    ]
    for name, node in posterior["processes"].children.items():
        if "motion" not in node:
            continue
        data = node["motion"].dataset
        for i in range(data.sizes["experiment"]):
            for branch in data["branch"].values:
                one = data.isel(experiment=i).sel(branch=branch)
                yield [
                    name,
                    one["experiment"].item(),
                    one["temperature"].item(),
                    branch,
                    *(one[key].item() for key in ("tau_c", "tau_c_stderr", "feasible", "branch_probability")),
                    *(one[key].item() for key in ("rows_used", "rows_planned", "reason")),
                ]


def draw_rows(posterior: xr.DataTree) -> Iterator[list[object]]:
    """Header and rows of draws.csv, evenly thinned to at most 4,000 draws."""
    draws = posterior["posterior"].dataset
    chains, length = draws.sizes["chain"], draws.sizes["draw"]
    yield ["chain", "draw", *map(str, draws)]
    kept = np.linspace(0, length - 1, min(length, _MOST_DRAWS // chains)).astype(int)
    table = np.stack([draws[name].values for name in draws], axis=-1)
    for chain in range(chains):
        for draw in kept:
            yield [chain, int(draw), *(float(f"{value:.9g}") for value in table[chain, draw])]
