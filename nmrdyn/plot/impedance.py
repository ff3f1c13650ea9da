"""Impedance spectra in the complex plane, with their fits and resistances."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from nmrdyn.plot.style import COLOURS, GREY, named, style
from nmrdyn.schema import ZERO_CELSIUS, InputError, require

_PREFIXES = {-3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
_PARTS = (("bulk_resistance", "bulk", COLOURS[2]), ("grain_boundary_resistance", "grain boundaries", COLOURS[3]))
_SHOWN = 2.2  # width of the plot over the resistance: a tail goes on for ever


def nyquist(
    impedance: xr.Dataset, resistance: xr.Dataset, *, experiment: str | None = None, ax: Axes | None = None
) -> Axes:
    """One spectrum, its fit, and bars from intercept to intercept for the resistances with their standard errors.

    Both axes have one scale. Points at whole decades of the frequency are filled and labelled. Inductive points are
    below the axis; where there is no resistance, its limit is a dashed line. A tail that runs far beyond is cut.

    Parameters
    ----------
    impedance, resistance : what `read_impedance` and `fit_impedance` returned
    experiment : which spectrum, the only one unless said
    ax : axes to draw on, new ones unless said

    Raises
    ------
    InputError
        Where there is no such spectrum, or several and none is named.
    """
    require(impedance, "impedance")
    require(resistance, "resistance")
    names = [name for name in impedance["experiment"].values.tolist() if name in resistance["experiment"].values]
    if (len(names) != 1) if experiment is None else (experiment not in names):
        raise InputError(
            f"nyquist: needed one spectrum of {', '.join(names[:20])}, found {experiment!r}; say experiment="
        )
    name = names[0] if experiment is None else experiment
    with style():
        axes = ax if ax is not None else Figure(figsize=(4.2, 3.6), layout="constrained").subplots()
        _draw(axes, impedance.sel(experiment=name), resistance.sel(experiment=name), name)
    return axes


def nyquist_grid(impedance: xr.Dataset, resistance: xr.Dataset) -> Figure:
    """All spectra, each as `nyquist` draws it."""
    require(impedance, "impedance")
    n = impedance.sizes["experiment"]
    columns = min(3, n)
    rows = -(-n // columns)
    with style():
        figure = Figure(figsize=(3.7 * columns, 3.1 * rows), layout="constrained")
        for i, name in enumerate(impedance["experiment"].values.tolist()):
            nyquist(impedance, resistance, experiment=name, ax=figure.add_subplot(rows, columns, i + 1))
    return figure


def _draw(axes: Axes, spectrum: xr.Dataset, resistance: xr.Dataset, name: str) -> None:
    frequency = spectrum["frequency"].values
    real, imaginary = spectrum["impedance_real"].values, -spectrum["impedance_imaginary"].values
    total, stderr = resistance["resistance"].item(), resistance["resistance_stderr"].item()
    # The scale is that of the resistance, or of the limit where there is one.
    limits = {key: resistance[key].item() for key in ("resistance_low", "resistance_high") if key in resistance}
    known = [value for value in (total, *limits.values()) if np.isfinite(value) and value > 0]
    width = min(_SHOWN * known[0], 1.05 * np.nanmax(real)) if known else 1.05 * np.nanmax(real)
    power = int(np.clip(3 * math.floor(math.log10(width) / 3), -3, 12))
    unit = f"{_PREFIXES[power]}Ω"
    scale = 10.0**power
    axes.axhline(0, lw=0.6, color="black")
    axes.plot(real / scale, imaginary / scale, "o", ms=3, mfc="none", mew=0.8, color=COLOURS[0])
    if "fit_real" in resistance:
        axes.plot(resistance["fit_real"] / scale, -resistance["fit_imaginary"] / scale, lw=1.0, color="black")
    inside = real <= width
    height = max(np.max(np.where(inside & (imaginary <= 0.75 * width), imaginary, 0.0)), 0.3 * width)
    _label_decades(axes, frequency, real / scale, imaginary / scale, frame=(width / scale, height / scale))
    depth = _bars(axes, resistance, total, stderr, scale=scale, unit=unit, step=0.11 * width / scale)
    for key, value in limits.items():
        if np.isnan(total) and np.isfinite(value) and value > 0:
            axes.axvline(value / scale, ls="--", lw=0.9, color=GREY)
            sign = ">" if key == "resistance_low" else "<"
            axes.annotate(
                f"R {sign} {value / scale:.3g} {unit}", (value / scale, 0.97), xycoords=("data", "axes fraction"),
                xytext=(-3, 0), textcoords="offset points", ha="right", va="top", fontsize=7,
            )  # fmt: skip
    lowest = np.min(np.where(inside, imaginary, 0.0)) / scale
    axes.set_xlim(min(0.0, np.nanmin(real) / scale) - 0.03 * width / scale, width / scale)
    axes.set_ylim(min(-depth, 1.2 * lowest), 1.15 * height / scale)
    axes.set_aspect("equal", adjustable="box")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    ticks = MaxNLocator(5).tick_values(1.2 * lowest, 1.15 * height / scale)
    axes.set_yticks([tick for tick in ticks if min(0.0, 1.2 * lowest) <= tick <= 1.15 * height / scale])
    axes.set_xlabel(f"Z' / {unit}")
    axes.set_ylabel(f"−Z'' / {unit}")
    kelvin = spectrum["temperature"].item()
    where = f" · {kelvin - ZERO_CELSIUS:.1f} °C" if np.isfinite(kelvin) else ""
    axes.set_title(f"{named(name)}{where}", pad=4)


def _label_decades(axes: Axes, frequency: Any, real: Any, imaginary: Any, *, frame: tuple[float, float]) -> None:
    """Fill and label the points that are nearest to whole decades, unless a label would lie on the one before."""
    labelled: list[tuple[float, float]] = []
    finite = frequency[np.isfinite(frequency)]
    for decade in range(math.ceil(math.log10(finite.min()) - 0.1), math.floor(math.log10(finite.max()) + 0.1) + 1):
        at = int(np.nanargmin(np.abs(np.log10(frequency) - decade)))
        point = (real[at], imaginary[at])
        if abs(math.log10(frequency[at]) - decade) > 0.2 or not (0 <= point[0] <= frame[0] and point[1] <= frame[1]):
            continue
        axes.plot(*point, "o", ms=3.4, color=COLOURS[0])
        if all(math.dist(point, other) > 0.17 * frame[0] for other in labelled):
            axes.annotate(
                f"$10^{{{decade}}}$ Hz", point, xytext=(0, 6), textcoords="offset points", ha="center", fontsize=7,
                zorder=5, path_effects=[withStroke(linewidth=2.5, foreground="white")],
            )  # fmt: skip
            labelled.append(point)


def _bars(
    axes: Axes, resistance: xr.Dataset, total: float, stderr: float, *, scale: float, unit: str, step: float
) -> float:
    """Bars below the axis for each resistance, with caps at their errors; how far down they reach."""
    start, level = 0.0, step
    shown = [(resistance[key].item(), resistance[f"{key}_stderr"].item(), word, colour) for key, word, colour in _PARTS
             if key in resistance and np.isfinite(resistance[key].item())]  # fmt: skip
    if np.isfinite(total) and len(shown) != 1:
        shown.append((total, stderr, "total", "black"))
    for value, error, word, colour in shown:
        left = 0.0 if word == "total" else start
        axes.errorbar((left + value) / scale, -level, xerr=error / scale, capsize=3, color=colour, lw=1.2)
        axes.plot([left / scale, (left + value) / scale], [-level, -level], lw=2.2, color=colour, solid_capstyle="butt")
        words = f"{word} {_said(value / scale, error / scale)} {unit}"
        axes.text(left / scale, -level - 0.15 * step, words, ha="left", va="top", fontsize=7, color=colour)
        start, level = start + value, level + step
    return level


def _said(value: float, error: float) -> str:
    """Value and standard error with two digits of the error."""
    digits = max(0, 1 - math.floor(math.log10(error))) if error > 0 else 3
    return f"{value:.{digits}f} ± {error:.{digits}f}"
