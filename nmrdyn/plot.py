"""Everything drawn. The only file that imports matplotlib; each function takes a stage and returns what it drew on.

Longer than other files, since one function a figure, with shared colours and style, is best read in one place.
"""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from nmrdyn.schema import ZERO_CELSIUS, Array, InputError, require

# Okabe and Ito's colours, told apart by the colour-blind; in the order of the processes.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_GREY = "#6b6b6b"
_STYLE: dict[Any, Any] = {
    "font.size": 9.0,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.titlesize": 9.0,
    "axes.titleweight": "bold",
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "xtick.direction": "out",
    "figure.dpi": 110,
    "svg.fonttype": "path",
    "svg.hashsalt": "nmrdyn",
}


@contextmanager
def style() -> Iterator[None]:
    """The style sheet of all figures, for drawing one's own beside them."""
    with mpl.rc_context(_STYLE):
        yield


def svg(figure: Figure) -> bytes:
    """A figure as an SVG file; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    return buffer.getvalue()


def recoveries(recovery: xr.Dataset, relaxation: xr.Dataset) -> Figure:
    """Every recovery with its fit, and the residuals in standard errors below it."""
    require(recovery, "recovery")
    require(relaxation, "relaxation")
    n = recovery.sizes["experiment"]
    columns = min(5, n)
    rows = -(-n // columns)
    with style():
        figure = Figure(figsize=(2.0 * columns + 0.4, 2.1 * rows))
        grid = figure.add_gridspec(rows, columns, wspace=0.12, hspace=0.42)
        for i in range(n):
            cell = grid[i // columns, i % columns].subgridspec(2, 1, height_ratios=(3, 1), hspace=0.06)
            top = figure.add_subplot(cell[0])
            bottom = figure.add_subplot(cell[1], sharex=top)
            _one_recovery(top, bottom, recovery.isel(experiment=i), relaxation.isel(experiment=i))
            if i % columns:
                top.tick_params(labelleft=False)
                bottom.tick_params(labelleft=False)
            else:
                bottom.set_ylabel("z")
            if i // columns == rows - 1:
                bottom.set_xlabel("delay / s")
        figure.supylabel("intensity / full recovery", fontsize=9, x=0.0, ha="right")
    return figure


def _one_recovery(top: Axes, bottom: Axes, recovery: xr.Dataset, relaxation: xr.Dataset) -> None:
    kelvin = recovery["temperature"].item()
    where = f"{kelvin - ZERO_CELSIUS:.1f} °C" if np.isfinite(kelvin) else "T unknown"
    used, planned = int(np.isfinite(recovery["signal"]).sum()), int(recovery["rows_planned"])
    partial = f" · {used}/{planned} rows" if used < planned else ""
    top.set_title(f"{recovery['experiment'].item()} · {where}{partial}", pad=3)
    top.tick_params(labelbottom=False)
    if np.isnan(relaxation["t1"].item()):
        top.text(0.5, 0.5, "no T1", ha="center", va="center", transform=top.transAxes, color=_GREY)
        return
    amplitude = relaxation["amplitude"].item()
    delay, signal = recovery["delay"].values, recovery["signal"].values
    stderr, fit = recovery["signal_stderr"].values, relaxation["fit"].values
    order = np.argsort(delay)
    top.errorbar(delay, signal / amplitude, stderr / amplitude, fmt="o", ms=2.6, lw=0.8, color=COLOURS[0])
    top.plot(delay[order], fit[order] / amplitude, lw=1.0, color="black")
    top.set_xscale("log")
    top.set_ylim(min(-0.15, np.nanmin(signal / amplitude) - 0.1), 1.25)
    z = (signal - fit) / stderr
    bottom.axhline(0, lw=0.6, color="black")
    bottom.plot(delay, z, "o", ms=2.2, color=COLOURS[0])
    reach = max(3.5, 1.15 * np.nanmax(np.abs(z)))
    bottom.set_ylim(-reach, reach)


def arrhenius(posterior: xr.DataTree, quantity: str, *, ax: Axes | None = None) -> Axes:
    """One quantity of all processes that have it against 1000/T, with 68 and 95 % bands of the fitted law.

    Parameters
    ----------
    posterior : what `infer` returned
    quantity : "t1", "tau_c" or "sigma_T"
    ax : axes to draw on, new ones unless said
    """
    require(posterior, "posterior")
    draw = {"t1": _draw_t1, "tau_c": _draw_tau, "sigma_T": _draw_sigma}
    if quantity not in draw:
        raise InputError(f"arrhenius: needed a quantity among {', '.join(draw)}, found {quantity!r}")
    with style():
        axes = ax if ax is not None else Figure(figsize=(4.6, 3.6)).subplots()
        for index, (name, process) in enumerate(posterior["processes"].children.items()):
            draw[quantity](axes, process, name, COLOURS[index % len(COLOURS)])
        axes.set_yscale("log")
        axes.yaxis.set_minor_locator(LogLocator(subs="auto"))
        axes.set_xlabel("1000 K / T")
        top = axes.secondary_xaxis("top", functions=(_celsius, _inverse))
        top.set_xlabel("T / °C")
        top.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
        axes.legend()
    return axes


def _celsius(inverse: npt.ArrayLike) -> Array:
    return 1000.0 / np.maximum(np.asarray(inverse), 1e-6) - ZERO_CELSIUS


def _inverse(celsius: npt.ArrayLike) -> Array:
    return 1000.0 / np.maximum(np.asarray(celsius) + ZERO_CELSIUS, 1e-3)


def _band(axes: Axes, prediction: xr.Dataset, quantity: str, colour: str, scale: Array | float = 1.0) -> None:
    x = 1000 / prediction["temperature"].values
    for field in range(prediction.sizes["field"]):
        low95, low68, median, high68, high95 = prediction[quantity].values[:, field] * scale
        axes.fill_between(x, low95, high95, color=colour, alpha=0.15, lw=0)
        axes.fill_between(x, low68, high68, color=colour, alpha=0.25, lw=0)
        axes.plot(x, median, lw=0.9, color=colour)


def _horizontal_error(data: xr.Dataset) -> Array:
    kelvin = data["temperature"].values
    return 1000 * np.nan_to_num(data["temperature_stderr"].values) / kelvin**2


def _draw_t1(axes: Axes, process: xr.DataTree, name: str, colour: str) -> None:
    axes.set_ylabel("T1 / s")
    if "relaxation" not in process:
        return
    data = process["relaxation"].dataset
    _band(axes, process["prediction"].dataset, "t1", colour)
    fields = process["prediction"].dataset["larmor_frequency"].values
    for marker, field in zip(itertools.cycle("os^Dv"), fields, strict=False):
        one = data.isel(experiment=np.flatnonzero(data["larmor_frequency"].values == field))
        label = name if fields.size == 1 else f"{name}, {field / 1e6:.1f} MHz"
        axes.errorbar(
            1000 / one["temperature"], one["t1"], one["t1_stderr"], _horizontal_error(one), marker, ms=3.5, lw=0.9,
            color=colour, label=label,
        )  # fmt: skip
    motion = process["motion"].dataset
    low = ~motion["feasible"].values & np.isfinite(data["t1"].values)
    if low.any():
        axes.plot(
            (1000 / data["temperature"]).values[low], data["t1"].values[low], "s", ms=8, mfc="none", color="black",
            label="shorter than the mechanism allows",
        )  # fmt: skip


def _draw_tau(axes: Axes, process: xr.DataTree, name: str, colour: str) -> None:
    axes.set_ylabel("correlation time / s")
    if "motion" not in process:
        return
    data = process["motion"].dataset
    _band(axes, process["prediction"].dataset.isel(field=[0]), "tau_c", colour)  # which no field changes
    weight = (
        data["branch_probability"].values if "branch_probability" in data else np.full((len(data.experiment), 2), 0.5)
    )
    for k, branch in enumerate(data["branch"].values):
        likely = bool(np.nanmean(weight[:, k]) > 0.5)
        label = f"{name}, {branch}" if data.sizes["branch"] > 1 else name
        axes.errorbar(
            1000 / data["temperature"], data["tau_c"][:, k], data["tau_c_stderr"][:, k], _horizontal_error(data),
            "^" if branch == "fast" else "o", ms=3.5, lw=0.9, color=colour, alpha=1.0 if likely else 0.35,
            mfc=colour if likely else "none", label=label + ("" if likely else " (improbable)"),
        )  # fmt: skip


def _draw_sigma(axes: Axes, process: xr.DataTree, name: str, colour: str) -> None:
    axes.set_ylabel("σT / (S K/m)")
    if "transport" not in process:
        return
    data, prediction = process["transport"].dataset, process["prediction"].dataset
    kelvin = data["temperature"]
    _band(axes, prediction, "conductivity", colour, prediction["temperature"].values)
    axes.errorbar(
        1000 / kelvin, data["conductivity"] * kelvin, np.nan_to_num(data["conductivity_stderr"]) * kelvin,
        _horizontal_error(data), "o", ms=3.5, lw=0.9, color=colour, label=name,
    )  # fmt: skip


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
            _density(axes, draws, len(names) - 1 - index, COLOURS[index % len(COLOURS)] if fits else _GREY)
            labels.append(str(name) if fits else f"{name}\n(law does not fit)")
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
        axes.axvspan(-margin, margin, color=_GREY, alpha=0.15, lw=0)
        axes.axvline(0, color=_GREY, lw=0.8)
        for index, pair in enumerate(pairs):
            draws = 1e3 * comparison["difference"].sel(pair=pair).values
            _density(axes, draws, len(pairs) - 1 - index, "#333333")
        labels = [f"{p}\n{v}" for p, v in zip(pairs, comparison["verdict"].values, strict=True)]
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


# To be pasted into nmrdyn/plot.py (imports there: np, xr, Axes, Figure, COLOURS, _GREY, style, require; all present).

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
            colour = _GREY if name == "rest" else COLOURS[index % len(COLOURS)]
            left = np.where(share[:, k] < 0, 0.0, end)
            said = _SOURCES.get(name, name)
            axes.barh(level, 100 * share[:, k], left=100 * left, height=0.62, color=colour, label=said)
            end += np.maximum(share[:, k], 0.0)
        for at, reach, variance in zip(level, end, table["total"].values, strict=True):
            axes.text(100 * reach + 1.5, at, f"{1e3 * np.sqrt(variance):.1f} meV", va="center")
        axes.axvline(0, lw=0.8, color="black")
        axes.set_yticks(level, table["quantity"].values)
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
        axes.axhspan(1 / 3, 3, color=_GREY, alpha=0.15, lw=0)
        axes.axhline(1, lw=0.8, color=_GREY)
        for index, pair in enumerate(comparison["pair"].values):
            factor = comparison["bayes_factor"].sel(pair=pair).values
            if np.isfinite(factor).any():
                axes.plot(width, factor, lw=1.2, color=COLOURS[index % len(COLOURS)], label=str(pair))
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("sd of the difference, if there is one / meV")
        axes.set_ylabel("Bayes factor of no difference")
        if axes.get_lines()[1:]:
            axes.legend()
    return axes


def t1_distribution(distribution: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """The distribution of T1 of each experiment with its band and its peaks; grey is past the delays of all."""
    require(distribution, "distribution")
    t1, reached = distribution["t1"].values, distribution["reached"].values.any(axis=0)
    with style():
        axes = ax if ax is not None else Figure(figsize=(4.6, 3.4)).subplots()
        for index, name in enumerate(distribution["experiment"].values):
            one = distribution.isel(experiment=index)
            if one["reason"].item():
                continue
            colour = COLOURS[index % len(COLOURS)]
            axes.fill_between(t1, *one["band"].values.T, color=colour, alpha=0.2, lw=0)
            axes.plot(t1, one["distribution"], lw=1.2, color=colour, label=str(name))
            axes.plot(one["peak_t1"], np.interp(one["peak_t1"], t1, one["distribution"]), "v", ms=4, color=colour)
        if reached.any():
            for start, stop in ((t1[0], t1[reached][0]), (t1[reached][-1], t1[-1])):
                axes.axvspan(start, stop, color=_GREY, alpha=0.15, lw=0)
        axes.set_xscale("log")
        axes.set_xlim(t1[0], t1[-1])
        axes.set_ylim(bottom=0)
        axes.set_xlabel("T1 / s")
        axes.set_ylabel("density of ln T1")
        if axes.get_lines():
            axes.legend()
    return axes
