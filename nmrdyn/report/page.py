"""The HTML report: one self-contained file."""

from __future__ import annotations

import base64
import io
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
        described=described,
        margin=1e3 * float(comparison.attrs["margin"]),
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


def _superscript(number: int) -> str:
    return str(number).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _table(process: xr.DataTree) -> list[dict[str, Any]]:
    """The rows of a process for its table in the report."""
    if "transport" in process:
        data = process["transport"].dataset
        return [
            {
                "experiment": data["experiment"].values[i],
                "celsius": data["temperature"].values[i] - ZERO_CELSIUS,
                "conductivity": with_error(data["conductivity"].values[i], data["conductivity_stderr"].values[i]),
            }
            for i in range(data.sizes["experiment"])
        ]
    relaxation, motion = process["relaxation"].dataset, process["motion"].dataset
    rows = []
    for i in range(relaxation.sizes["experiment"]):
        one, moves = relaxation.isel(experiment=i), motion.isel(experiment=i)
        tau = [with_error(moves["tau_c"].values[k], moves["tau_c_stderr"].values[k]) for k in range(2)]
        rows.append(
            {
                "experiment": one["experiment"].item(),
                "celsius": one["temperature"].item() - ZERO_CELSIUS,
                "t1": with_error(one["t1"].item(), one["t1_stderr"].item()),
                "beta": with_error(one["beta"].item(), one["beta_stderr"].item()),
                "depth": f"{one['depth'].item():.2f}",
                "chi2": f"{one['reduced_chi2'].item():.2f}",
                "rows": f"{one['rows_used'].item()} of {one['rows_planned'].item()}",
                "fast": tau[0],
                "slow": tau[1],
                "slow_probability": f"{moves['branch_probability'].values[1]:.3f}",
                "remark": "; ".join(filter(None, (one["reason"].item(), moves["reason"].item()))),
            }
        )
    return rows


def _figures(posterior: xr.DataTree, comparison: xr.Dataset, described: dict[str, Any]) -> dict[str, Any]:
    nmr = [name for name in described if "relaxation" in posterior[f"processes/{name}"]]
    figures: dict[str, Any] = {
        "barriers": _svg(_drawn(plot.barriers(comparison))),
        "differences": _svg(_drawn(plot.differences(comparison))) if comparison.sizes["pair"] else None,
        "t1": _svg(_drawn(plot.arrhenius(posterior, "t1"))) if nmr else None,
        "tau_c": _svg(_drawn(plot.arrhenius(posterior, "tau_c"))) if nmr else None,
        "sigma_T": _svg(_drawn(plot.arrhenius(posterior, "sigma_T"))) if len(nmr) < len(described) else None,
        "recoveries": {},
        "corner": {name: _svg(plot.corner(posterior, name)) for name in described},
    }
    for name in nmr:
        node = posterior["processes"].children[name]
        if "recovery" in node:
            figures["recoveries"][name] = _svg(plot.recoveries(node["recovery"].dataset, node["relaxation"].dataset))
    return figures


def _drawn(axes: Any) -> Figure:
    figure = axes.figure
    assert isinstance(figure, Figure)
    return figure


def _svg(figure: Figure) -> str:
    """A figure as a data URI; SVG as an image runs no script and loads nothing."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()
