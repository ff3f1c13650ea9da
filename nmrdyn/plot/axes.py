"""What axes of several figures share: 1000/T with °C on top, logarithmic ticks, points with errors, bands, legends."""

from __future__ import annotations

import math
import textwrap
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.axes._secondary_axes import SecondaryAxis
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import (
    AutoLocator,
    Formatter,
    FuncFormatter,
    Locator,
    LogFormatterSciNotation,
    LogLocator,
    NullFormatter,
    NullLocator,
    ScalarFormatter,
)
from matplotlib.transforms import ScaledTranslation

from nmrdyn.plot.figure import root
from nmrdyn.plot.measured import Series
from nmrdyn.plot.style import GREY
from nmrdyn.schema import ZERO_CELSIUS, Array

_TICK_ROOM = 27.0  # points that a label of °C needs
_BELOW = 25.0  # points that the labels of the axis below need
_LABEL_LETTERS = 54  # of a legend in one column


def celsius(inverse: npt.ArrayLike) -> Array:
    """°C of 1000 K / T.

    >>> float(celsius(1000 / 300).round(2))
    26.85
    """
    return 1000.0 / np.maximum(np.asarray(inverse), 1e-6) - ZERO_CELSIUS


def inverse(celsius: npt.ArrayLike) -> Array:
    """1000 K / T of °C.

    >>> float(inverse(26.85).round(4))
    3.3333
    """
    return 1000.0 / np.maximum(np.asarray(celsius) + ZERO_CELSIUS, 1e-3)


def celsius_ticks(low: float, high: float, *, room: float) -> list[float]:
    """Round temperatures between two, of which no two are nearer than `room`, a share of the axis over 1/T.

    >>> celsius_ticks(24.8, 30.2, room=0.12)
    [25.0, 26.0, 27.0, 28.0, 29.0, 30.0]
    >>> celsius_ticks(-173.0, 827.0, room=0.12)
    [-150.0, -100.0, 0.0, 120.0, 500.0]
    """
    low, high = max(low, 10 - ZERO_CELSIUS), min(high, 2e4)
    if not high - low > 1e-6:
        return []
    start, length = inverse(high), inverse(low) - inverse(high)

    def place(temperature: float) -> float:
        return float((inverse(temperature) - start) / length)

    steps = [m * 10.0**e for e in range(4, -7, -1) for m in (5, 2, 1)]
    even: list[float] = []
    taken: list[float] = []
    for step in steps:
        if len(taken) > 1 and high - low > 200 * step:
            break  # finer ones are no longer round
        ticks = [step * k for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
        if len(ticks) > 1 and min(abs(np.diff([place(tick) for tick in ticks]))) >= room:
            even = ticks
        elif len(even) > 3:
            return even
        # Over a wide range even steps crowd at the hot end: there the next finer step goes where there is room.
        for tick in ticks:
            if len(taken) < 5 and all(abs(place(tick) - place(other)) >= room for other in taken):
                taken.append(tick)
        if len(taken) >= 5:
            break
    return even if len(even) >= len(taken) else sorted(taken)


class _Celsius(Locator):
    """Ticks of the axis of °C above `below`."""

    def __init__(self, below: Axes) -> None:
        self.below = below

    def __call__(self) -> list[float]:
        low, high = sorted(celsius(self.below.get_xlim()))
        return self.tick_values(low, high)

    def tick_values(self, vmin: float, vmax: float) -> list[float]:
        width = self.below.get_window_extent().width / root(self.below).dpi * 72
        return celsius_ticks(vmin, vmax, room=_TICK_ROOM / max(width, 1.0))


def arrhenius_axes(axes: Axes, *, remark: str = "", top: str = "") -> None:
    """A logarithmic axis over 1000/T, with °C on top; what is drawn stands on the axes already."""
    log_axis(axes, "y")
    axes.set_xlabel(f"1000 K / T{remark}")
    if not any(isinstance(child, SecondaryAxis) for child in axes.child_axes):
        axes.tick_params(axis="x", which="both", top=False)
        above = axes.secondary_xaxis("top", functions=(celsius, inverse))
        above.xaxis.set_major_locator(_Celsius(axes))
        above.xaxis.set_minor_locator(NullLocator())
        above.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{round(value, 6):g}".replace("-", "−")))
        above.set_xlabel(f"T / °C{top}")


def log_axis(axes: Axes, which: str) -> None:
    """A logarithmic axis whose ticks are readable over a tenth of a decade and over twenty."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    (axes.set_yscale if which == "y" else axes.set_xscale)("log")
    low, high = sorted(axis.get_view_interval())
    decades = math.log10(high / low) if low > 0 else 1.0
    formatter: Formatter
    if decades < 0.7:
        axis.set_major_locator(AutoLocator())
        axis.set_minor_locator(NullLocator())
        formatter = ScalarFormatter(useOffset=False)
        formatter.set_powerlimits((-3, 4))
    else:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades < 1.7 else (1.0,)))
        axis.set_minor_locator(LogLocator(subs="auto" if decades >= 1.7 else range(1, 10)))
        plain = low >= 1e-3 and high <= 1e4 and decades < 4.5
        formatter = FuncFormatter(lambda value, _: f"{value:.6g}") if plain else _Powers()
    axis.set_major_formatter(formatter)
    axis.set_minor_formatter(NullFormatter())


class _Powers(LogFormatterSciNotation):
    """2×10⁻⁵, at every tick that the locator made."""

    def __init__(self) -> None:
        super().__init__(minor_thresholds=(np.inf, np.inf))


def empty(axes: Axes, words: str = "no values") -> None:
    """Say that there is nothing to be seen."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(0.5, 0.5, words, ha="center", va="center", transform=axes.transAxes, color=GREY)


def legend(axes: Axes, *, own: bool, columns: int | None = None) -> None:
    """A legend below the axes, where it covers nothing, if their figure makes room for it; else where most room is.

    A figure that is our `own` becomes higher by it.
    """
    handles, labels = axes.get_legend_handles_labels()
    if not handles:
        return
    # Words without a line or point, such as the T1 minimum, come last.
    order = sorted(range(len(handles)), key=lambda k: getattr(handles[k], "get_linestyle", lambda: "-")() == "None")
    handles = [handles[k] for k in order]
    labels = [textwrap.fill(labels[k], _LABEL_LETTERS) for k in order]
    whole = root(axes)
    if not isinstance(whole.get_layout_engine(), ConstrainedLayoutEngine):
        axes.legend(handles, labels)
        return
    if columns is None:
        columns = 2 if len(labels) > 1 and max(map(len, labels)) <= _LABEL_LETTERS // 2 else 1
    below = axes.transAxes + ScaledTranslation(0, -_BELOW / 72, whole.dpi_scale_trans)
    axes.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, 0.0), bbox_transform=below, ncols=columns)
    if own:
        rows = math.ceil(sum(label.count("\n") + 1 for label in labels) / columns)
        whole.set_figheight(whole.get_figheight() + 0.145 * rows)


