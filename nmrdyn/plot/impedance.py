"""Impedance spectra in the complex plane, with their fits and resistances."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nmrdyn.plot.axes import empty
from nmrdyn.plot.figure import new_axes, new_figure, root
from nmrdyn.plot.style import COLOURS, DOUBLE, GREY, SINGLE, named, style
from nmrdyn.rounding import with_error
from nmrdyn.schema import ZERO_CELSIUS, Array, InputError, require

_PREFIXES = {-3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
_PARTS = (("bulk_resistance", "bulk", COLOURS[2]), ("grain_boundary_resistance", "grain boundaries", COLOURS[3]))
# Points of print: half of a label of a frequency, where one may stand beside its point, and a letter.
_LABEL = np.array([13.0, 5.0])
_BESIDE = ((0, 9), (-15, 7), (15, 7), (-18, 0), (18, 0), (0, -9))
_LETTER = 3.9
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
        axes = new_axes(ax, height=2.6)
        _draw(axes, impedance.sel(experiment=name), resistance.sel(experiment=name), name)
    return axes


def nyquist_grid(impedance: xr.Dataset, resistance: xr.Dataset, *, figure: Any = None) -> Figure:
    """All spectra, each as `nyquist` draws it.

    Parameters
    ----------
    impedance, resistance : what `read_impedance` and `fit_impedance` returned
    figure : a figure, or part of one, to draw in; a new one unless said, as high as it has to be
    """
    require(impedance, "impedance")
    n = impedance.sizes["experiment"]
    columns = max(1, min(2, n))
    rows = max(1, -(-n // columns))
    with style():
        width = DOUBLE if columns > 1 else SINGLE
        whole = new_figure(figure, width=width, height=rows * (0.78 * width / columns + 0.5))
        if not n:
            empty(whole.add_subplot(), "no spectra")
        for i, name in enumerate(impedance["experiment"].values.tolist()):
            nyquist(impedance, resistance, experiment=name, ax=whole.add_subplot(rows, columns, i + 1))
    return whole


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
    left = min(0.0, np.nanmin(real)) - 0.03 * width
    point = (width - left) / scale / (axes.get_window_extent().width / root(axes).dpi * 72)  # of print, on either axis
    depth = _bars(axes, resistance, total, stderr, scale=scale, unit=unit, point=point, right=width / scale)
    for key, value in limits.items():
        if np.isnan(total) and np.isfinite(value) and value > 0:
            axes.axvline(value / scale, ls="--", lw=0.9, color=GREY)
            sign = ">" if key == "resistance_low" else "<"
            axes.annotate(
                f"R {sign} {value / scale:.3g} {unit}", (value / scale, 0.97), xycoords=("data", "axes fraction"),
                xytext=(-3, 0), textcoords="offset points", ha="right", va="top", fontsize=7,
            )  # fmt: skip
    lowest = np.min(np.where(inside, imaginary, 0.0)) / scale
    axes.set_xlim(left / scale, width / scale)
    axes.set_ylim(min(-depth, 1.2 * lowest), 1.15 * height / scale)
    axes.set_aspect("equal", adjustable="box")
    axes.minorticks_off()
    axes.xaxis.set_major_locator(MaxNLocator(4))
    ticks = MaxNLocator(4).tick_values(1.2 * lowest, 1.15 * height / scale)
    axes.set_yticks([tick for tick in ticks if min(0.0, 1.2 * lowest) <= tick <= 1.15 * height / scale])
    axes.set_xlabel(f"Z' / {unit}")
    axes.set_ylabel(f"−Z'' / {unit}")
    kelvin = spectrum["temperature"].item()
    where = f" · {kelvin - ZERO_CELSIUS:.1f} °C" if np.isfinite(kelvin) else ""
    axes.set_title(f"{named(name)}{where}")
    _label_decades(axes, frequency, real / scale, imaginary / scale, point=point)


def _label_decades(axes: Axes, frequency: Array, real: Array, imaginary: Array, *, point: float) -> None:
    """Fill the points that are nearest to whole decades, and label them where there is room."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    spectrum = np.stack([real, imaginary], axis=1) / point
    taken = [spectrum[np.isfinite(spectrum).all(axis=1)]]
    finite = frequency[np.isfinite(frequency)]
    for decade in range(math.ceil(math.log10(finite.min()) - 0.1), math.floor(math.log10(finite.max()) + 0.1) + 1):
        at = int(np.nanargmin(np.abs(np.log10(frequency) - decade)))
        x, y = real[at], imaginary[at]
        if abs(math.log10(frequency[at]) - decade) > 0.2 or not (left <= x <= right and bottom <= y <= top):
            continue
        axes.plot(x, y, "o", ms=3.4, color=COLOURS[0])
        for dx, dy in _BESIDE:
            middle = np.array([x / point + dx, y / point + dy])
            room = _LABEL if dy else _LABEL * [1.0, 0.8]
            clear = all((np.abs(other - middle) > room).any(axis=1).all() for other in taken)
            low, high = (middle - _LABEL) * point, (middle + _LABEL) * point
            if clear and low[0] > left and high[0] < right and low[1] > 0 and high[1] < top:
                at_x, at_y = middle * point
                axes.text(at_x, at_y, f"$10^{{{decade}}}$ Hz", ha="center", va="center", fontsize=6)
                # Other labels keep off it, which are as large.
                taken += [middle + _LABEL * np.linspace(-1, 1, 5)[:, None] * [1, 0] + [0, y] for y in (-5, 0, 5)]
                break


def _bars(
    axes: Axes,
    resistance: xr.Dataset,
    total: float,
    stderr: float,
    *,
    scale: float,
    unit: str,
    point: float,
    right: float,
) -> float:
    """Bars below the axis for each resistance, with caps at their errors; how far down they reach."""
    start, level = 0.0, 9 * point
    shown = [(resistance[key].item(), resistance[f"{key}_stderr"].item(), word, colour) for key, word, colour in _PARTS
             if key in resistance and np.isfinite(resistance[key].item())]  # fmt: skip
    if np.isfinite(total) and len(shown) != 1:
        shown.append((total, stderr, "total", "black"))
    for value, error, word, colour in shown:
        left = 0.0 if word == "total" else start
        axes.errorbar((left + value) / scale, -level, xerr=error / scale, capsize=2.5, color=colour, lw=1.0)
        axes.plot([left / scale, (left + value) / scale], [-level, -level], lw=2.0, color=colour, solid_capstyle="butt")
        words = f"{word} {with_error(value / scale, error / scale)} {unit}"
        if not np.isfinite(error):
            words += " (error unknown)"
        at = max(0.0, min(left / scale, right - _LETTER * len(words) * point))
        axes.text(at, -level - 2.5 * point, words, ha="left", va="top", fontsize=6.5, color=colour)
        start, level = start + value, level + 17 * point
    return level
