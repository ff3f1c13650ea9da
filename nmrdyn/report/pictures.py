"""The figures of a report as data URIs, with their alternative texts and the points that open a recovery."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from nmrdyn import plot
from nmrdyn.plot.points import svg_with_points
from nmrdyn.report.alternatives import (
    barriers_said,
    budget_said,
    corner_said,
    differences_said,
    measured_said,
    savage_dickey_said,
)
from nmrdyn.report.data_tables import DIRECT, names_of
from nmrdyn.rounding import with_error
from nmrdyn.schema import ZERO_CELSIUS

MOST_RECOVERIES = 40  # each takes some 0.3 s and 60 kB


@dataclass(frozen=True)
class Point:
    """A point of a figure: its place in per cent from the left and the top, its words, and what it opens."""

    left: float
    top: float
    said: str
    row: str
    recovery: str


@dataclass(frozen=True)
class Picture:
    """A figure: its data URI, what it shows in words with numbers, its caption, and the points that can be opened."""

    source: str
    alt: str
    caption: str
    identity: str = ""
    points: tuple[Point, ...] = ()
    wide: bool = False
    warnings: tuple[int, ...] = ()


def picture(figure: Any, alt: str, caption: str, *, identity: str = "", wide: bool = False) -> Picture:
    """A figure, or the figure of axes, as a picture; SVG as an image runs no script and loads nothing."""
    drawn = getattr(figure, "figure", figure)
    return Picture(_uri(plot.svg(drawn)), alt, caption, identity, wide=wide)


def _uri(svg: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()


def recovery_pictures(posterior: xr.DataTree) -> tuple[dict[str, list[Picture]], dict[str, int]]:
    """One picture for each recovery, by process, and how many of a process were not drawn.

    Of more than 40 in all, those whose fits have the largest reduced chi-square are drawn. Without a signal there is
    nothing to draw.
    """
    ranked = []
    for index, (name, node) in enumerate(posterior["processes"].children.items()):
        if "recovery" in node:
            chi2 = np.nan_to_num(node["relaxation"]["reduced_chi2"].values, nan=np.inf)
            measured = np.isfinite(node["recovery"]["signal"].values).any(axis=1)
            ranked += [(-float(chi2[i]), index, int(i), name) for i in np.flatnonzero(measured)]
    drawn = sorted(ranked)[:MOST_RECOVERIES]
    found: dict[str, list[Picture]] = {}
    for _, index, i, name in sorted(drawn, key=lambda one: one[1:3]):
        node = posterior["processes"].children[name]
        parts = [node[stage].dataset.isel(experiment=[i]) for stage in ("recovery", "relaxation")]
        alt, caption = _recovery_said(name, parts[1].isel(experiment=0))
        axes = plot.recovery(*parts)
        for panel in (axes, *axes.child_axes):
            panel.minorticks_off()  # they take more than half of the time
        found.setdefault(name, []).append(picture(axes, alt, caption, identity=f"r-{index}-{i}"))
    missing = {
        name: sum(one[3] == name for one in ranked) - len(found.get(name, [])) for name in {r[3] for r in ranked}
    }
    return found, missing


def _recovery_said(name: str, one: xr.Dataset) -> tuple[str, str]:
    """Alternative text and caption of one recovery."""
    where = f"{name}, expno {one['experiment'].item()}, {_celsius(one['temperature'].item())}"
    if not np.isfinite(one["t1"].item()):
        return f"Recovery of {where}, without a T1: {one['reason'].item()}", f"{where}: no T1"
    t1 = f"T1 = {with_error(one['t1'].item(), one['t1_stderr'].item())} s"
    chi2 = one["reduced_chi2"].item()
    misfit = f", reduced χ² {chi2:.2f}" if np.isfinite(chi2) else ""
    return f"Recovery of {where} with its fit and residuals: {t1}{misfit}", f"{where}: {t1}{misfit}"


def _celsius(kelvin: float) -> str:
    return f"{kelvin - ZERO_CELSIUS:.1f} °C" if np.isfinite(kelvin) else "temperature unknown"


_CAPTIONS = {
    "t1": "T1 with 68 and 95 % bands of the fitted law.",
    "tau_c": "Correlation times on both branches; the improbable one is pale. "
    "T1 shorter than the mechanism allows has none.",
    "sigma_T": "σT with bands of the fitted law. The barrier of σ alone would be lower by about kT.",
    "diffusion": "Diffusion coefficients with bands of the fitted law.",
}


def measured_pictures(posterior: xr.DataTree, recoveries: Mapping[str, list[Picture]]) -> dict[str, Picture]:
    """What was measured against 1000/T, by quantity, with its points."""
    nodes = posterior["processes"].children
    there = {
        "t1": any("relaxation" in node for node in nodes.values()),
        "tau_c": any("motion" in node for node in nodes.values()),
        "sigma_T": any("transport" in node for node in nodes.values()),
        "diffusion": any("diffusion" in node for node in nodes.values()),
    }
    opened = {one.identity for pictures in recoveries.values() for one in pictures}
    found = {}
    for quantity in (key for key, one in there.items() if one):
        axes = plot.arrhenius(posterior, quantity)
        candidates = sorted(_candidates(posterior, quantity), key=lambda one: one[0])
        svg, places = svg_with_points(axes, [one[:2] for one in candidates] or np.empty((0, 2)))
        points = tuple(
            Point(
                round(100 * float(left), 3),
                round(100 * float(top), 3),
                said,
                f"e-{key}",
                f"r-{key}" if f"r-{key}" in opened else "",
            )
            for (left, top), (_, _, said, key) in zip(places, candidates, strict=True)
            if np.isfinite(left)
        )
        hint = (
            " Each point opens its recovery."
            if any(point.recovery for point in points)
            else " Each point leads to its row."
            if points
            else ""
        )
        found[quantity] = Picture(
            _uri(svg), measured_said(posterior, quantity), _CAPTIONS[quantity] + hint, points=points
        )
    return found


def _candidates(posterior: xr.DataTree, quantity: str) -> Iterator[tuple[float, float, str, str]]:
    """x, y and words of each point of a figure, and "PROCESS-EXPERIMENT" by their numbers."""
    for index, (name, node) in enumerate(posterior["processes"].children.items()):
        first = "row" if "relaxation" not in node else "expno"
        for label, kelvin, value, error, unit in _series(node, quantity):
            names = names_of(node)
            for i in np.flatnonzero(np.isfinite(value) & np.isfinite(kelvin)):
                found = f"{label} = {with_error(value[i], error[i])} {unit}"
                said = f"{name}, {first} {names[i]}, {_celsius(kelvin[i])}: {found}"
                yield 1000 / kelvin[i], value[i], said, f"{index}-{i}"


def _series(node: xr.DataTree, quantity: str) -> Iterator[tuple[str, npt.NDArray, npt.NDArray, npt.NDArray, str]]:
    """Symbol, temperature [K], values, their standard errors and the unit of each series of a process in a figure."""
    if quantity == "t1" and "relaxation" in node:
        data = node["relaxation"].dataset
        yield "T1", data["temperature"].values, data["t1"].values, data["t1_stderr"].values, "s"
    if quantity == "tau_c" and "motion" in node:
        data = node["motion"].dataset
        for k, branch in enumerate(data["branch"].values):
            symbol = f"τc on the {branch} branch" if data.sizes["branch"] > 1 else "τc"
            yield symbol, data["temperature"].values, data["tau_c"].values[:, k], data["tau_c_stderr"].values[:, k], "s"
    for stage, symbol, unit in (("transport", "σT", "S K/m"), ("diffusion", "D", "m²/s")):
        if stage in node and quantity == {"transport": "sigma_T", "diffusion": "diffusion"}[stage]:
            data = node[stage].dataset
            kelvin = data["temperature"].values
            scale = kelvin if stage == "transport" else np.ones(kelvin.shape)
            key = DIRECT[stage][0]
            yield symbol, kelvin, data[key].values * scale, data[f"{key}_stderr"].values * scale, unit


def other_pictures(posterior: xr.DataTree, comparison: xr.Dataset, summary: dict[str, Any]) -> dict[str, Any]:
    """The figures of barriers, differences, the error budget and the Haven ratio, and the corners by process."""
    haven = posterior["haven"].dataset if "haven" in posterior.children else None
    found: dict[str, Any] = {
        "barriers": picture(
            plot.barriers(comparison), barriers_said(summary),
            "Activation energies: density, median, 68 and 95 % intervals.",
        ),
        "budget": picture(
            plot.budget(posterior), budget_said(summary),
            "Where the variance of each barrier and difference comes from; beside each bar its standard deviation.",
            wide=True,
        ),
        "corner": {
            name: picture(
                plot.corner(posterior, name), corner_said(summary, name),
                "Sampled quantities against each other, with 16, 50 and 84 % quantiles.", wide=True,
            )
            for name in json.loads(posterior.attrs["processes"])
        },
    }  # fmt: skip
    if comparison.sizes["pair"]:
        found["differences"] = picture(
            plot.differences(comparison),
            differences_said(summary),
            "Differences of activation energies, with errors that processes share cancelled.",
        )
    if np.isfinite(comparison["bayes_factor"]).any():
        found["savage_dickey"] = picture(
            plot.savage_dickey(comparison),
            savage_dickey_said(comparison),
            "Bayes factor of no difference against Normal(0, width): it depends on the width as much as on the data, "
            "and is no verdict. Grey: hardly worth a mention (1/3 to 3). Pairs without a curve lie too far from 0, or "
            "a law does not describe its data.",
        )
    if haven is not None:
        found |= _haven_pictures(haven, summary["haven"])
    return found


def _haven_pictures(haven: xr.Dataset, numbers: dict[str, Any]) -> dict[str, Picture]:
    def said(key: str, unit: str) -> str:
        one = numbers[key]
        if one["median"] is None:
            return "none"
        return "{:.2g}{} (95 %: {:.2g} to {:.2g})".format(one["median"], unit, *one["ci95"])

    at = f"at {numbers['temperature_K']:.0f} K"
    return {
        "haven": picture(
            plot.haven(haven),
            f"Conductivity predicted from NMR and measured conductivity against inverse temperature: {at} "
            f"{said('predicted_S_per_m', ' S/m')} and {said('measured_S_per_m', ' S/m')}",
            "The conductivity that the jumps seen by NMR would make, and the measured one, with 68 and 95 % bands; "
            "grey: not measured by both.",
        ),
        "haven_ratio": picture(
            plot.haven_ratio(haven),
            f"Haven ratio against inverse temperature: {at} {said('haven_ratio', '')}",
            "Their ratio, the Haven ratio.",
        ),
    }


def spectra_pictures(posterior: xr.DataTree) -> tuple[dict[str, Picture], dict[str, str]]:
    """Impedance spectra by process; and for processes of the same spectra, whose they are."""
    found: dict[str, Picture] = {}
    same: dict[str, str] = {}
    nodes = posterior["processes"].children
    for name, node in nodes.items():
        if "impedance" not in node:
            continue
        if first := next((other for other in found if _same(node, nodes[other])), None):
            same[name] = first  # bulk and grain boundaries of the same spectra
            continue
        resistance = node["resistance"].dataset
        value = resistance["resistance"].values[np.isfinite(resistance["resistance"].values)]
        across = f", total resistances from {value.min():.3g} to {value.max():.3g} Ω" if value.size else ""
        found[name] = picture(
            plot.nyquist_grid(node["impedance"].dataset, resistance),
            f"Impedance spectra of {name} with fits and resistances: {resistance.sizes['experiment']} spectra{across}",
            "Impedance spectra with the fit of an equivalent circuit; bars are resistances with their standard errors, "
            "dashed lines limits.",
            wide=True,
        )
    return found, same


def _same(one: xr.DataTree, other: xr.DataTree) -> bool:
    """Whether two processes have the same spectra with the same resistances."""
    return all(one.children[stage].equals(other.children[stage]) for stage in ("impedance", "resistance"))
