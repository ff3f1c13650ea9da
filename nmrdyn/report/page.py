"""The HTML report: one self-contained file."""

from __future__ import annotations

import base64
import json
from importlib.resources import files
from typing import Any

import jinja2
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from nmrdyn import plot
from nmrdyn.report.summary import verdict_lines
from nmrdyn.schema import ZERO_CELSIUS
from nmrdyn.units import interval_said

# Stages that are measured as they are, and what stands in them.
_DIRECT = {"transport": "conductivity", "diffusion": "diffusion"}


def render(posterior: xr.DataTree, comparison: xr.Dataset, summary: dict[str, Any]) -> str:
    """The report as HTML text; titles and names from the data are shown as text, never as markup."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (files("nmrdyn") / "data" / name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"mev": _mev, "error": with_error}
    described = json.loads(posterior.attrs["processes"])
    return environment.get_template("report.html.jinja").render(
        summary=summary,
        verdict=verdict_lines(summary),
        passed=summary["diagnostics"]["passed"],
        figures=_figures(posterior, comparison, described),
        tables={name: _table(node) for name, node in posterior["processes"].children.items()},
        readings={name: _reading(node) for name, node in posterior["processes"].children.items()},
        described=described,
        margin=1e3 * float(comparison.attrs["margin"]),
        zero_celsius=ZERO_CELSIUS,
        units={name: values.attrs.get("units", "") for name, values in posterior["posterior"].data_vars.items()},
        needed=json.loads(posterior.attrs["needed"]),
    )


def _mev(energy: float) -> str:
    return f"{1e3 * energy:.0f}"


def with_error(value: float, error: float) -> str:
    """A value rounded by its error, as in 4.71 ± 0.19."""
    if not np.isfinite(value):
        return "–"
    if not np.isfinite(error) or error <= 0:
        return f"{value:.4g}"
    exponent = int(np.floor(np.log10(abs(value)))) if value else 0
    factor, suffix = (10.0**exponent, f" × 10{_superscript(exponent)}") if abs(exponent) > 2 else (1.0, "")
    digits = max(0, 1 - int(np.floor(np.log10(error / factor))))
    text = f"{value / factor:.{digits}f} ± {error / factor:.{digits}f}"
    return f"({text}){suffix}" if suffix else text


def _two_places(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "–"


def _superscript(number: int) -> str:
    return str(number).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _table(process: xr.DataTree) -> list[dict[str, Any]]:
    """The rows of a process for its table in the report."""
    for stage, quantity in _DIRECT.items():
        if stage in process:
            data = process[stage].dataset
            reasons = data["reason"].values if "reason" in data else [""] * data.sizes["experiment"]
            return [
                {
                    "experiment": data["experiment"].values[i],
                    "celsius": data["temperature"].values[i] - ZERO_CELSIUS,
                    "value": with_error(data[quantity].values[i], data[f"{quantity}_stderr"].values[i]),
                    "remark": reasons[i],
                }
                for i in range(data.sizes["experiment"])
            ]
    motion = process["motion"].dataset
    if "relaxation" not in process:
        return [
            {
                "experiment": motion["experiment"].values[i],
                "celsius": motion["temperature"].values[i] - ZERO_CELSIUS,
                "tau_c": with_error(motion["tau_c"].values[i, 0], motion["tau_c_stderr"].values[i, 0]),
                "remark": motion["reason"].values[i],
            }
            for i in range(motion.sizes["experiment"])
        ]
    relaxation = process["relaxation"].dataset
    sources = _recovered(process, "temperature_source", "–")
    rows = []
    for i in range(relaxation.sizes["experiment"]):
        one, moves = relaxation.isel(experiment=i), motion.isel(experiment=i)
        tau = [with_error(moves["tau_c"].values[k], moves["tau_c_stderr"].values[k]) for k in range(2)]
        rows.append(
            {
                "experiment": one["experiment"].item(),
                "celsius": one["temperature"].item() - ZERO_CELSIUS,
                "source": sources[i],
                "t1": with_error(one["t1"].item(), one["t1_stderr"].item()),
                "t1_interval": interval_said(one["t1_low"].item(), one["t1_high"].item()),
                "beta": with_error(one["beta"].item(), one["beta_stderr"].item()),
                "depth": _two_places(one["depth"].item()),
                "chi2": _two_places(one["reduced_chi2"].item()),
                "rows": f"{one['rows_used'].item()} of {one['rows_planned'].item()}"
                if one["rows_planned"].item()
                else "–",
                "fast": tau[0],
                "slow": tau[1],
                "slow_probability": f"{moves['branch_probability'].values[1]:.3f}",
                "remark": "; ".join(filter(None, (one["reason"].item(), moves["reason"].item()))),
            }
        )
    return rows


def _recovered(process: xr.DataTree, name: str, missing: Any) -> list[Any]:
    """One value an experiment of what was read with the recoveries, or of what stands for it."""
    data = (process["recovery"] if "recovery" in process else process["relaxation"]).dataset
    return list(data[name].values) if name in data.coords else [missing] * data.sizes["experiment"]


def _reading(process: xr.DataTree) -> str:
    """How the recoveries of a process were measured and read, in one sentence; "" where that is not known."""
    if "recovery" not in process:
        return ""
    rates = np.array(_recovered(process, "mas_rate", np.nan), dtype=float) / 1e3
    limits = 100 * np.array(_recovered(process, "second_component_limit", np.nan), dtype=float)
    parts = sorted(set(filter(None, _recovered(process, "irradiated", ""))))
    if np.isfinite(rates).any():
        parts.insert(0, f"MAS {_range(rates)} kHz" if np.nanmax(rates) > 0 else "static")
    if np.isfinite(limits).any():
        parts.append(
            f"a second line shape would have been seen from {_range(limits)} % of the first; "
            "a weaker site with a T1 of its own is averaged in"
        )
    return "; ".join(parts)


def _range(values: np.ndarray) -> str:
    low, high = f"{np.nanmin(values):.2g}", f"{np.nanmax(values):.2g}"
    return low if low == high else f"{low} to {high}"


def _figures(posterior: xr.DataTree, comparison: xr.Dataset, described: dict[str, Any]) -> dict[str, Any]:
    nmr = [name for name in described if described[name]["kind"] == "relaxation"]
    kinds = {entry["kind"] for entry in described.values()}
    haven = posterior["haven"].dataset if "haven" in posterior.children else None
    figures: dict[str, Any] = {
        "barriers": _svg(_drawn(plot.barriers(comparison))),
        "differences": _svg(_drawn(plot.differences(comparison))) if comparison.sizes["pair"] else None,
        "budget": _svg(_drawn(plot.budget(posterior))),
        "savage_dickey": _svg(_drawn(plot.savage_dickey(comparison)))
        if np.isfinite(comparison["bayes_factor"]).any()
        else None,
        "t1": _svg(_drawn(plot.arrhenius(posterior, "t1"))) if nmr else None,
        "tau_c": _svg(_drawn(plot.arrhenius(posterior, "tau_c"))) if kinds - set(_DIRECT) else None,
        "sigma_T": _svg(_drawn(plot.arrhenius(posterior, "sigma_T"))) if "transport" in kinds else None,
        "diffusion": _svg(_drawn(plot.arrhenius(posterior, "diffusion"))) if "diffusion" in kinds else None,
        "haven": _svg(_drawn(plot.haven(haven))) if haven is not None else None,
        "haven_ratio": _svg(_drawn(plot.haven_ratio(haven))) if haven is not None else None,
        "recoveries": {},
        "spectra": {},
        "same_spectra": {},
        "corner": {name: _svg(plot.corner(posterior, name)) for name in described},
    }
    for name in nmr:
        node = posterior["processes"].children[name]
        if "recovery" in node:
            figures["recoveries"][name] = _svg(plot.recoveries(node["recovery"].dataset, node["relaxation"].dataset))
    for name, node in posterior["processes"].children.items():
        if "impedance" in node:
            stages = node["impedance"].dataset, node["resistance"].dataset
            drawn = (other for other in figures["spectra"] if _same(node, posterior["processes"].children[other]))
            if first := next(drawn, None):  # bulk and grain boundaries of the same spectra
                figures["same_spectra"][name] = first
            else:
                figures["spectra"][name] = _svg(plot.nyquist_grid(*stages))
    return figures


def _same(one: xr.DataTree, other: xr.DataTree) -> bool:
    """Whether two processes have the same spectra with the same resistances."""
    return all(one.children[stage].equals(other.children[stage]) for stage in ("impedance", "resistance"))


def _drawn(axes: Any) -> Figure:
    figure = axes.figure
    assert isinstance(figure, Figure)
    return figure


def _svg(figure: Figure) -> str:
    """A figure as a data URI; SVG as an image runs no script and loads nothing."""
    return "data:image/svg+xml;base64," + base64.b64encode(plot.svg(figure)).decode()
