"""Recoveries with their fits, and distributions of T1."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nmrdyn.plot.style import COLOURS, GREY, named, style
from nmrdyn.schema import ZERO_CELSIUS, require


def recoveries(recovery: xr.Dataset, relaxation: xr.Dataset) -> Figure:
    """Every recovery with its fit, and the residuals in standard errors below it."""
    require(recovery, "recovery")
    require(relaxation, "relaxation")
    n = recovery.sizes["experiment"]
    columns = min(5, n)
    rows = -(-n // columns)
    with style():
        figure = Figure(figsize=(2.0 * columns + 0.4, 2.1 * rows))
        grid = figure.add_gridspec(rows, columns, wspace=0.12, hspace=0.42)
        for i in range(n):
            cell = grid[i // columns, i % columns].subgridspec(2, 1, height_ratios=(3, 1), hspace=0.06)
            top = figure.add_subplot(cell[0])
            bottom = figure.add_subplot(cell[1], sharex=top)
            _one_recovery(top, bottom, recovery.isel(experiment=i), relaxation.isel(experiment=i))
            if i % columns:
                top.tick_params(labelleft=False)
                bottom.tick_params(labelleft=False)
            else:
                bottom.set_ylabel("z")
            if i // columns == rows - 1:
                bottom.set_xlabel("delay / s")
        figure.supylabel("intensity / full recovery", fontsize=9, x=0.0, ha="right")
    return figure


def _one_recovery(top: Axes, bottom: Axes, recovery: xr.Dataset, relaxation: xr.Dataset) -> None:
    kelvin = recovery["temperature"].item()
    where = f"{kelvin - ZERO_CELSIUS:.1f} °C" if np.isfinite(kelvin) else "T unknown"
    used, planned = int(np.isfinite(recovery["signal"]).sum()), int(recovery["rows_planned"])
    partial = f" · {used}/{planned} rows" if used < planned else ""
    top.set_title(f"{named(recovery['experiment'].item())} · {where}{partial}", pad=3)
    top.tick_params(labelbottom=False)
    if np.isnan(relaxation["t1"].item()):
        top.text(0.5, 0.5, "no T1", ha="center", va="center", transform=top.transAxes, color=GREY)
        return
    amplitude = relaxation["amplitude"].item()
    delay, signal = recovery["delay"].values, recovery["signal"].values
    stderr, fit = recovery["signal_stderr"].values, relaxation["fit"].values
    order = np.argsort(delay)
    top.errorbar(delay, signal / amplitude, stderr / amplitude, fmt="o", ms=2.6, lw=0.8, color=COLOURS[0])
    top.plot(delay[order], fit[order] / amplitude, lw=1.0, color="black")
    top.set_xscale("log")
    top.set_ylim(min(-0.15, np.nanmin(signal / amplitude) - 0.1), 1.25)
    z = (signal - fit) / stderr
    bottom.axhline(0, lw=0.6, color="black")
    bottom.plot(delay, z, "o", ms=2.2, color=COLOURS[0])
    reach = max(3.5, 1.15 * np.nanmax(np.abs(z)))
    bottom.set_ylim(-reach, reach)


def t1_distribution(distribution: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """The distribution of T1 of each experiment with its band and its peaks; grey is past the delays of all."""
    require(distribution, "distribution")
    t1, reached = distribution["t1"].values, distribution["reached"].values.any(axis=0)
    with style():
        axes = ax if ax is not None else Figure(figsize=(4.6, 3.4)).subplots()
        for index, name in enumerate(distribution["experiment"].values):
            one = distribution.isel(experiment=index)
            if one["reason"].item():
                continue
            colour = COLOURS[index % len(COLOURS)]
            axes.fill_between(t1, *one["band"].values.T, color=colour, alpha=0.2, lw=0)
            axes.plot(t1, one["distribution"], lw=1.2, color=colour, label=named(name))
            axes.plot(one["peak_t1"], np.interp(one["peak_t1"], t1, one["distribution"]), "v", ms=4, color=colour)
        if reached.any():
            for start, stop in ((t1[0], t1[reached][0]), (t1[reached][-1], t1[-1])):
                axes.axvspan(start, stop, color=GREY, alpha=0.15, lw=0)
        axes.set_xscale("log")
        axes.set_xlim(t1[0], t1[-1])
        axes.set_ylim(bottom=0)
        axes.set_xlabel("T1 / s")
        axes.set_ylabel("density of ln T1")
        if axes.get_lines():
            axes.legend()
    return axes