def band(axes: Axes, x: Array, quantiles: Array, *, colour: str, line: Any = "-", label: str = "") -> None:
    """A median with its 68 and 95 % bands; `quantiles` are (5, x): 2.5, 16, 50, 84 and 97.5 %."""
    low95, low68, median, high68, high95 = quantiles
    axes.fill_between(x, low95, high95, color=colour, alpha=0.15, lw=0)
    axes.fill_between(x, low68, high68, color=colour, alpha=0.25, lw=0)
    axes.plot(x, median, lw=0.9, ls=line, color=colour, label=label)


def points(axes: Axes, series: Series, *, colour: str, marker: str) -> None:
    """Points against 1000/T with the errors of both, hollow and pale where improbable, and arrows for limits."""
    with np.errstate(invalid="ignore"):
        x, dx = 1000 / series.kelvin, 1000 * np.nan_to_num(series.kelvin_stderr) / series.kelvin**2
    label = series.label
    known = np.isfinite(series.value)
    lost = known & ~np.isfinite(series.stderr)
    if lost.any():
        what = "errors unknown" if lost.sum() == known.sum() else f"{lost.sum()} of {known.sum()} errors unknown"
        label = f"{label} ({what})" if label else what
    for pale in (False, True):
        here = series.pale == pale
        if known[here].any():
            axes.errorbar(
                x, np.where(here, series.value, np.nan), np.nan_to_num(series.stderr), dx, marker, lw=0.8,
                color=colour, alpha=0.45 if pale else None, mfc="none" if pale else colour, label=label, zorder=3,
            )  # fmt: skip
            label = "_"
    _arrows(axes, x, dx, series, colour=colour, marker=marker)
    if not known.any():
        axes.plot([], [], marker, color=colour, mfc="none", label=f"{label} (limits)" if label else "limits")


def _arrows(axes: Axes, x: Array, dx: Array, series: Series, *, colour: str, marker: str) -> None:
    """Arrows from limits to where the value may lie; a bar between two limits of the same experiment."""
    low, high = series.low, series.high
    both = np.isfinite(low) & np.isfinite(high)
    for at, down in ((np.isfinite(low) & ~both, False), (np.isfinite(high) & ~both, True)):
        start = np.where(np.isfinite(series.value), series.value, high if down else low)[at]
        if start.size:
            axes.errorbar(
                x[at], start, start * (0.4 if down else 0.65), dx[at], "none", uplims=down, lolims=not down,
                lw=0.8, color=colour, zorder=3,
            )  # fmt: skip
    if both.any():
        middle = (low + high)[both] / 2
        axes.errorbar(x[both], middle, (high - low)[both] / 2, dx[both], "none", capsize=2, lw=0.8, color=colour)
