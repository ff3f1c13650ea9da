"""What was measured against 1000/T, with the bands of the fitted laws."""

from __future__ import annotations

import itertools

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nmrdyn.plot.style import COLOURS, arrhenius_axes, named, style
from nmrdyn.schema import Array, InputError, require


def arrhenius(posterior: xr.DataTree, quantity: str, *, ax: Axes | None = None) -> Axes:
    """One quantity of all processes that have it against 1000/T, with 68 and 95 % bands of the fitted law.

    Parameters
    ----------
    posterior : what `infer` returned
    quantity : "t1", "tau_c", "sigma_T" or "diffusion"
    ax : axes to draw on, new ones unless said
    """
    require(posterior, "posterior")
    draw = {"t1": _draw_t1, "tau_c": _draw_tau, "sigma_T": _draw_sigma, "diffusion": _draw_diffusion}
    if quantity not in draw:
        raise InputError(f"arrhenius: needed a quantity among {', '.join(draw)}, found {quantity!r}")
    with style():
        axes = ax if ax is not None else Figure(figsize=(4.6, 3.6)).subplots()
        for index, (name, process) in enumerate(posterior["processes"].children.items()):
            draw[quantity](axes, process, named(name), COLOURS[index % len(COLOURS)])
        arrhenius_axes(axes)
        axes.legend()
    return axes


def _band(axes: Axes, prediction: xr.Dataset, quantity: str, colour: str, scale: Array | float = 1.0) -> None:
    x = 1000 / prediction["temperature"].values
    for field in range(prediction.sizes["field"]):
        low95, low68, median, high68, high95 = prediction[quantity].values[:, field] * scale
        axes.fill_between(x, low95, high95, color=colour, alpha=0.15, lw=0)
        axes.fill_between(x, low68, high68, color=colour, alpha=0.25, lw=0)
        axes.plot(x, median, lw=0.9, color=colour)


def _horizontal_error(data: xr.Dataset) -> Array:
    kelvin = data["temperature"].values
    return 1000 * np.nan_to_num(data["temperature_stderr"].values) / kelvin**2


def _draw_t1(axes: Axes, process: xr.DataTree, name: str, colour: str) -> None:
    axes.set_ylabel("T1 / s")
    if "relaxation" not in process:
        return
    data = process["relaxation"].dataset
    _band(axes, process["prediction"].dataset, "t1", colour)
    fields = process["prediction"].dataset["larmor_frequency"].values
    for marker, field in zip(itertools.cycle("os^Dv"), fields, strict=False):
        one = data.isel(experiment=np.flatnonzero(data["larmor_frequency"].values == field))
        label = name if fields.size == 1 else f"{name}, {field / 1e6:.1f} MHz"
        axes.errorbar(
            1000 / one["temperature"], one["t1"], one["t1_stderr"], _horizontal_error(one), marker, ms=3.5, lw=0.9,
            color=colour, label=label,
        )  # fmt: skip
    motion = process["motion"].dataset
    low = ~motion["feasible"].values & np.isfinite(data["t1"].values)
    if low.any():
        axes.plot(
            (1000 / data["temperature"]).values[low], data["t1"].values[low], "s", ms=8, mfc="none", color="black",
            label="shorter than the mechanism allows",
        )  # fmt: skip


def _draw_tau(axes: Axes, process: xr.DataTree, name: str, colour: str) -> None:
    axes.set_ylabel("correlation time / s")
    if "motion" not in process:
        return
    data = process["motion"].dataset
    _band(axes, process["prediction"].dataset.isel(field=[0]), "tau_c", colour)  # which no field changes
    weight = (
        data["branch_probability"].values if "branch_probability" in data else np.full((len(data.experiment), 2), 0.5)
    )
    for k, branch in enumerate(data["branch"].values):
        likely = bool(np.nanmean(weight[:, k]) > 0.5)
        label = f"{name}, {branch}" if data.sizes["branch"] > 1 else name
        axes.errorbar(
            1000 / data["temperature"], data["tau_c"][:, k], data["tau_c_stderr"][:, k], _horizontal_error(data),
            "^" if branch == "fast" else "o", ms=3.5, lw=0.9, color=colour, alpha=1.0 if likely else 0.35,
            mfc=colour if likely else "none", label=label + ("" if likely else " (improbable)"),
        )  # fmt: skip


def _draw_sigma(axes: Axes, process: xr.DataTree, name: str, colour: str) -> None:
    axes.set_ylabel("σT / (S K/m)")
    if "transport" in process:
        data, prediction = process["transport"].dataset, process["prediction"].dataset
        _band(axes, prediction, "conductivity", colour, prediction["temperature"].values)
        _points(axes, data, "conductivity", data["temperature"].values, name, colour)


def _draw_diffusion(axes: Axes, process: xr.DataTree, name: str, colour: str) -> None:
    axes.set_ylabel("diffusion coefficient / (m²/s)")
    if "diffusion" in process:
        _band(axes, process["prediction"].dataset, "diffusion", colour)
        _points(axes, process["diffusion"].dataset, "diffusion", 1.0, name, colour)


def _points(axes: Axes, data: xr.Dataset, quantity: str, scale: Array | float, name: str, colour: str) -> None:
    """What was measured, with its errors."""
    axes.errorbar(
        1000 / data["temperature"], data[quantity] * scale, np.nan_to_num(data[f"{quantity}_stderr"]) * scale,
        _horizontal_error(data), "o", ms=3.5, lw=0.9, color=colour, label=name,
    )  # fmt: skip
