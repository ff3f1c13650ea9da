"""The conductivity that NMR predicts beside the measured one, and the Haven ratio, against 1000/T."""

from __future__ import annotations

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from nmrdyn.plot.style import COLOURS, GREY, arrhenius_axes, named, style
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
        axes = ax if ax is not None else Figure(figsize=(4.6, 3.6)).subplots()
        nmr, conductivity = found.attrs["nmr"], found.attrs["conductivity"]
        _band(axes, found["predicted"], COLOURS[0], f"{named(nmr)}: predicted for a Haven ratio of 1")
        _band(axes, found["measured"], COLOURS[1], f"{named(conductivity)}: law of the measured")
        axes.set_ylabel("conductivity / (S/m)")
        _finish(axes, found)
        axes.legend()
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
        axes = ax if ax is not None else Figure(figsize=(4.6, 2.6)).subplots()
        axes.axhline(1, lw=0.8, color=GREY)
        _band(axes, found["haven_ratio"], COLOURS[2], "")
        axes.set_ylabel("Haven ratio")
        _finish(axes, found)
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    return axes


def _band(axes: Axes, quantiles: xr.DataArray, colour: str, label: str) -> None:
    x = 1000 / quantiles["temperature"].values
    low95, low68, median, high68, high95 = quantiles.values
    if x.size < _FEW:
        axes.errorbar(x, median, [median - low95, high95 - median], fmt="none", lw=0.9, color=colour)
        axes.errorbar(x, median, [median - low68, high68 - median], fmt="o", ms=3.5, lw=2.5, color=colour, label=label)
        return
    axes.fill_between(x, low95, high95, color=colour, alpha=0.15, lw=0)
    axes.fill_between(x, low68, high68, color=colour, alpha=0.25, lw=0)
    axes.plot(x, median, lw=0.9, color=colour, label=label)


def _finish(axes: Axes, found: xr.Dataset) -> None:
    """Grey where not both were measured, and the axes of both temperatures."""
    outside = ~found["inside"].values & (found.sizes["temperature"] >= _FEW)
    axes.fill_between(
        1000 / found["temperature"].values, 0, 1, where=outside, transform=axes.get_xaxis_transform(), color=GREY,
        alpha=0.12, lw=0, zorder=0,
    )  # fmt: skip
    arrhenius_axes(axes, remark=" (grey: not both were measured)" if outside.any() else "")
