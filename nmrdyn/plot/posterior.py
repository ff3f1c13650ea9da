"""What the posteriors of all quantities look like, and where the errors of barriers come from."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nmrdyn.plot.axes import empty, legend
from nmrdyn.plot.figure import new_axes, new_figure
from nmrdyn.plot.style import COLOURS, DOUBLE, GREY, named, style
from nmrdyn.schema import InputError, require

_DRAWS = 10_000  # that are drawn of a posterior
_MARGIN = 0.62  # inches for the labels of the outer panels

# Words for the sources of an error budget; others keep their name.
_SOURCES = {
    "misfit": "misfit (scatter)",
    "temperature": "temperature of a run",
    "offset": "offset of the thermometer",
    "scale": "scale of the thermometer",
    "cq": "C_Q",
    "law": "priors of the law",
}
_QUANTITIES = {"cq": "C_Q"}
_HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx", "||||", "oooo")


def corner(posterior: xr.DataTree, name: str, *, figure: Any = None) -> Figure:
    """All sampled quantities of one process against each other, with 16, 50 and 84 % quantiles.

    Parameters
    ----------
    posterior : what `infer` returned
    name : of the process
    figure : an empty figure to draw in, a new one unless said

    Raises
    ------
    InputError
        Where no quantity of such a process was sampled.
    """
    import corner as corner_package

    require(posterior, "posterior")
    draws = posterior["posterior"].dataset
    columns = [key for key in json.loads(posterior.attrs["priors"]) if key.startswith(f"{name}.")]
    columns = [key for key in columns if np.ptp(draws[key].values) > 0]
    if not columns:
        names = ", ".join(map(str, posterior["processes"].children))
        raise InputError(f"corner: needed a process with sampled quantities among {names}, found {name!r}; name one")
    table = np.stack([draws[key].values.ravel() for key in columns], axis=1)
    table = table[:: max(1, len(table) // _DRAWS)]
    labels = []
    for k, key in enumerate(columns):
        unit = str(draws[key].attrs.get("units", ""))
        if unit == "Hz":
            table[:, k], unit = table[:, k] / 1e3, "kHz"
        labels.append(_axis(key.removeprefix(f"{name}."), unit))
    with style():
        side = min(DOUBLE, 1.5 * len(columns) + _MARGIN)
        whole = new_figure(figure, width=side, height=side, layout="none")
        corner_package.corner(
            table, labels=labels, fig=whole, quantiles=[0.16, 0.5, 0.84], color=COLOURS[0], quiet=True, max_n_ticks=3,
            label_kwargs={"fontsize": 7}, hist_kwargs={"lw": 0.9}, data_kwargs={"ms": 1.0},
            contour_kwargs={"linewidths": 0.7},
        )  # fmt: skip
        inches = whole.bbox.width / whole.dpi
        edge = _MARGIN / inches
        far = 1 - 0.1 / inches
        whole.subplots_adjust(left=edge, bottom=edge, right=far, top=far, wspace=0.12, hspace=0.12)
        panel = (inches - _MARGIN) / len(columns)
        for axes in whole.axes:
            axes.minorticks_off()
            axes.tick_params(labelsize=6, labelrotation=0, right=False)
            axes.xaxis.set_label_coords(0.5, -0.26 / panel)
            axes.yaxis.set_label_coords(-0.36 / panel, 0.5)
    return whole


def _axis(quantity: str, unit: str) -> str:
    """Words of an axis, in two lines where there is a unit: "log10_tau0" in log10(s) is "log10(tau0 / s)"."""
    words = _QUANTITIES.get(quantity, named(quantity.replace("_", " ")))
    if unit.startswith("log10(") and words.startswith("log10 "):
        return f"log10({words.removeprefix('log10 ')}\n/ {unit.removeprefix('log10(')}"
    return f"{words}\n/ {unit}" if unit not in ("", "1") else words


def budget(posterior: xr.DataTree, *, ax: Axes | None = None) -> Axes:
    """The error budget: the share of each source in the variance of each barrier and difference, as stacked bars.

    A rest below 0 is drawn to the left of 0. Behind each bar stands the standard deviation.

    Parameters
    ----------
    posterior : what `infer` returned
    ax : axes to draw on, new ones unless said
    """
    require(posterior, "posterior")
    table = posterior["budget"].dataset
    share = np.nan_to_num(table["share"].values)
    shown = [k for k in range(share.shape[1]) if np.abs(share[:, k]).max(initial=0.0) > 5e-3]
    level = np.arange(share.shape[0])[::-1]
    with style():
        axes = new_axes(ax, width=DOUBLE, height=0.3 * len(level) + 0.6)
        end = np.zeros(len(level))
        for index, k in enumerate(shown):
            source = str(table["source"].values[k])
            colour = GREY if source == "rest" else COLOURS[index % len(COLOURS)]
            left = np.where(share[:, k] < 0, 0.0, end)
            axes.barh(
                level, 100 * share[:, k], left=100 * left, height=0.66, color=colour, ec="white", lw=0.3,
                hatch=_HATCHES[index % len(_HATCHES)], label=_SOURCES.get(source, named(source)),
            )  # fmt: skip
            end += np.maximum(share[:, k], 0.0)
        for at, reach, variance in zip(level, end, table["total"].values, strict=True):
            axes.text(100 * reach + 1.5, at, f"{1e3 * np.sqrt(variance):.1f} meV", va="center", fontsize=7)
        if not shown:
            empty(axes)
        axes.axvline(0, lw=0.8, color="black")
        axes.set_yticks(level, [named(name) for name in table["quantity"].values])
        axes.tick_params(axis="y", which="both", left=False, right=False)
        axes.set_xlim(min(0.0, 100 * share.min(initial=0.0) - 2), 100 * end.max(initial=1.0) + 14)
        axes.set_xlabel("share of the variance / %")
        legend(axes, own=ax is None, columns=4)
    return axes
