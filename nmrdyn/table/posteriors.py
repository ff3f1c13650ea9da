"""Tables of a posterior, of what its barriers say of each other, and of laws and predictions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from nmrdyn.rounding import interval, with_error
from nmrdyn.table.column import Column, intervals, measured, numbers, remarks, temperatures, texts
from nmrdyn.table.recoveries import notes_of
from nmrdyn.table.table import Table

# How a sampled quantity is shown: its symbol, unit, and the factor from the unit in which it is sampled.
_SHOWN = {
    "activation_energy": ("E_a", "meV", 1e3),
    "cq": ("C_Q", "MHz", 1e-6),
    "distance": ("distance", "Å", 1e10),
}
_EDGES = (0.025, 0.5, 0.975)


def of_posterior(data: xr.DataTree) -> Table:
    """Every quantity that was sampled, by process: median, standard deviation and 95 % interval."""
    described = json.loads(data.attrs["processes"])
    priors = json.loads(data.attrs.get("priors", "{}"))
    draws = data["posterior"].dataset
    names = [str(name) for name in draws]
    owner, rows = [], []
    for name in names:
        process = next((one for one in described if name.startswith(f"{one}.")), name.split(".")[0])
        owner.append(process)
        rows.append(_quantity(name.removeprefix(f"{process}."), draws[name]))
    low, median, high = np.array([row["quantiles"] for row in rows]).reshape(-1, 3).T
    sd = np.array([row["sd"] for row in rows])
    checks = [described.get(process, {}).get("diagnostics", {}) for process in owner]
    value = Column(
        "median ± sd",
        tuple(row["value"] for row in rows),
        {"median": median.tolist(), "sd": sd.tolist()},
    )
    ends = Column("95 %", tuple(row["ends"] for row in rows), {"low": low.tolist(), "high": high.tolist()})
    columns = (
        texts("process", owner),
        texts("quantity", [row["symbol"] for row in rows], "quantity", beside={"name": names}),
        value,
        ends,
        texts("unit", [row["unit"] for row in rows], "shown_in", beside={"unit": [row["si"] for row in rows]}),
        texts("prior in SI, eV", [priors.get(name, "") for name in names], "prior"),
        numbers("worst R-hat", "r_hat", "", [check.get("r_hat", np.nan) for check in checks], form=".3f"),
        numbers("least ESS", "ess", "", [check.get("ess", np.nan) for check in checks], form=".0f"),
    )
    failed = () if data.attrs["passed"] else ("NOT CONVERGED: none of these numbers can be trusted",)
    study = f" of {data.attrs['study']}" if data.attrs.get("study") else ""
    return Table(columns, f"Posterior{study}", (*failed, *_misfits(described), *notes_of(data)))


def of_comparison(data: xr.Dataset) -> Table:
    """Barriers, and below them their differences, with the verdict on each."""
    margin = 1e3 * float(data.attrs["margin"])
    energy, difference = data["activation_energy"].values, data["difference"].values
    names, pairs = (data[along].values.tolist() for along in ("process", "pair"))
    draws = np.concatenate([energy, difference]) if pairs else energy
    low, median, high = np.quantile(draws, _EDGES, axis=1)
    nothing = [np.nan] * len(names)
    doubts = ["" if fits else "its law does not describe the data" for fits in data["law_fits"].values]
    near = f"P(|Δ| < {margin:g} meV)"
    verdicts = data["verdict"].values
    # Why a verdict is one, its row and the margin say already.
    reasons = np.where(np.isin(verdicts, ("same", "different")), "", data["reason"].values)
    columns = (
        texts("barrier or difference", [*names, *pairs], "quantity"),
        measured("E_a / meV", "median", "eV", median, draws.std(axis=1, ddof=1), factor=1e3),
        intervals("95 % / meV", "median", "eV", low, high, factor=1e3),
        numbers("P(Δ > 0)", "probability_positive", "", [*nothing, *data["probability_positive"].values], form=".3f"),
        numbers(near, "probability_equivalent", "", [*nothing, *data["probability_equivalent"].values], form=".3f"),
        texts("verdict", [*[""] * len(names), *verdicts]),
        remarks([*doubts, *reasons]),
    )
    return Table(columns, f"Barriers and their differences, margin {margin:g} meV", notes_of(data))


def of_laws(data: xr.Dataset) -> Table:
    """The evidence of each law of temperature."""
    columns = (
        texts("law", data["law"].values),
        measured("ln evidence", "log_evidence", "", data["log_evidence"].values, data["log_evidence_stderr"].values),
        numbers("probability", "probability", "", data["probability"].values, form=".3f"),
    )
    return Table(columns, "Laws of temperature", ("probabilities if all were as likely before",))


def of_prediction(data: xr.Dataset) -> Table:
    """What `predict` says, one row a temperature, and a set of columns a Larmor frequency."""
    columns = [temperatures(data)]
    units = {"tau_c": "s", "conductivity": "S/m", "diffusion": "m^2/s", "t1": "s"}
    for name, unit in units.items():
        if name not in data:
            continue
        head = {"conductivity": "sigma", "diffusion": "D", "t1": "T1"}.get(name, name)
        fields = range(data.sizes["field"]) if "field" in data[name].dims else [None]
        for k in fields:
            one = data if k is None else data.isel(field=k)
            at = "" if k is None else f" at {float(one['larmor_frequency']) / 1e6:.2f} MHz"
            low, middle, high = (one[name].sel(quantile=q).values for q in _EDGES)
            columns.append(numbers(f"{head}{at} / {unit}", f"{name}{at}", unit, middle, digits=3))
            columns.append(intervals(f"95 %{at} / {unit}", f"{name}{at}", unit, low, high))
            if name == "t1" and "slow_probability" in one:
                slow = one["slow_probability"].values
                columns.append(numbers(f"P(slow){at}", f"slow_probability{at}", "", slow, form=".3f"))
    return Table(tuple(columns), "Prediction: medians and 95 % intervals, without noise and thermometer")


def _quantity(name: str, draws: xr.DataArray) -> dict[str, Any]:
    """One sampled quantity in the unit in which it is read."""
    si = str(draws.attrs.get("units", ""))
    base, _, rest = name.partition("activation_energy")
    key = "activation_energy" if not base and name.startswith("activation_energy") else name
    symbol, unit, factor = _SHOWN.get(key, (name, si, 1.0))
    if si.startswith("log10("):  # log10_tau0 in log10(s)
        symbol, unit = f"log10({name.removeprefix('log10_')} / {si[6:-1]})", ""
    quantiles = np.quantile(draws.values, _EDGES)
    sd = float(draws.values.std(ddof=1))
    low, median, high = quantiles * factor
    return {
        "symbol": f"{symbol} {rest.strip('_')}".strip() if key == "activation_energy" else symbol,
        "unit": unit,
        "si": si,
        "quantiles": quantiles,
        "sd": sd,
        "value": with_error(median, sd * factor),
        "ends": interval(low, high),
    }


def _misfits(described: Mapping[str, Any]) -> list[str]:
    """Which laws do not describe their data."""
    return [
        f"{name}: {one['law']} does not describe the data" for name, one in described.items() if not one["law_fits"]
    ]


MAKERS: Mapping[str, Callable[[Any], Table]] = {"posterior": of_posterior, "comparison": of_comparison}
