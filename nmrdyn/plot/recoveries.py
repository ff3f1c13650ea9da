"""Recoveries with their fits and residuals, one or all of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from scipy.interpolate import PchipInterpolator

from nmrdyn.plot.axes import empty, log_axis
from nmrdyn.plot.figure import new_figure, root
from nmrdyn.plot.style import COLOURS, DOUBLE, GREY, SINGLE, named, style
from nmrdyn.rounding import with_error
from nmrdyn.schema import ZERO_CELSIUS, Array, InputError, require

_INTENSITY = "intensity / full recovery"
# Inches of the grid: margins, a panel with its residuals and title, and the gaps between panels.
_LEFT, _RIGHT, _TOP, _BOTTOM = 0.62, 0.08, 0.24, 0.42
_CELL, _ACROSS, _DOWN = 1.35, 0.16, 0.5
_ALONE = (0.15, 0.34, 0.81, 0.59)  # where a single one has its axes: the residuals and their labels are below


def recovery(
    recovery: xr.Dataset, relaxation: xr.Dataset, *, experiment: str | None = None, ax: Axes | None = None
) -> Axes:
    """One recovery with its fit against the delay, and below it the residuals in measured standard errors, z.

    Intensities are over that of full recovery, as fitted; where there is no T1, over the largest.

    Parameters
    ----------
    recovery, relaxation : what `read_topspin` and `fit_recovery` returned, of all experiments or of one
    experiment : which one, the only one unless said
    ax : axes to draw on, new ones unless said; residuals are drawn below them, in their `child_axes[0]`

    Raises
    ------
    InputError
        Where there is no such experiment, or several and none is named.

    Examples
    --------
    >>> import nmrdyn as nd
    >>> truth = nd.RelaxationTruth(
    ...     nucleus="23Na", larmor_frequency=132.3e6, cq=1e6, eta=0.1, activation_energy=0.45, tau_c=1e-5,
    ...     reference_temperature=300.0, temperature=[300.0],
    ... )
    >>> data = nd.simulate(truth, seed=1)
    >>> axes = recovery(data, nd.fit_recovery(data, nd.SingleExponential()))
    >>> axes.get_ylabel(), axes.child_axes[0].get_ylabel()
    ('intensity / full recovery', 'z')
    """
    require(recovery, "recovery")
    require(relaxation, "relaxation")
    names = np.atleast_1d(recovery["experiment"].values).tolist()
    if (len(names) != 1) if experiment is None else (experiment not in names):
        raise InputError(
            f"recovery: needed one experiment of {', '.join(map(str, names[:20]))}, found {experiment!r}; "
            "say experiment="
        )
    at = names.index(experiment) if experiment is not None else 0
    with style():
        axes = ax if ax is not None else new_figure(None, width=SINGLE, height=3.1, layout="none").add_axes(_ALONE)
        below = axes.inset_axes((0.0, -0.34, 1.0, 0.3), sharex=axes)
        _draw(axes, below, _one(recovery, at), _one(relaxation, at))
        axes.set_ylabel(_INTENSITY)
        below.set_ylabel("z")
        below.set_xlabel("delay / s")
        _align(axes, below)
        if isinstance(root(axes).get_layout_engine(), ConstrainedLayoutEngine):
            root(axes).draw_without_rendering()  # what hangs below the axes is as high as they come out
    return axes


def recoveries(recovery: xr.Dataset, relaxation: xr.Dataset, *, figure: Any = None) -> Figure:
    """Every recovery with its fit, and the residuals in measured standard errors, z, below it.

    Parameters
    ----------
    recovery, relaxation : what `read_topspin` and `fit_recovery` returned
    figure : a figure, or part of one, to draw in; a new one unless said, as high as it has to be
    """
    require(recovery, "recovery")
    require(relaxation, "relaxation")
    n = recovery.sizes["experiment"]
    with style():
        columns = max(1, min(4, n))
        rows = max(1, math.ceil(n / columns))
        tall = _TOP + rows * (_CELL + _DOWN) - _DOWN + _BOTTOM if n > 1 else 2.6
        whole = new_figure(figure, width=DOUBLE if n > 1 else SINGLE, height=tall, layout="none")
        size = whole.bbox.width / whole.dpi, whole.bbox.height / whole.dpi
        cell = (size[0] - _LEFT - _RIGHT - (columns - 1) * _ACROSS) / columns
        high = (size[1] - _TOP - _BOTTOM - (rows - 1) * _DOWN) / rows
        if not n:
            empty(whole.add_subplot(), "no experiments")
        for i in range(n):
            row, column = divmod(i, columns)
            box = np.array(
                [_LEFT + column * (cell + _ACROSS), size[1] - _TOP - high - row * (high + _DOWN), cell, high]
            )
            left, bottom, width, height = box / [*size, *size]
            top = whole.add_axes((left, bottom + 0.3 * height, width, 0.7 * height))
            below = whole.add_axes((left, bottom, width, 0.27 * height), sharex=top)
            _draw(top, below, _one(recovery, i), _one(relaxation, i))
            for axes in (top, below):
                axes.minorticks_off()  # they take more than half of the time
            if column:
                top.tick_params(labelleft=False)
                below.tick_params(labelleft=False)
            else:
                below.set_ylabel("z")
                _align(below)
            if i + columns >= n:
                below.set_xlabel("delay / s")
            if column == columns - 1 or i == n - 1:
                _one_scale(whole.axes[1 - 2 * (column + 1) :: 2])
        whole.supylabel(_INTENSITY, x=0.06 / size[0], ha="left", fontsize=8)
    return whole


def _one_scale(residuals: list[Axes]) -> None:
    """The scale of the largest residuals for all in a row, of which only the first has numbers."""
    widest = max(residuals, key=lambda axes: axes.get_ylim()[1])
    limits, ticks = widest.get_ylim(), widest.get_yticks()
    for axes in residuals:
        axes.set_yticks([tick for tick in ticks if limits[0] <= tick <= limits[1]])
        axes.set_ylim(limits)


def _one(stage: xr.Dataset, at: int) -> xr.Dataset:
    """One experiment of a stage, which may be one already."""
    return stage.isel(experiment=at) if "experiment" in stage.dims else stage


def _draw(top: Axes, below: Axes, recovery: xr.Dataset, relaxation: xr.Dataset) -> None:
    kelvin = recovery["temperature"].item()
    where = f"{kelvin - ZERO_CELSIUS:.1f} °C" if np.isfinite(kelvin) else "T unknown"
    used, planned = int(np.isfinite(recovery["signal"]).sum()), int(recovery["rows_planned"])
    partial = f", {used}/{planned} rows" if used < planned else ""
    top.set_title(f"{named(recovery['experiment'].item())}, {where}{partial}", y=1.0)
    top.tick_params(axis="x", labelbottom=False)
    order = np.argsort(recovery["delay"].values)
    delay, signal, stderr = (recovery[key].values[order] for key in ("delay", "signal", "signal_stderr"))
    fit = relaxation["fit"].values[order] if "fit" in relaxation else np.full(signal.shape, np.nan)
    t1, known = relaxation["t1"].item(), np.isfinite(signal)
    full = relaxation["amplitude"].item() if np.isfinite(t1) else np.max(np.abs(signal), where=known, initial=0.0)
    if not known.any() or not full:
        empty(top, "no signal")
        full = 1.0
    top.errorbar(delay, signal / full, stderr / full, fmt="o", ms=2.6, lw=0.8, color=COLOURS[0])
    below.axhspan(-2, 2, color=GREY, alpha=0.15, lw=0)
    below.axhline(0, lw=0.6, color="black")
    z = (signal - fit) / stderr
    below.plot(delay, z, "o", ms=2.2, color=COLOURS[0])
    reach = max(3.5, 1.2 * np.max(np.abs(z), where=np.isfinite(z), initial=0.0))
    below.set_ylim(-reach, reach)
    below.minorticks_off()
    if reach < 8:
        below.set_yticks([-2, 0, 2])
    if (delay[known] > 0).all():
        log_axis(top, "x")
    else:
        top.set_xscale("symlog", linthresh=np.min(delay, where=delay > 0, initial=np.inf))
    _draw_fit(top, delay, fit / full)
    low, high = np.min(signal, where=known, initial=0.0) / full, np.max(signal, where=known, initial=0.0) / full
    top.set_ylim(min(-0.1, low - 0.12), max(1.15, high + 0.1))
    said = f"T1 = {with_error(t1, relaxation['t1_stderr'].item())} s" if np.isfinite(t1) else "no T1"
    top.text(0.04, 0.94, said, ha="left", va="top", transform=top.transAxes, fontsize=7)


def _align(*panels: Axes) -> None:
    """Labels of panels in one line, 0.36 inches left of them."""
    for axes in panels:
        width = axes.get_window_extent().width / root(axes).dpi
        axes.yaxis.set_label_coords(-0.36 / width, 0.5)


def _draw_fit(axes: Axes, delay: Array, fit: Array) -> None:
    """The fit, which is known at the delays, and between them a monotone curve through it."""
    at, first = np.unique(delay[np.isfinite(fit)], return_index=True)
    value = fit[np.isfinite(fit)][first]
    if at.size > 2 and at[0] > 0:
        fine = np.geomspace(at[0], at[-1], 200)
        value, at = PchipInterpolator(np.log(at), value)(np.log(fine)), fine
    axes.plot(at, value, lw=1.0, color="black")
