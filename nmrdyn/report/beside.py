"""What a report shows beside the posterior: lines through conductivities, agreement, Haven ratio, published figures."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import xarray as xr

from nmrdyn.agreement.reasons import agreement
from nmrdyn.conductivity.lines import straight_lines
from nmrdyn.literature import literature


def lines_of(posterior: xr.DataTree) -> dict[str, list[dict[str, Any]]]:
    """Straight lines through each conductivity in both conventions, by process; not split but where its law is."""
    found = {}
    for name, node in posterior["processes"].children.items():
        if "transport" in node:
            transport = node["transport"].dataset
            found[name] = line_rows(straight_lines(transport, transition=_transition(posterior, name)))
    return found


def line_rows(lines: xr.Dataset) -> list[dict[str, Any]]:
    """Each line as plain numbers."""
    rows = []
    for k in range(lines.sizes["line"]):
        one = lines.isel(line=k)
        rows.append(
            {name: one[name].item() for name in ("sample", "direction", "phase")}
            | {"points": int(one["points"]), "straight": bool(one["straight"]), "reason": one["reason"].item()}
            | {"temperature_K": [finite(one["temperature_low"]), finite(one["temperature_high"])]}
            | {
                str(convention): {
                    key: finite(one[name].sel(convention=convention))
                    for key, name in (
                        ("activation_energy_eV", "activation_energy"),
                        ("stderr_eV", "activation_energy_stderr"),
                        ("log10_prefactor", "log10_prefactor"),
                        ("rms_ln", "rms"),
                    )
                }
                for convention in lines["convention"].values
            }
        )
    return rows


def _transition(posterior: xr.DataTree, name: str) -> float | None:
    """The temperature [K] at which the law of a process has a phase transition that the study gave."""
    return json.loads(posterior.attrs["processes"])[name].get("transition")


def agreement_of(posterior: xr.DataTree, comparison: xr.Dataset) -> list[dict[str, str]]:
    """What could explain that NMR and conductivity have different barriers, and what the data rule out."""
    return [asdict(reason) for reason in agreement(posterior, comparison)]


def haven_of(posterior: xr.DataTree) -> dict[str, Any] | None:
    """The Haven ratio in the middle of where both were measured; None where the study asks for none."""
    if "haven" not in posterior.children:
        return None
    found = posterior["haven"].dataset
    middle = int(np.argmin(np.abs(1 / found["temperature"].values - 1 / found.attrs["reference_temperature"])))
    one = found.isel(temperature=middle)
    return {
        "nmr": found.attrs["nmr"],
        "conductivity": found.attrs["conductivity"],
        "carriers": found.attrs["carriers"],
        "temperature_K": float(one["temperature"]),
        "probability_below_one": finite(one["probability_below_one"]),
        "consistent_with_one": bool(found.attrs["consistent_with_one"]),
        "consistent_with_f": bool(found.attrs["consistent_with_f"]),
        "cell_stderr": float(found.attrs["cell_stderr"]),
    } | {
        said: {
            "median": finite(one[name].sel(quantile=0.5)),
            "ci95": [finite(one[name].sel(quantile=edge)) for edge in (0.025, 0.975)],
        }
        for said, name in (
            ("haven_ratio", "haven_ratio"),
            ("predicted_S_per_m", "predicted"),
            ("measured_S_per_m", "measured"),
        )
    }


def published_of(posterior: xr.DataTree) -> list[dict[str, Any]]:
    """Published figures of the compound that the study names; none unless it does."""
    compound = posterior.attrs.get("literature", "")
    if not compound:
        return []
    table = literature(compound=compound)
    rows = []
    for k in range(table.sizes["entry"]):
        one = table.isel(entry=k)
        texts = (
            "entry",
            "compound",
            "phase",
            "quantity",
            "moves",
            "qualifier",
            "unit",
            "paper",
            "doi",
            "place",
            "cited",
        )
        rows.append(
            {name: one[name].item() for name in (*texts, "value_printed", "unit_printed", "convention", "note")}
            | {name: finite(one[name]) for name in ("value", "stderr", "temperature_low", "temperature_high")}
        )
    return rows


def finite(value: Any) -> float | None:
    """A plain number, None in place of NaN and infinity."""
    return float(value) if np.isfinite(value) else None
