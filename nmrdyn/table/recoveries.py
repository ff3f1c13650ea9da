"""Tables of recoveries and of T1."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from nmrdyn.findings import attached, merged
from nmrdyn.table.column import (
    MISSING,
    Column,
    ends_of,
    intervals,
    limits,
    measured,
    numbers,
    remarks,
    rows_used,
    spans,
    temperatures,
    texts,
    values_of,
    words_of,
)
from nmrdyn.table.table import Table


def of_recovery(data: xr.Dataset) -> Table:
    """Recoveries, one row an experiment."""
    delay, signal = np.asarray(data["delay"].values), np.asarray(data["signal"].values)
    with np.errstate(all="ignore"):
        noise = np.asarray(data["signal_stderr"].values)
        ratio = np.array([_ratio(one, error) for one, error in zip(signal, noise, strict=True)])
    columns = (
        *experiments(data),
        texts("from", words_of(data, "temperature_source"), "temperature_source"),
        texts("kind", [kind.replace("_", " ") for kind in words_of(data, "kind")]),
        texts("site", words_of(data, "site")),
        rows_used(values_of(data, "rows_recorded"), values_of(data, "rows_planned")),
        spans("delays / s", "delay", "s", *ends_of(delay, np.isfinite(delay))),
        numbers("signal/noise", "signal_over_noise", "", ratio, digits=3),
        numbers("MAS / kHz", "mas_rate", "Hz", values_of(data, "mas_rate"), factor=1e-3),
        texts("irradiated", words_of(data, "irradiated")),
        texts("read by", words_of(data, "read_by"), "read_by"),
        remarks(words_of(data, "reason")),
    )
    return Table(columns, f"Recoveries{of_nucleus(data)}", notes_of(data))


def of_relaxation(data: xr.Dataset) -> Table:
    """T1, one row an experiment."""
    columns = (
        *experiments(data),
        texts("model", words_of(data, "model")),
        measured("T1 / s", "T1", "s", data["t1"].values, data["t1_stderr"].values),
        limits("95 % / s", "T1", "s", values_of(data, "t1_low"), values_of(data, "t1_high")),
        *_times(data),
        measured("beta", "beta", "", values_of(data, "beta"), values_of(data, "beta_stderr"), kept=False),
        measured("ratio", "ratio", "", values_of(data, "ratio"), values_of(data, "ratio_stderr"), kept=False),
        numbers("depth", "depth", "", values_of(data, "depth"), form=".2f"),
        numbers("chi2_red", "reduced_chi2", "", values_of(data, "reduced_chi2"), form=".2f"),
        rows_used(values_of(data, "rows_used"), values_of(data, "rows_planned")),
        remarks(words_of(data, "reason")),
    )
    return Table(columns, f"T1{of_nucleus(data)}", notes_of(data))


def of_distribution(data: xr.Dataset) -> Table:
    """Distributions of T1, one row an experiment."""
    mean, peaks = data["mean_t1_interval"].values, data["peak_t1"].values
    shown = ["; ".join(f"{time:.3g}" for time in row[np.isfinite(row)]) or MISSING for row in peaks]
    columns = (
        *experiments(data),
        numbers("mean T1 / s", "mean_T1", "s", data["mean_t1"].values),
        intervals("95 % / s", "mean_T1", "s", mean[:, 0], mean[:, -1]),
        numbers("width", "width", "", data["width"].values, form=".2f"),
        numbers("resolution", "resolution", "", data["resolution"].values, form=".2f"),
        texts("peaks / s", shown, "peak_T1 (s)"),
        numbers("outside / %", "outside", "", data["outside"].values, factor=100, digits=2),
        remarks(words_of(data, "reason")),
    )
    return Table(columns, f"Distributions of T1{of_nucleus(data)}", notes_of(data))


def experiments(data: xr.Dataset) -> tuple[Column, ...]:
    """Experiments, their temperatures, and their Larmor frequencies where there are several of these."""
    frequency = values_of(data, "larmor_frequency")
    known = frequency[np.isfinite(frequency)]
    nucleus, names = str(data.attrs.get("nucleus", "")), words_of(data, "experiment")
    more: dict[str, Sequence[Any]] = {"nucleus": [nucleus] * len(names)} if nucleus else {}
    field = numbers("ν / MHz", "larmor", "Hz", frequency, form=".2f", factor=1e-6)
    if np.unique(known).size > 1:
        return texts("experiment", names, beside=more), temperatures(data), field
    return texts("experiment", names, beside=more | dict(field.data if known.size else {})), temperatures(data)


def of_nucleus(data: xr.Dataset) -> str:
    """The nucleus and the one Larmor frequency of a stage, for a caption."""
    known = values_of(data, "larmor_frequency")
    known = np.unique(known[np.isfinite(known)])
    nucleus = str(data.attrs.get("nucleus", ""))
    return (f" of {nucleus}" if nucleus else "") + (f" at {known[0] / 1e6:.2f} MHz" if known.size == 1 else "")


def notes_of(data: Any) -> tuple[str, ...]:
    """The findings that a stage carries, in words."""
    return tuple(f"{finding.where}: {finding.text}".removeprefix(": ") for finding in merged(attached(data)))


def _ratio(signal: np.ndarray, error: np.ndarray) -> float:
    """The largest intensity over the noise; NaN where there is none."""
    known = np.isfinite(signal) & np.isfinite(error)
    return float(np.abs(signal[known]).max() / np.median(error[known])) if known.any() else np.nan


def _times(data: xr.Dataset) -> list[Column]:
    """The times of several exponentials and their fractions; none where there is one."""
    if "component_t1" not in data or not np.isfinite(data["component_t1"].values[:, 1:]).any():
        return []
    columns = []
    for k in range(data.sizes["component"]):
        one = data.isel(component=k)
        for head, name, unit, factor in (
            (f"T1 ({k + 1}) / s", "component_t1", "s", 1.0),
            (f"share ({k + 1}) / %", "component_fraction", "", 100.0),
        ):
            said = f"{name}_{k + 1}"
            value, error = values_of(one, name), values_of(one, f"{name}_stderr")
            columns.append(measured(head, said, unit, value, error, factor=factor, kept=False))
    return columns


MAKERS: Mapping[str, Callable[[xr.Dataset], Table]] = {
    "recovery": of_recovery,
    "relaxation": of_relaxation,
    "distribution": of_distribution,
}
