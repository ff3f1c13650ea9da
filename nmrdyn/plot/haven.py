"""The conductivity that NMR predicts beside the measured one, and the Haven ratio, against 1000/T."""

from __future__ import annotations

import xarray as xr
from matplotlib.axes import Axes

from nmrdyn.plot.axes import arrhenius_axes, band, legend
from nmrdyn.plot.figure import new_axes
from nmrdyn.plot.style import COLOURS, GREY, LINES, MARKERS, named, style
from nmrdyn.schema import require

_FEW = 5  # temperatures, which are drawn as points


def haven(found: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Predicted and measured conductivity against 1000/T: medians, 68 and 95 % bands; grey where one is extrapolated.

    Parameters
    ----------
    found : what `haven_ratio` returned
    ax : axes to draw on, new ones unless said
    """
    require(found, "haven")
    with style():
        axes = new_axes(ax, height=2.5)
        nmr, conductivity = found.attrs["nmr"], found.attrs["conductivity"]
        _band(axes, found["predicted"], f"{named(nmr)}: predicted for a Haven ratio of 1", index=0)
        _band(axes, found["measured"], f"{named(conductivity)}: law of the measured", index=1)
        axes.set_ylabel("conductivity / (S/m)")
        _finish(axes, found)
        legend(axes, own=ax is None)
    return axes


def haven_ratio(found: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """The Haven ratio against 1000/T: median, 68 and 95 % bands, beside 1; grey where one law is extrapolated.

    Parameters
    ----------
    found : what `haven_ratio` returned
    ax : axes to draw on, new ones unless said
    """
    require(found, "haven")
    with style():
        axes = new_axes(ax, height=2.1)
        axes.axhline(1, lw=0.8, color=GREY)
        _band(axes, found["haven_ratio"], "", index=2)
        axes.set_ylabel("Haven ratio")
        _finish(axes, found)
    return axes


def _band(axes: Axes, quantiles: xr.DataArray, label: str, *, index: int) -> None:
    x, colour, line = 1000 / quantiles["temperature"].values, COLOURS[index], LINES[index]
    if x.size >= _FEW:
        band(axes, x, quantiles.values, colour=colour, line=line, label=label)
        return
    low95, low68, median, high68, high95 = quantiles.values
    axes.errorbar(x, median, [median - low95, high95 - median], fmt="none", lw=0.9, color=colour)
    axes.errorbar(
        x, median, [median - low68, high68 - median], fmt=MARKERS[index], ms=3.5, lw=2.5, color=colour, label=label
    )


def _finish(axes: Axes, found: xr.Dataset) -> None:
    """Grey where not both were measured, and the axes of both temperatures."""
    outside = ~found["inside"].values & (found.sizes["temperature"] >= _FEW)
    axes.fill_between(
        1000 / found["temperature"].values, 0, 1, where=outside, transform=axes.get_xaxis_transform(), color=GREY,
        alpha=0.12, lw=0, zorder=0,
    )  # fmt: skip
    arrhenius_axes(axes, remark=" (grey: not both were measured)" if outside.any() else "")
