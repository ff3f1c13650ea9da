"""Barriers and their differences, what their errors come from, and what their posteriors look like."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nmrdyn.plot.style import COLOURS, GREY, named, style
from nmrdyn.schema import Array, require


def barriers(comparison: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """The posterior of each barrier: density, median, 68 and 95 % intervals."""
    require(comparison, "comparison")
    with style():
        names = comparison["process"].values
        labels = []
        axes = ax if ax is not None else Figure(figsize=(4.6, 0.7 * len(names) + 0.9)).subplots()
        for index, name in enumerate(names):
            draws = 1e3 * comparison["activation_energy"].sel(process=name).values
            fits = bool(comparison["law_fits"].sel(process=name))
            _density(axes, draws, len(names) - 1 - index, COLOURS[index % len(COLOURS)] if fits else GREY)
            labels.append(named(name) if fits else f"{named(name)}\n(law does not fit)")
        axes.set_yticks(range(len(names) - 1, -1, -1), labels)
        axes.set_xlabel("activation energy / meV")
    return axes


def differences(comparison: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """The posterior of each difference beside the margin inside which barriers count as the same."""
    require(comparison, "comparison")
    margin = 1e3 * comparison.attrs["margin"]
    with style():
        pairs = comparison["pair"].values
        axes = ax if ax is not None else Figure(figsize=(4.6, 0.7 * max(len(pairs), 1) + 0.9)).subplots()
        axes.axvspan(-margin, margin, color=GREY, alpha=0.15, lw=0)
        axes.axvline(0, color=GREY, lw=0.8)
        for index, pair in enumerate(pairs):
            draws = 1e3 * comparison["difference"].sel(pair=pair).values
            _density(axes, draws, len(pairs) - 1 - index, "#333333")
        labels = [f"{named(p)}\n{v}" for p, v in zip(pairs, comparison["verdict"].values, strict=True)]
        axes.set_yticks(range(len(pairs) - 1, -1, -1), labels)
        axes.set_xlabel(f"difference / meV (grey: the margin, ±{margin:g} meV)")
    return axes


def _density(axes: Axes, draws: Array, level: float, colour: str) -> None:
    low95, low68, median, high68, high95 = np.quantile(draws, [0.025, 0.16, 0.5, 0.84, 0.975])
    start, stop = np.quantile(draws, [0.001, 0.999])
    edges = np.linspace(start, stop, 61)
    counts = np.histogram(draws, edges)[0].astype(float)
    counts = np.convolve(counts, np.ones(5) / 5, mode="same")
    middle = (edges[1:] + edges[:-1]) / 2
    axes.fill_between(middle, level, level + 0.62 * counts / counts.max(), color=colour, alpha=0.3, lw=0)
    axes.plot([low95, high95], [level, level], lw=1.0, color=colour)
    axes.plot([low68, high68], [level, level], lw=3.0, color=colour, solid_capstyle="butt")
    axes.plot(median, level, "o", ms=4, color="white", mec=colour)


def corner(posterior: xr.DataTree, name: str) -> Figure:
    """All sampled quantities of one process against each other."""
    import corner as corner_package

    require(posterior, "posterior")
    draws = posterior["posterior"].dataset
    columns = [key for key in json.loads(posterior.attrs["priors"]) if key.startswith(f"{name}.")]
    table = np.stack([draws[key].values.ravel() for key in columns], axis=1)
    table = table[:: max(1, len(table) // 10_000)]
    labels = [
        f"{str(key).split('.', 1)[1].replace('_', ' ')}\n[{draws[key].attrs.get('units') or '1'}]" for key in columns
    ]
    with style():
        figure = Figure(figsize=(1.7 * len(columns), 1.7 * len(columns)))
        corner_package.corner(
            table, labels=labels, fig=figure, quantiles=[0.16, 0.5, 0.84], color=COLOURS[0], quiet=True
        )
    return figure


# Words for the sources of an error budget; others keep their name.
_SOURCES = {
    "misfit": "misfit (scatter)",
    "temperature": "temperature of a run",
    "offset": "offset of the thermometer",
    "scale": "scale of the thermometer",
    "cq": "C_Q",
    "law": "priors of the law",
}


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
    shown = [k for k in range(share.shape[1]) if np.abs(share[:, k]).max() > 5e-3]
    level = np.arange(share.shape[0])[::-1]
    with style():
        axes = ax if ax is not None else Figure(figsize=(6.2, 0.36 * len(level) + 1.5)).subplots()
        end = np.zeros(len(level))
        for index, k in enumerate(shown):
            name = str(table["source"].values[k])
            colour = GREY if name == "rest" else COLOURS[index % len(COLOURS)]
            left = np.where(share[:, k] < 0, 0.0, end)
            said = _SOURCES.get(name, name)
            axes.barh(level, 100 * share[:, k], left=100 * left, height=0.62, color=colour, label=said)
            end += np.maximum(share[:, k], 0.0)
        for at, reach, variance in zip(level, end, table["total"].values, strict=True):
            axes.text(100 * reach + 1.5, at, f"{1e3 * np.sqrt(variance):.1f} meV", va="center")
        axes.axvline(0, lw=0.8, color="black")
        axes.set_yticks(level, [named(name) for name in table["quantity"].values])
        axes.set_xlim(min(0.0, 100 * share.min() - 2), 100 * end.max() + 18)
        axes.set_xlabel("share of the variance / %")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4)
    return axes


def savage_dickey(comparison: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """The Bayes factor of no difference over the width of the prior of the difference, for each pair that has one."""
    require(comparison, "comparison")
    width = 1e3 * comparison["width"].values
    with style():
        axes = ax if ax is not None else Figure(figsize=(4.6, 3.4)).subplots()
        axes.axhspan(1 / 3, 3, color=GREY, alpha=0.15, lw=0)
        axes.axhline(1, lw=0.8, color=GREY)
        known = comparison.isel(pair=np.flatnonzero(np.isfinite(comparison["bayes_factor"].values).any(axis=1)))
        for index, pair in enumerate(known["pair"].values):
            factor = known["bayes_factor"].sel(pair=pair).values
            axes.plot(width, factor, lw=1.2, color=COLOURS[index % len(COLOURS)], label=named(pair))
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("sd of the difference, if there is one / meV")
        axes.set_ylabel("Bayes factor of no difference")
        if axes.get_lines()[1:]:
            axes.legend()
    return axes
