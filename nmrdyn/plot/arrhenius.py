"""What was measured against 1000/T, with the bands of the fitted laws where there are any."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from nmrdyn.plot.axes import arrhenius_axes, band, empty, legend, points
from nmrdyn.plot.figure import new_axes
from nmrdyn.plot.measured import series_of
from nmrdyn.plot.style import COLOURS, LINES, MARKERS, named, style
from nmrdyn.schema import InputError, require

# The stage that holds each quantity, and the words of its axis.
_HELD = {
    "t1": ("relaxation", "T1 / s"),
    "tau_c": ("motion", "correlation time / s"),
    "sigma_T": ("transport", "σT / (S K/m)"),
    "diffusion": ("diffusion", "diffusion coefficient / (m²/s)"),
}
_FAST_MARKERS = ("^", "v", "<", ">")


def arrhenius(
    stage: xr.Dataset | xr.DataTree, quantity: str | None = None, *, improbable: bool = True, ax: Axes | None = None
) -> Axes:
    """T1, tau_c, sigma T or a diffusion coefficient against 1000/T, with °C on top.

    Every point has its standard errors, of the temperature too; where an error is not known, the legend or the axis of
    °C says so. Arrows are limits. Of tau_c both branches of T1 are drawn, with their probability P in the legend; the
    points of a branch with P < 0.1 are hollow and pale. A posterior adds the median and the 68 and 95 % bands of the
    fitted law, and to T1 the T1 minimum, the shortest T1 that the mechanism allows; a T1 below it is in a black square.

    Parameters
    ----------
    stage : a posterior for all its processes, or the stage `relaxation`, `motion`, `transport` or `diffusion`
    quantity : of a posterior "t1", "tau_c", "sigma_T" or "diffusion"; a stage has one only, which need not be said
    improbable : whether to draw branches with P < 0.1, which are decades away from the others
    ax : axes to draw on, new ones unless said; what is drawn on the same axes next has other colours

    Raises
    ------
    InputError
        For another stage, or a quantity that it does not have.

    Examples
    --------
    >>> import nmrdyn as nd
    >>> truth = nd.ConductivityTruth(
    ...     activation_energy=0.5, conductivity=1e-4, reference_temperature=300.0, temperature=[300.0, 320.0, 340.0]
    ... )
    >>> axes = arrhenius(nd.simulate(truth, seed=1))
    >>> axes.get_xlabel(), axes.get_ylabel(), axes.containers[0].lines[0].get_xdata().round(2).tolist()
    ('1000 K / T', 'σT / (S K/m)', [3.33, 3.12, 2.94])
    """
    quantity, parts = _parts(stage, quantity)
    with style():
        axes = new_axes(ax, height=2.5)
        axes.set_ylabel(_HELD[quantity][1])
        shift = count = len(axes.containers)
        unknown = []
        for index, (name, node) in enumerate(parts, start=shift):
            for k, one in enumerate(series_of(quantity, node, name, improbable=improbable)):
                # Processes differ by colour; so do the series of a stage, but not the branches of one T1.
                hue = index if "prediction" in node or quantity == "tau_c" else index + k
                marker = _FAST_MARKERS[index % len(_FAST_MARKERS)] if one.fast else MARKERS[count % len(MARKERS)]
                points(axes, one, colour=COLOURS[hue % len(COLOURS)], marker=marker)
                unknown.append(np.isnan(one.kelvin_stderr[one.seen]).any())
                count += not one.fast
            if "prediction" in node:
                _law(axes, node["prediction"], quantity, index)
        if unknown:
            arrhenius_axes(axes, top=" (errors unknown)" if any(unknown) else "")
        else:
            empty(axes)
        if quantity == "t1":
            for index, (name, node) in enumerate(parts, start=shift):
                if "motion" in node:
                    _limits_of_t1(axes, node["motion"], named(name), index)
        legend(axes, own=ax is None)
    return axes


def _parts(
    stage: xr.Dataset | xr.DataTree, quantity: str | None
) -> tuple[str, list[tuple[str, dict[str, xr.Dataset]]]]:
    """The quantity, and of each process (or the one stage) its name and what is known of it."""
    kind = getattr(stage, "attrs", {}).get("stage", type(stage).__name__)
    if isinstance(stage, xr.DataTree):
        require(stage, "posterior")
        if quantity not in _HELD:
            raise InputError(f"arrhenius: needed a quantity among {', '.join(_HELD)}, found {quantity!r}; say one")
        held = _HELD[quantity][0]
        nodes = {str(name): process.children for name, process in stage["processes"].children.items()}
        return quantity, [
            (name, {str(key): child.dataset for key, child in children.items()} if held in children else {})
            for name, children in nodes.items()
        ]
    held_by = {holder: key for key, (holder, _) in _HELD.items()}
    if kind not in held_by:
        raise InputError(f"arrhenius: needed a posterior or the stage {', '.join(held_by)}, found '{kind}'; give one")
    require(stage, kind)
    if quantity not in (None, held_by[kind]):
        raise InputError(f"arrhenius: needed the quantity {held_by[kind]} of the stage {kind}, found {quantity!r}")
    return held_by[kind], [(str(stage.attrs.get("nucleus", "")), {kind: stage})]


def _law(axes: Axes, prediction: xr.Dataset, quantity: str, index: int) -> None:
    """The fitted law of a process: at every field for T1, else once."""
    kelvin = prediction["temperature"].values
    values = prediction["conductivity" if quantity == "sigma_T" else quantity].values
    for field in range(values.shape[1] if quantity == "t1" else 1):
        curves = values[:, field] * (kelvin if quantity == "sigma_T" else 1.0)
        band(axes, 1000 / kelvin, curves, colour=COLOURS[index % len(COLOURS)], line=LINES[index % len(LINES)])


def _limits_of_t1(axes: Axes, motion: xr.Dataset, name: str, index: int) -> None:
    """The T1 minimum at each field, in words where it lies far off; and T1 that are below it."""
    colour = COLOURS[index % len(COLOURS)]
    kelvin, low = motion["temperature"].values, ~motion["feasible"].values
    if "near_minimum" in motion:
        low = low & ~motion["near_minimum"].values  # noise alone may do that
    if "t1" in motion and (low & np.isfinite(motion["t1"].values)).any():
        axes.plot(
            1000 / kelvin[low], motion["t1"].values[low], "s", ms=8, mfc="none", mec="black",
            label=f"{name}: shorter than the mechanism allows",
        )  # fmt: skip
    if "t1_minimum" not in motion:
        return
    minimum, frequency = motion["t1_minimum"].values, motion["larmor_frequency"].values
    for field in np.unique(frequency[np.isfinite(minimum)]):
        at = np.flatnonzero((frequency == field) & np.isfinite(minimum))
        at = at[np.argsort(kelvin[at])]
        words = f"{name}: T1 minimum" + (f" at {field / 1e6:.1f} MHz" if np.unique(frequency).size > 1 else "")
        if np.median(minimum[at]) > axes.get_ylim()[0] / 5:
            axes.plot(1000 / kelvin[at], minimum[at], ls=":", marker="_", ms=5, color=colour, label=words)
        else:
            axes.plot([], [], " ", label=f"{words}, {_time(float(np.median(minimum[at])))}")


def _time(seconds: float) -> str:
    """Three digits in s, ms or µs."""
    factor, unit = next(((f, u) for f, u in ((1.0, "s"), (1e3, "ms")) if seconds * f >= 0.1), (1e6, "µs"))
    return f"{seconds * factor:.3g} {unit}"
