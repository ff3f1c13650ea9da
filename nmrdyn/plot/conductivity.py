"""Conductivities against 1000/T with their straight lines, and against the concentration of vacancies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from scipy import stats

from nmrdyn.plot.axes import arrhenius_axes, legend, log_axis, points
from nmrdyn.plot.figure import new_axes
from nmrdyn.plot.measured import series_of
from nmrdyn.plot.style import COLOURS, GREY, MARKERS, named, style
from nmrdyn.schema import BOLTZMANN_EV, require


def conductivity_lines(transport: xr.Dataset, lines: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """sigma T against 1000/T with the line of each sample, direction and phase, and the 95 % band of each line.

    The legend gives the barrier of sigma T with its standard error. A line that does not describe its points is dashed
    and has no band.

    Parameters
    ----------
    transport : the conductivities
    lines : what `straight_lines` made of them
    ax : axes to draw on, new ones unless said
    """
    require(transport, "transport")
    require(lines, "lines")
    with style():
        axes = new_axes(ax, height=2.5)
        axes.set_ylabel("σT / (S K/m)")
        for index in range(lines.sizes["line"]):
            line = lines.isel(line=index)
            rows = _rows(transport, line)
            colour = COLOURS[index % len(COLOURS)]
            names = [str(line[name].item()) for name in ("sample", "direction", "phase")]
            label = named(", ".join([*filter(None, names), _barrier(line)]))
            for one in series_of("sigma_T", {"transport": rows}, ""):
                points(axes, replace(one, label=label), colour=colour, marker=MARKERS[index % len(MARKERS)])
            if np.isfinite(line["rms"].values[0]):
                _draw_line(axes, rows, line.sel(convention="sigma_T"), colour)
        limits = transport.isel(experiment=np.flatnonzero(np.isnan(transport["conductivity"].values)))
        for one in series_of("sigma_T", {"transport": limits}, ""):
            points(axes, replace(one, label=""), colour=GREY, marker="none")
        kelvin = series_of("sigma_T", {"transport": transport}, "")
        unknown = any(np.isnan(one.kelvin_stderr[one.seen]).any() for one in kelvin)
        arrhenius_axes(axes, top=" (errors unknown)" if unknown else "")
        legend(axes, own=ax is None)
    return axes


def vacancies(found: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Conductivity against the vacant fraction of the sites with the model, its 95 % band and the excess over it.

    Filled points took part in the fit. The excess is written beside the others, with the factor of its standard error.

    Parameters
    ----------
    found : what `fit_vacancies` returned
    ax : axes to draw on, new ones unless said
    """
    require(found, "vacancies")
    with style():
        axes = new_axes(ax, height=2.6)
        for index, kelvin in enumerate(np.unique(found["temperature"].values)):
            one = found.isel(sample=np.flatnonzero(found["temperature"].values == kelvin))
            _draw_vacancies(axes, one, COLOURS[index % len(COLOURS)], label=f"{kelvin:.6g} K")
        energy, error = found["migration_energy"].item(), found["migration_energy_stderr"].item()
        said = f"± {error:.3f} eV" if np.isfinite(error) else "eV, error unknown"
        axes.margins(y=0.14)  # for the words above points
        axes.set_title(f"model of vacancies, ΔG = {energy:.3f} {said}")
        log_axis(axes, "y")
        axes.set_xlabel("vacant fraction of the sites")
        axes.set_ylabel("σ / (S/m)")
        legend(axes, own=ax is None)
    return axes


def _rows(transport: xr.Dataset, line: xr.Dataset) -> xr.Dataset:
    """The rows of a transport that a line goes through."""
    kelvin = transport["temperature"].values
    inside = (kelvin >= line["temperature_low"].item()) & (kelvin <= line["temperature_high"].item())
    for name in ("sample", "direction"):
        if name in transport.coords:
            inside &= transport[name].values == line[name].item()
    return transport.isel(experiment=np.flatnonzero(inside & np.isfinite(transport["conductivity"].values)))


def _barrier(line: xr.Dataset) -> str:
    one = line.sel(convention="sigma_T")
    energy, error = one["activation_energy"].item(), one["activation_energy_stderr"].item()
    if not np.isfinite(energy):
        return "no line"
    said = f"E(σT) = {energy:.3f}" + (f" ± {error:.3f} eV" if np.isfinite(error) else " eV, error unknown")
    return said if bool(line["straight"]) else f"{said} (not one line)"


def _draw_line(axes: Axes, rows: xr.Dataset, line: xr.Dataset, colour: str) -> None:
    """A line over its points and its 95 % band, which comes from the scatter around it."""
    inverse = 1 / rows["temperature"].values
    dof = inverse.size - 2
    at = np.linspace(inverse.min(), inverse.max(), 60)
    value = np.log(10) * line["log10_prefactor"].item() - line["activation_energy"].item() * at / BOLTZMANN_EV
    axes.plot(1000 * at, np.exp(value), lw=0.9, color=colour, ls="-" if bool(line["straight"]) else "--")
    if dof > 0 and bool(line["straight"]):
        scatter = line["rms"].item() * np.sqrt(inverse.size / dof)
        slope = line["activation_energy_stderr"].item() / BOLTZMANN_EV
        reach = stats.t.isf(0.025, dof) * np.hypot(scatter / np.sqrt(inverse.size), slope * (at - inverse.mean()))
        axes.fill_between(1000 * at, np.exp(value - reach), np.exp(value + reach), color=colour, alpha=0.18, lw=0)


def _draw_vacancies(axes: Axes, found: xr.Dataset, colour: str, *, label: str) -> None:
    """The samples of one temperature."""
    vacant, sigma = found["vacancy_fraction"].values, found["conductivity"].values
    fitted, error = found["fitted"].values, np.nan_to_num(found["conductivity_stderr"].values)
    if (vacant > 0).any():
        known = int(np.argmax(vacant > 0))  # predictions at one temperature differ by c(1-c) alone
        fraction = np.linspace(0.005, max(0.35, vacant.max()), 120)
        curve = found["predicted"].values[known] * fraction * (1 - fraction) / (vacant[known] * (1 - vacant[known]))
        axes.plot(fraction, curve, lw=0.9, ls="--", color=colour)
        factor = 10 ** (_reach(found) * found["log10_predicted_stderr"].values[known])
        if np.isfinite(factor):
            axes.fill_between(fraction, curve / factor, curve * factor, color=colour, alpha=0.18, lw=0)
    axes.errorbar(vacant[fitted], sigma[fitted], error[fitted], fmt="o", ms=4, lw=0.9, color=colour, label=label)
    axes.errorbar(vacant[~fitted], sigma[~fitted], error[~fitted], fmt="o", ms=4, lw=0.9, color=colour, mfc="white")
    for k in np.flatnonzero(~fitted & np.isfinite(found["excess"].values)):
        axes.annotate(
            _excess(found.isel(sample=k)), (vacant[k], sigma[k]), xytext=(0, 5), textcoords="offset points",
            ha="center", fontsize=7, color=colour,
        )  # fmt: skip


def _reach(found: xr.Dataset) -> float:
    """Standard errors to either end of a 95 % interval; two where the errors were stated and one sample was fitted."""
    return float(stats.t.isf(0.025, found.attrs["dof"])) if found.attrs["dof"] > 0 else 1.96


def _excess(sample: xr.Dataset) -> str:
    error = sample["log10_excess_stderr"].item()
    said = f"×{sample['excess'].item():.3g}"
    return f"{said} (×/÷ {10**error:.2g})" if np.isfinite(error) else f"{said} (error unknown)"
