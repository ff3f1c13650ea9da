"""Distributions of T1."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from nmrdyn.plot.axes import empty, legend, log_axis
from nmrdyn.plot.figure import new_axes
from nmrdyn.plot.style import COLOURS, GREY, LINES, named, style
from nmrdyn.schema import require


def t1_distribution(distribution: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """The distribution of T1 of each experiment with its band and its peaks; grey is past the delays of all.

    Parameters
    ----------
    distribution : what `t1_distribution` returned
    ax : axes to draw on, new ones unless said
    """
    require(distribution, "distribution")
    t1, reached = distribution["t1"].values, distribution["reached"].values.any(axis=0)
    with style():
        axes = new_axes(ax, height=2.4)
        for index, name in enumerate(distribution["experiment"].values):
            one = distribution.isel(experiment=index)
            if one["reason"].item():
                continue
            colour, line = COLOURS[index % len(COLOURS)], LINES[index % len(LINES)]
            axes.fill_between(t1, *one["band"].values.T, color=colour, alpha=0.2, lw=0)
            axes.plot(t1, one["distribution"], lw=1.2, ls=line, color=colour, label=named(name))
            axes.plot(one["peak_t1"], np.interp(one["peak_t1"], t1, one["distribution"]), "v", ms=4, color=colour)
        if reached.any():
            for start, stop in ((t1[0], t1[reached][0]), (t1[reached][-1], t1[-1])):
                axes.axvspan(start, stop, color=GREY, alpha=0.15, lw=0)
        axes.set_xlim(t1[0], t1[-1])
        log_axis(axes, "x")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("T1 / s")
        axes.set_ylabel("density of ln T1")
        if axes.get_lines():
            legend(axes, own=ax is None)
        else:
            empty(axes, "no distribution: see its reason")
    return axes
