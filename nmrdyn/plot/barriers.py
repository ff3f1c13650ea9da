"""Barriers, their differences, and how the odds of no difference depend on what was believed before."""

from __future__ import annotations

import textwrap

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from nmrdyn.plot.axes import empty, legend, log_axis
from nmrdyn.plot.figure import new_axes
from nmrdyn.plot.style import COLOURS, GREY, LINES, named, style
from nmrdyn.rounding import with_error
from nmrdyn.schema import Array, require

_NAME_LETTERS = 22  # in one line beside the axes
_ROW, _REST = 0.52, 0.62  # inches of a density, and of what is below all of them


def barriers(comparison: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """The posterior of each barrier: density, median, 68 and 95 % intervals; median and standard deviation beside it.

    Parameters
    ----------
    comparison : what `compare` returned
    ax : axes to draw on, new ones unless said
    """
    require(comparison, "comparison")
    names = comparison["process"].values
    with style():
        axes = new_axes(ax, height=_ROW * max(len(names), 1) + _REST)
        words = []
        for index, name in enumerate(names):
            draws = 1e3 * comparison["activation_energy"].sel(process=name).values
            fits = bool(comparison["law_fits"].sel(process=name))
            _density(axes, draws, len(names) - 1 - index, COLOURS[index % len(COLOURS)] if fits else GREY)
            words.append([_wrapped(name), _said(draws), "" if fits else "(law does not fit)"])
        _rows(axes, words)
        axes.set_xlabel("activation energy / meV")
    return axes


def differences(comparison: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """The posterior of each difference and its verdict; grey is the margin inside which barriers count as the same.

    Parameters
    ----------
    comparison : what `compare` returned
    ax : axes to draw on, new ones unless said
    """
    require(comparison, "comparison")
    margin = 1e3 * comparison.attrs["margin"]
    pairs = comparison["pair"].values
    with style():
        axes = new_axes(ax, height=1.25 * _ROW * max(len(pairs), 1) + _REST)
        axes.axvspan(-margin, margin, color=GREY, alpha=0.18, lw=0, label=f"the same within ±{margin:g} meV")
        axes.axvline(0, color=GREY, lw=0.8)
        words = []
        for index, pair in enumerate(pairs):
            draws = 1e3 * comparison["difference"].sel(pair=pair).values
            _density(axes, draws, len(pairs) - 1 - index, "#333333")
            words.append([_wrapped(pair), _said(draws), str(comparison["verdict"].sel(pair=pair).item())])
        _rows(axes, words)
        axes.set_xlabel("difference / meV")
        legend(axes, own=ax is None)
    return axes


def _wrapped(name: object) -> str:
    return named(textwrap.fill(str(name), _NAME_LETTERS))


def _said(draws: Array) -> str:
    if not np.isfinite(draws).all():
        return "unknown"
    return f"{with_error(float(np.median(draws)), float(np.std(draws)))} meV".replace("-", "−")


def _rows(axes: Axes, words: list[list[str]]) -> None:
    """Names and numbers beside the densities."""
    if not words:
        empty(axes)
    middle = np.arange(len(words))[::-1] + 0.25  # of a density above its level
    axes.set_yticks(middle, ["\n".join(filter(None, row)) for row in words], fontsize=7)
    axes.tick_params(axis="y", which="both", left=False, right=False)
    axes.set_ylim(-0.35, len(words) - 0.2)


def _density(axes: Axes, draws: Array, level: float, colour: str) -> None:
    """A density above a level, with the intervals on it; of a value that never changes, the value."""
    if not np.isfinite(draws).all():
        return
    low95, low68, median, high68, high95 = np.quantile(draws, [0.025, 0.16, 0.5, 0.84, 0.975])
    start, stop = np.quantile(draws, [0.001, 0.999])
    if stop > start:
        edges = np.linspace(start, stop, 61)
        counts = np.histogram(draws, edges)[0].astype(float)
        counts = np.convolve(counts, np.ones(5) / 5, mode="same")
        height = level + 0.7 * counts / counts.max()
        middle = (edges[1:] + edges[:-1]) / 2
        axes.fill_between(middle, level, height, color=colour, alpha=0.3, lw=0)
        axes.plot(middle, height, lw=0.7, color=colour)
    axes.plot([low95, high95], [level, level], lw=1.0, color=colour)
    axes.plot([low68, high68], [level, level], lw=3.0, color=colour, solid_capstyle="butt")
    axes.plot(median, level, "o", ms=4, color="white", mec=colour)


def savage_dickey(comparison: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """The Bayes factor of no difference over the width of the prior of the difference, for each pair that has one.

    Grey is from 1/3 to 3, where the data hardly say anything.

    Parameters
    ----------
    comparison : what `compare` returned
    ax : axes to draw on, new ones unless said
    """
    require(comparison, "comparison")
    width = 1e3 * comparison["width"].values
    with style():
        axes = new_axes(ax, height=2.3)
        axes.axhspan(1 / 3, 3, color=GREY, alpha=0.15, lw=0)
        known = comparison.isel(pair=np.flatnonzero(np.isfinite(comparison["bayes_factor"].values).any(axis=1)))
        for index, pair in enumerate(known["pair"].values):
            factor = known["bayes_factor"].sel(pair=pair).values
            colour, line = COLOURS[index % len(COLOURS)], LINES[index % len(LINES)]
            axes.plot(width, factor, lw=1.2, ls=line, color=colour, label=named(pair))
        if known.sizes["pair"]:
            axes.axhline(1, lw=0.8, color=GREY)
        else:
            empty(axes, "no pair has one")
        axes.set_xlim(width.min(), width.max())
        log_axis(axes, "x")
        log_axis(axes, "y")
        axes.set_xlabel("sd of the difference, if there is one / meV")
        axes.set_ylabel("Bayes factor of no difference")
        legend(axes, own=ax is None)
    return axes
